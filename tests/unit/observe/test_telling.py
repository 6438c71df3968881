"""What an Incident says about others."""

import pytest
from tests.unit.builders import at, condition, incident, signal

from hemostat.api.incident import PART_OF, Cause, SignalSource, SignalState, Storm
from hemostat.api.meta import LocalRef, TargetRef, find
from hemostat.api.watch import SignalKind
from hemostat.diagnosis.evidence import Facts
from hemostat.observe.telling import described, grouped, reopened
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import WorkloadState

SEEN = (Cause(service="payment", score_percent=80, reasons=("errors 60%",)),)


def test_the_ranking_says_what_was_seen_and_not_how_it_clears():
    status = grouped(incident().status, Word(causes=SEEN), firing=True, now=at(0))
    assert status.causes == SEEN
    clearing = (Cause(service="payment", score_percent=80, reasons=("errors 0%",)),)
    assert grouped(status, Word(causes=clearing), firing=True, now=at(9)).causes == SEEN
    assert grouped(status, Word(causes=()), firing=True, now=at(9)).causes == SEEN


def test_the_ranking_is_told_anew_when_more_points_at_somebody():
    status = grouped(incident().status, Word(causes=SEEN), firing=True, now=at(0))
    more = (Cause(service="db", score_percent=90, reasons=("down",)), *SEEN)
    assert grouped(status, Word(causes=more), firing=True, now=at(9)).causes == more
    assert grouped(status, Word(causes=more), firing=False, now=at(9)).causes == SEEN


def test_saying_the_same_again_changes_nothing():
    word = Word(causes=SEEN, part_of="db-1", storm=Storm(targets=3, signals=9))
    once = grouped(incident().status, word, firing=True, now=at(0))
    assert grouped(once, word, firing=True, now=at(9)) == once
    assert [e.id for e in once.timeline] == ["observe/storm/2", "observe/part-of/db-1"]


@pytest.mark.parametrize("after", ["", "other-1"])
def test_what_it_is_part_of_can_change(after):
    first = grouped(incident().status, Word(part_of="db-1"), firing=True, now=at(0))
    then = grouped(first, Word(part_of=after), firing=True, now=at(9))
    assert (then.part_of.name if then.part_of else "") == after
    assert find(then.conditions, PART_OF).status == ("True" if after else "False")


def test_reopened_even_if_the_other_process_has_a_clock_that_runs_ahead():
    over = incident(signals=(signal(),), conditions=(condition("Resolved", True, when=100), condition(PART_OF)))
    fires = signal(first_fired_time=at(50))
    status = reopened(over, Look(WatchState(), (fires,), {}, 0), at(50))
    assert status.reopened.time > at(100)
    assert status.signals[0].first_fired_time == at(50)  # this time, not the first time
    assert find(status.conditions, PART_OF) is None
    assert find(status.conditions, "Diagnosed").reason == "Reopened"


def test_a_rollout_that_mends_it_does_not_take_the_reason_away():
    """`rolled out 30 s before` is what a post-mortem looks for; the next rollout is younger than the trouble."""
    status = grouped(incident().status, Word(causes=SEEN), firing=True, now=at(0))
    fewer = tuple(c.model_copy(update={"reasons": c.reasons[:-1]}) for c in SEEN)
    assert grouped(status, Word(causes=fewer), firing=True, now=at(9)).causes == SEEN


def seen_by(found, when, *signals, ready=3):
    """One look at an Incident; the facts of three replicas."""
    state = WorkloadState(3, ready, 3, 3, complete=False, stuck=False)
    facts = Facts({"kind": "Deployment", "name": "payment"}, signals, (), state, ())
    status = described(found, found.status, facts, signals, Look(WatchState(), signals, {}, 0), at(when))
    return found.model_copy(update={"status": status})


def messages(found):
    return [e.message for e in found.status.timeline]


POD = {"kind": SignalKind.WORKLOAD, "source": SignalSource.WORKLOAD, "subject": "CrashLoopBackOff of payment"}


def test_the_timeline_says_what_is_wrong_in_words():
    found = seen_by(incident(), 1, signal(**POD, message="CrashLoopBackOff: exit code 1 (payment-a)"))
    assert "fires: CrashLoopBackOff: exit code 1 (payment-a)" in messages(found)


def test_severity_is_the_worst_since_it_was_opened_and_each_step_is_told_once():
    found = incident()
    for when, ready in ((1, 2), (2, 0), (3, 1), (4, 0)):
        found = seen_by(found, when, signal(**POD), ready=ready)
    assert found.status.severity == "Critical"
    told = [m for m in messages(found) if m.startswith("severity")]
    assert told == ["severity Minor: 2 of 3 replicas ready", "severity Critical: 0 of 3 replicas ready"]
    assert reopened(found, Look(WatchState(), (signal(**POD),), {}, 0), at(9)).severity is None


def test_severity_of_what_hurts_though_all_pods_are_there_says_what_hurts():
    """Of agents that go round it said "1 of 1 replicas ready"."""
    loop = signal("talks/Cycle", message="a, b go round", severity="Major", kind=SignalKind.CYCLE, subject="a -> b")
    told = [m for m in messages(seen_by(incident(), 1, signal(**POD), loop, ready=3)) if m.startswith("severity")]
    assert told == ["severity Major: a -> b: a, b go round"]


def test_severity_for_the_sake_of_others_says_what_they_suffer():
    """Its own signals had cleared, and it said "2 of 2 replicas ready" of what was Major."""
    suffers = signal("theirs", severity="Major", watch_ref=LocalRef(name="web"), message="web is slow")
    told = [m for m in messages(seen_by(incident(), 1, suffers, ready=3)) if m.startswith("severity")]
    assert told == ["severity Major: checkout -> payment: web is slow"]


def test_waiting_for_data_is_told_once_and_not_while_anything_fires():
    mute = signal("a", state=SignalState.NO_DATA)
    found = seen_by(incident(), 100, mute, signal("b"))
    assert not [m for m in messages(found) if "no calls" in m]
    for when in (101, 102, 500):
        found = seen_by(found, when, mute)
    assert [m.partition(";")[0] for m in messages(found) if "no calls" in m] == [
        "no calls of checkout -> payment since 11:59:40Z"
    ]


def test_the_summary_is_what_is_wrong_now_or_was_last():
    calls = signal("calls", message="60% of 49 calls checkout -> payment fail")
    pods = signal("pods", **POD, message="CrashLoopBackOff: exit code 1 (payment-a)")
    found, said = incident(), []
    for when, signals in ((1, (calls,)), (7, (calls, pods)), (9, ())):
        found = seen_by(found, when, *signals)
        said.append(found.status.summary)
    assert said == [calls.message, f"{pods.message} (+1 signal)", f"{pods.message} (+1 signal)"]


def test_only_what_fires_is_told_as_firing_and_is_evidence():
    """Signals that are well are shown beside a silent one; they never were in trouble."""
    well = signal("well", subject="frontend -> payment", state=SignalState.CLEAR, message="0% of 90 calls fail")
    found = seen_by(incident(), 1, signal("bad"), well, signal("mute", state=SignalState.NO_DATA))
    assert [m for m in messages(found) if m.startswith("fires")] == ["fires: checkout -> payment is 40%, limit 5%"]
    assert [e.key for e in found.status.evidence if e.kind == "Signal"] == ["signal/bad"]


def test_another_target_suffers_and_the_own_one_does_not_suffer_under_itself():
    """Two Watches may look at one target."""
    other = signal("x:k", watch_ref=LocalRef(name="x"), target_ref=TargetRef(kind="Deployment", name="checkout"))
    same = signal("y:k", watch_ref=LocalRef(name="y"), target_ref=TargetRef(kind="Deployment", name="payment"))
    found = seen_by(incident(), 1, signal(), same, other)
    assert [m.partition(":")[0] for m in messages(found) if "suffers" in m] == ["Deployment checkout suffers"]


def test_who_calls_the_target_is_told_once_a_minute_unless_it_changes():
    """It is believed for five minutes, and a status that is written at every look costs a request each."""
    status = grouped(incident().status, Word(callers=("web", "app")), firing=True, now=at(0))
    assert (status.callers.total, status.callers.names) == (2, ("web", "app"))
    assert grouped(status, Word(callers=("web", "app")), firing=True, now=at(59)) == status
    assert grouped(status, Word(callers=("web", "app")), firing=True, now=at(60)).callers.observed_time == at(60)
    assert grouped(status, Word(callers=("web",)), firing=True, now=at(1)).callers.total == 1
    assert grouped(status, Word(), firing=True, now=at(900)).callers == status.callers, "it grows old, and says so"


def test_more_callers_than_can_be_named_are_counted():
    many = tuple(f"{'s' * 300}{n}" for n in range(100))
    told = grouped(incident().status, Word(callers=many), firing=True, now=at(0)).callers
    assert (told.total, told.names) == (100, ("s" * 256,))
