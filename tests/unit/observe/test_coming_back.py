"""Trouble that comes back is the same Incident; one that a person deleted is not."""

import pytest
from tests.unit.builders import at
from tests.unit.observe.town import Town

from hemostat.api.meta import find
from hemostat.api.watch import PresentRevision
from hemostat.diagnosis.drafting import draft
from hemostat.diagnosis.lesson import draft_lesson
from hemostat.diagnosis.redact import redact
from hemostat.memory.episode import Ending, episode_of
from hemostat.signals.changes import ChangeKind, Noted, Ref
from hemostat.signals.correlate import MAX_RETURNS
from hemostat.signals.correlate.draft import COMES_BACK_WITHIN


@pytest.fixture
def town():
    town = Town(["payment"], [], lag=2)
    town.run(15)
    return town


def fault(town, *, bad=20, well=60):
    town.faulty = {"payment"}
    town.run(bad)
    town.faulty = set()
    town.run(well)


def only(town):
    (found,) = town.api.items.values()
    return found


def resolved(incident):
    condition = find(incident.status.conditions, "Resolved")
    return condition.status.value, condition.reason


def test_trouble_that_comes_back_soon_reopens_its_incident(town):
    fault(town)
    assert resolved(only(town)) == ("True", "ClearedByItself")
    town.faulty = {"payment"}
    town.run(10)
    found = only(town)
    assert resolved(found) == ("False", "Reopened")
    assert found.status.reopened.count == 1
    assert [e.message for e in found.status.timeline if "came back" in e.message]
    assert len(town.events.of("Reopened")) == 1
    assert find(found.status.conditions, "Diagnosed").status == "True"  # anew


def test_after_the_window_it_is_another_incident(town):
    fault(town)
    town.run(COMES_BACK_WITHIN.total_seconds() + 60, step=5)
    fault(town)
    assert len(town.api.items) == 2


def test_what_was_rolled_out_since_is_new_trouble(town):
    fault(town)
    memory = town.seen["payment"].memory
    memory.present = PresentRevision(target_uid="u", number="2", template_hash="h", since_time=town.clock.now())
    town.run(3)
    fault(town)
    assert len(town.api.items) == 2


def test_a_revision_that_was_there_before_it_was_resolved_is_no_new_trouble(town):
    town.seen["payment"].memory.present = PresentRevision(
        target_uid="u", number="2", template_hash="h", since_time=at(1)
    )
    fault(town)
    fault(town)
    assert len(town.api.items) == 1


@pytest.mark.parametrize(("kind", "incidents"), [(ChangeKind.CONFIG, 2), (ChangeKind.SCALE, 1), (ChangeKind.NODE, 1)])
def test_other_configuration_is_new_trouble_and_another_number_of_pods_is_not(town, kind, incidents):
    """Actions and autoscalers change how many there are: if that does not last, it is the same trouble."""
    fault(town)
    town.api.noted = [Noted(kind, Ref("Deployment", "shop", "payment"), town.clock.now(), "changed")]
    town.run(3)
    fault(town)
    assert len(town.api.items) == incidents


def test_flapping_ends_with_a_person(town):
    for _ in range(MAX_RETURNS + 3):
        fault(town)
    town.faulty = {"payment"}
    town.run(10)
    found = only(town)
    assert found.status.reopened.count == MAX_RETURNS + 3
    assert [p.spec.opening for p in town.api.proposals] == list(range(MAX_RETURNS + 1))
    assert resolved(found) == ("False", "Flapping")
    assert len(town.events.of("Flapping")) == 1
    assert len([e for e in found.status.timeline if "a person is needed" in e.message]) == 1


def test_what_was_seen_before_it_came_back_is_no_evidence_of_how_it_is(town):
    """Items of the first time, two of them clear by then, spoke for the Runbook of the first time."""
    fault(town)
    first = only(town).status.evidence
    signals = {e.id for e in first if e.kind == "Signal"}
    town.faulty = {"payment"}
    town.run(12)
    found = only(town).status
    now = {e.id: e for e in found.evidence}
    assert found.reopened.count == 1
    assert signals
    assert not signals & {i for i, e in now.items() if not e.key.startswith("before/")}
    before = {e.id: e.key for e in first}
    assert any(e.kind == "Signal" for i, e in now.items() if i not in before), "what fires now is seen anew"
    assert all(e.key in (before[i], f"before/{before[i]}") for i, e in now.items() if i in before), "no id twice"


def test_a_restart_while_it_is_open_again_counts_nothing_twice(town):
    fault(town)
    town.faulty = {"payment"}
    for _ in range(6):
        town.run(7)
        town.restart()
    assert only(town).status.reopened.count == 1


def test_a_kill_between_the_two_processes_leaves_it_open(town):
    """`observe` wrote that it came back, and `act` has not said yet that it is open."""
    fault(town)
    town.faulty = {"payment"}
    act, town.act = town.act, lambda now: None
    town.run(12)
    assert resolved(only(town)) == ("True", "ClearedByItself")
    assert set(town.open()) == {"payment"}
    town.restart()
    town.run(12)
    assert only(town).status.reopened.count == 1
    town.act = act
    town.run(5)
    assert resolved(only(town)) == ("False", "Reopened")


def test_an_incident_deleted_while_its_signal_is_about_to_clear_stays_deleted(town):
    town.faulty = {"payment"}
    town.run(20)
    name = only(town).metadata.name
    town.api.items.clear()
    memory = town.seen["payment"].memory
    memory.state = type(memory.state)(signals={"k": ("old", "state")}, normal={"learned": 1})
    town.look("payment")
    assert town.api.items == {}
    assert memory.state.signals == {}  # it must be seen wrong anew, for its whole time
    assert memory.state.normal == {"learned": 1}
    town.sense("payment", True, town.clock.step(1))
    town.seen["payment"].first = town.clock.now()  # as its detector says after that
    town.run(20)
    assert only(town).metadata.name != name


def test_a_deleted_incident_is_not_taken_for_deleted_by_a_new_process(town):
    town.faulty = {"payment"}
    town.run(20)
    town.api.items.clear()
    town.restart()
    town.run(20)
    assert len(town.api.items) == 1


def test_where_it_may_have_begun_says_what_was_changed_and_a_rollout_only_if_there_was_one(town):
    """A changed ConfigMap was said to be a rollout, and a person looked for one."""
    noted = Noted(ChangeKind.CONFIG, Ref("ConfigMap", "shop", "conf"), town.clock.now(), "key mode changed")
    town.api.noted = [noted]
    fault(town, bad=20, well=0)
    assert [r for r in only(town).status.causes[0].reasons if " s before" in r] == [
        f"ConfigMap conf was changed {(began(town) - noted.time).total_seconds():.0f} s before"
    ]


def test_who_puts_a_config_map_right_minutes_later_is_what_healed_it(town):
    """The change that mended it was not told of: lesson, episode and draft said that it had gone by itself."""
    ref = Ref("ConfigMap", "shop", "conf")
    town.api.noted = [Noted(ChangeKind.CONFIG, ref, town.clock.now(), "key mode changed", "kubectl-patch")]
    town.faulty = {"payment"}
    town.run(300)
    town.api.noted.append(Noted(ChangeKind.CONFIG, ref, town.clock.now(), "key mode changed", "kubectl-edit"))
    town.run(5)
    town.faulty = set()
    town.run(60)
    over = only(town)
    assert resolved(over) == ("True", "ClearedAfterChange")
    (healed,) = (e for e in over.status.evidence if "kubectl-edit" in e.summary)
    assert f"({healed.id})" in find(over.status.conditions, "Resolved").message
    lesson = draft_lesson(over, [])
    assert lesson.text.endswith(f"[{healed.id}]")
    assert healed.id in lesson.cites
    assert episode_of(over, [], redact).ending is Ending.BY_PERSON
    assert draft(over, []).spec.cause == (
        "ConfigMap conf was changed, and again by hand before it cleared: key mode changed (by kubectl-patch)"
    )


def test_a_rollout_later_than_the_change_of_a_config_map_is_what_is_told(town):
    town.api.noted = [Noted(ChangeKind.CONFIG, Ref("ConfigMap", "shop", "conf"), at(1), "key mode changed")]
    revision = PresentRevision(target_uid="u", number="2", template_hash="h", since_time=town.clock.now())
    town.seen["payment"].memory.present = revision
    fault(town, bad=20, well=0)
    told = [r for r in only(town).status.causes[0].reasons if " s before" in r]
    assert told == [f"rolled out {(began(town) - revision.since_time).total_seconds():.0f} s before"]


def began(town):
    return min(s.first_fired_time for s in only(town).status.signals)
