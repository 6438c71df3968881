"""What `act` tells is a function of its Remediations: a restart tells nothing twice."""

import itertools

from tests.unit.builders import at, condition, incident, remediation

from hemostat.act.timeline import BY, ending, entries, merged
from hemostat.api.incident import MAX_TIMELINE, MAX_TOLD, TimelineEntry
from hemostat.clock import rfc3339

STORY = [
    condition("Planned", True, "Planned", 1),
    condition("Admitted", True, "Approved", 2, "by ada"),
    condition("Applied", True, "Applied", 3),
    condition("Released", True, "Released", 4),
    condition("Verified", False, "Worse", 5),
    condition("Undone", True, "Undone", 6),
    condition("Finished", True, "Worse", 7),
]


def case(name, raw, **spec):
    return remediation(name, {"conditions": raw}, **spec)


def told(*cases):
    return [e.id for e in entries(cases)]


def test_every_decided_condition_is_told_once_in_the_order_of_time():
    assert told(case("r1", STORY[::-1])) == [
        "act/r1/Planned/Planned",
        "act/r1/Admitted/Approved",
        "act/r1/Applied/Applied",
        "act/r1/Verified/Worse",
        "act/r1/Undone/Undone",
    ]
    told_ = entries([case("r1", STORY)])[1]
    assert (told_.by, told_.time, told_.message) == (BY, at(2), "rollback: Approved: by ada")


def test_the_end_is_told_unless_it_is_just_the_verdict():
    verdict = condition("Verified", False, "Worse", 5)
    assert told(case("r", [verdict, condition("Finished", True, "Worse", 7)])) == ["act/r/Verified/Worse"]
    blocked = told(case("r", [verdict, condition("Finished", True, "UndoBlocked", 7)]))
    assert blocked == ["act/r/Verified/Worse", "act/r/Finished/UndoBlocked"]
    assert told(case("r", [condition("Finished", True, "Denied", 7)])) == ["act/r/Finished/Denied"]


def test_what_is_undecided_is_not_told_except_that_a_person_is_waited_for():
    assert told(case("r", [condition("Verified", "Unknown", "Verifying")])) == []
    assert told(case("r", [condition("Admitted", "Unknown", "Held")])) == []
    assert told(case("r", [condition("Admitted", "Unknown", "NeedsApproval")])) == ["act/r/Admitted/NeedsApproval"]


def test_the_order_of_reading_changes_nothing():
    cases = [case(f"r{i}", STORY, attempt=i + 1) for i in range(4)]
    assert len({entries(order) for order in itertools.permutations(cases)}) == 1


def test_a_restart_tells_nothing_twice_and_forgets_nothing():
    waiting = entries([case("r", [condition("Admitted", "Unknown", "NeedsApproval", 1)])])
    shown = incident(timeline=[e.wire() for e in waiting])
    later = entries([case("r", STORY)])
    both = merged(shown, later)
    assert [e.id for e in both][:2] == ["act/r/Admitted/NeedsApproval", "act/r/Planned/Planned"]
    assert len(both) == 1 + len(later)
    again = incident(timeline=[e.wire() for e in both])
    assert merged(again, later) == both


def test_what_observe_tells_is_left_to_observe():
    theirs = {"id": "observe/detected", "time": rfc3339(at(0)), "by": "observe", "message": "m"}
    assert merged(incident(timeline=[theirs]), ()) == ()


def test_a_long_story_is_bounded_and_keeps_its_end():
    cases = [case(f"r{i:02}", [condition("Finished", True, "Drifted", i)]) for i in range(80)]
    found = entries(cases)
    assert len(found) == MAX_TOLD
    assert found[-1].id == "act/r79/Finished/Drifted"
    old = [TimelineEntry(id=f"act/x{i}", time=at(-i - 1), by=BY, message="m").wire() for i in range(MAX_TOLD)]
    assert merged(incident(timeline=old), found) == found
    assert 2 * MAX_TOLD <= MAX_TIMELINE


def test_long_names_and_messages_fit_the_schema():
    (found,) = entries([case("r" * 253, [condition("Planned", True, "Planned", message="m" * 2048)])])
    assert (len(found.id), len(found.message)) == (253, 1024)


def test_how_it_ended_is_told_once_unless_the_action_told_it():
    over = incident(conditions=(condition("Resolved", True, "WatchDeleted", 9, "Watch payment was deleted"),))
    healed = incident(conditions=(condition("Resolved", True, "Healed", 9),))
    waits = incident(conditions=(condition("Resolved", False, "NoData", 9),))
    (one,) = ending(over, over.status.conditions)
    assert (one.time, one.message) == (at(9), "resolved: WatchDeleted: Watch payment was deleted")
    assert ending(over, over.status.conditions) == (one,)
    assert ending(healed, healed.status.conditions) == ending(waits, waits.status.conditions) == ()
