"""What an Incident tells of itself: the same steps for whoever reads it again, in order, and the one it has come to."""

import pytest
from tests.unit.builders import at, condition, incident

from hemostat.clock import rfc3339
from hemostat.progress.derive import present, steps_of
from hemostat.progress.step import MAX_MESSAGE, Stage, Step, Told, shortened


def told(id_, when=0.0, message="said"):
    return {"id": id_, "time": rfc3339(at(when)), "by": id_.split("/", 1)[0], "message": message}


def of(*timeline, conditions=()):
    return steps_of(incident(timeline=list(timeline), conditions=conditions))


@pytest.mark.parametrize(
    ("id_", "stage", "what"),
    [
        ("observe/detected", Stage.DETECTION, "Opened"),
        ("observe/signal/calls/errors/checkout->payment", Stage.DETECTION, "SignalFired"),
        ("observe/reopened/1", Stage.DETECTION, "Reopened"),
        ("observe/diagnosed/bad-release", Stage.DIAGNOSIS, "Diagnosed"),
        ("observe/consulted/0/Agreed", Stage.DIAGNOSIS, "Consulted"),
        ("observe/undiagnosed/0/NoRunbookMatches", Stage.DIAGNOSIS, "NotDiagnosed"),
        ("observe/proposed/payment-1-rollback-0-1", Stage.GATE, "Proposed"),
        ("observe/something-new/x", Stage.DIAGNOSIS, "SomethingNew"),
        ("act/payment-1/Admitted/NeedsApproval", Stage.GATE, "NeedsApproval"),
        ("act/payment-1/Applied/Applied", Stage.ACTION, "Applied"),
        ("act/payment-1/Undone/Undone", Stage.ACTION, "Undone"),
        ("act/payment-1/Verified/Healed", Stage.VERIFICATION, "Healed"),
        ("act/payment-1/Finished/DeniedByPerson", Stage.GATE, "DeniedByPerson"),
        ("act/payment-1/Finished/Drifted", Stage.GATE, "Drifted"),
        ("act/payment-1/Finished/TakenBack", Stage.VERIFICATION, "TakenBack"),
        ("act/resolved/0", Stage.RESOLUTION, "Resolved"),
        ("act/<b>", Stage.ACTION, "Told"),
    ],
)
def test_an_entry_of_the_timeline_is_a_step_of_its_stage(id_, stage, what):
    (step,) = of(told(id_, 3))
    assert (step.stage, step.what, step.key, step.time) == (stage, what, id_, at(3))


def test_what_is_too_long_is_cut_between_two_words():
    (step,) = of(told("observe/detected", 1, "checkout " * 40))
    assert len(step.message) <= MAX_MESSAGE
    assert set(step.message.removesuffix("…").split()) == {"checkout"}
    assert step.message.endswith("…")
    assert len(shortened("x" * 999)) == MAX_MESSAGE, "one word without end is cut all the same"


def test_steps_come_in_the_order_of_time_whoever_told_them():
    found = of(told("act/r/Applied/Applied", 9), told("observe/detected", 1), told("observe/diagnosed", 5))
    assert [s.what for s in found] == ["Opened", "Diagnosed", "Applied"]


def test_what_waits_is_the_last_step_and_has_no_time_of_its_own():
    """The condition was Unknown long before this reason came up."""
    found = of(told("act/r/Applied/Applied", 9), conditions=[condition("Verified", "Unknown", "Verifying", when=1)])
    assert [(s.what, s.time) for s in found] == [("Applied", at(9)), ("Verifying", None)]


def test_a_condition_that_waits_for_nothing_says_nothing():
    waits = [condition("Remediated", "Unknown", "NotYet"), condition("Verified", "Unknown", "NotYet")]
    assert of(conditions=waits) == ()


def test_that_it_is_resolved_is_told_once_though_both_condition_and_timeline_say_it():
    found = of(told("act/resolved/0", 9), conditions=[condition("Resolved", True, "ClearedByItself", when=9)])
    assert [s.what for s in found] == ["Resolved"]


def test_each_time_that_it_is_resolved_is_told():
    """Where it came back and `act` has yet to say so, its last end is not told as the end of what came back."""
    back, resolved = {"count": 1, "time": rfc3339(at(20))}, ("Resolved", True, "ClearedByItself")
    seen: list[Step] = []
    for when, status in ((9, {}), (9, {"reopened": back}), (40, {"reopened": back})):
        seen += steps_of(incident(conditions=[condition(*resolved, when=when)], **status))
    assert [(s.what, s.time, s.key) for s in seen] == [
        ("Resolved", at(9), "act/resolved/0"),
        ("Resolved", at(40), "act/resolved/1"),
    ]


def test_messages_are_bounded():
    (step,) = of(told("observe/detected", message="x" * 1000))
    assert len(step.message) == 256


D, W = Stage.DETECTION, Stage.GATE


def shown(*told):
    """Return what is shown of steps (stage, what, time), told in this order."""
    found = present([Told(n, at(when), Step(stage, what, "")) for n, (stage, what, when) in enumerate(told, 1)])
    return found.step.what if found is not None else None


def test_what_is_seen_meanwhile_does_not_hide_that_a_person_is_asked():
    assert shown((D, "Opened", 1), (W, "NeedsApproval", 2), (D, "SymptomSeen", 3)) == "NeedsApproval"


def test_trouble_that_came_back_begins_anew():
    assert shown((Stage.RESOLUTION, "Resolved", 1), (D, "Reopened", 2), (D, "SignalFired", 3)) == "Reopened"


def test_that_it_was_opened_is_told_late_and_does_not_hide_who_is_at_work_already():
    assert shown((Stage.DIAGNOSIS, "Asked", 2), (D, "Opened", 1)) == "Asked"


def test_work_whose_time_is_that_of_the_look_before_is_still_the_latest():
    assert shown((D, "Opened", 1), (Stage.DIAGNOSIS, "Concluded", 5), (W, "Proposed", 4)) == "Proposed"


def test_before_anything_is_told_there_is_no_present_step():
    assert shown() is None
    assert shown((D, "SignalFired", 1)) == "SignalFired"
