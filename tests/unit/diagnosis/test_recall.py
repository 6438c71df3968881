"""What a stored Incident still tells must be what the matcher saw, and what it does not tell must be said."""

from datetime import timedelta

import pytest
from tests.unit.builders import T0, at, incident, signal

from hemostat.api.incident import Advice
from hemostat.diagnosis.alike import Wrong
from hemostat.diagnosis.evidence import Change, Facts, number
from hemostat.diagnosis.recall import recall
from hemostat.signals.workload import WorkloadState

DOWN = WorkloadState(desired=3, ready=1, updated=3, total=3, complete=False, stuck=False)
WELL = WorkloadState(desired=2, ready=2, updated=2, total=2, complete=True, stuck=False)
ROLLOUT = Change("Rollout", "revision 2", at(-60.5), 60.5, "env FAIL added")
CONFIG = Change("ConfigMap", "ConfigMap payment", at(-90), 90.0, "data.limit: 10 -> 1 (by kubectl)")
LATER = Change("Scale", "Deployment payment", at(20), -20.0, "replicas 2 -> 3")
CALLEE = Change("ConfigMap", "ConfigMap ledger", at(-5), 5.0, "data.url changed")
OOM = "payment-x: OOMKilled: container app was killed"
PULL = "payment-y: ErrImagePull: no such image"
KILLED = signal(
    "pods/OOMKilled/payment", name="pods", kind="Workload", source="Workload", subject="OOMKilled of payment"
)


def seen(*signals, changes=(), callees=(), workload=DOWN, troubles=(), aspects=()):
    target, wrong = {"kind": "Deployment", "name": "payment"}, tuple(Wrong(t, t.split(":")[0], t) for t in troubles)
    return Facts(target, signals, changes, workload, troubles, aspects, callees, wrong)


def stored(facts, signals=None, extra=()):
    """Return the Incident that these facts became."""
    listed = [e.wire() for e in number((), facts, {}, T0)] + list(extra)
    return incident(signals=facts.signals if signals is None else signals, evidence=listed)


def test_signals_changes_and_troubles_come_back_as_they_were():
    facts = seen(
        signal(), KILLED, changes=(ROLLOUT, CONFIG, LATER), callees=(CALLEE,), troubles=(OOM,), aspects=("OOMKilled",)
    )
    again = recall(stored(facts))
    before, after = facts.cel(), again.cel()
    for name in ("target", "signals", "changes", "calleeChanges"):
        assert after[name] == before[name]
    for field in ("desired", "ready", "complete", "troubles", "aspects"):
        assert after["workload"][field] == before["workload"][field]


def test_a_signal_that_is_over_fires_as_its_evidence_says_and_that_is_told():
    over = signal(state="Clear", value="0")
    again = recall(stored(seen(signal()), signals=(over, signal("calls/p95/a->b", kind="Latency", state="Clear"))))
    assert [(s.kind, s.state) for s in again.facts.signals] == [("ErrorRate", "Firing"), ("Latency", "Clear")]
    assert any("Clear by now, taken as Firing, as E1 says" in line for line in again.lossy)


def test_a_loop_that_may_be_cut_is_still_one_that_may():
    talk = {"kind": "Cycle", "confidencePercent": 90, "visibility": "Full", "advice": "Cut"}
    loop = signal("talk/Cycle/a->b", kind="Cycle", conversation=talk)
    over = loop.model_copy(update={"conversation": loop.conversation.model_copy(update={"advice": Advice.NOTIFY})})
    assert recall(stored(seen(loop), signals=(over,))).cel()["signals"][0]["advice"] == "Cut"


def test_symptoms_of_other_targets_are_not_the_targets_own():
    other = signal("ledger/x", watch_ref={"name": "ledger"})
    assert recall(stored(seen(signal()), signals=(signal(), other))).facts.signals == (signal(),)


@pytest.mark.parametrize(
    ("workload", "known"),
    [
        (DOWN, {"desired": 3, "ready": 1, "complete": False}),
        (WELL, {"desired": 2, "ready": 2}),
        (WorkloadState(2, 3, 3, 3, complete=False, stuck=False), {"desired": 2, "ready": 3}),
        (None, {}),
    ],
)
def test_what_is_not_stored_of_the_workload_is_not_guessed(workload, known):
    again = recall(stored(seen(signal(), workload=workload)))
    assert again.cel()["workload"] == known | {"troubles": [], "aspects": []}
    unknown = {"desired", "ready", "complete", "stuck"} - set(known)
    assert again.unknown == {f"workload.{field}" for field in unknown}
    assert any(all(f"workload.{field}" in line for field in unknown) for line in again.lossy)


def test_a_stuck_rollout_is_told_by_its_aspect():
    trouble = "payment: RolloutStuck: 1 of 3 pods"
    assert recall(stored(seen(troubles=(trouble,)))).cel()["workload"]["stuck"] is True


def test_the_api_servers_own_word_hides_the_aspect_unless_a_signal_names_it():
    assert recall(stored(seen(troubles=(PULL,), aspects=("ImagePullBackOff",)))).facts.aspects == ()
    pull = signal("pods/ImagePullBackOff/payment", kind="Workload", source="Workload")
    assert recall(stored(seen(pull, troubles=(PULL,)))).facts.aspects == ("ImagePullBackOff",)


def test_changes_that_cannot_be_read_make_all_of_them_unknown():
    strange = {"id": "E9", "key": "change/x", "kind": "Change", "subject": "s", "summary": "?", "observedTime": at(0)}
    again = recall(stored(seen(changes=(ROLLOUT,)), extra=[strange]))
    assert "changes" not in again.cel()
    assert "calleeChanges" not in again.cel()
    assert any(line.startswith("E9: ") for line in again.lossy)


def test_full_evidence_is_told():
    many = tuple(Change("ConfigMap", f"ConfigMap c{i}", at(-i), float(i), "x") for i in range(1, 71))
    assert any("evidence has 32 changes" in line for line in recall(stored(seen(changes=many))).lossy)
    crowd = tuple(f"p{i}: OOMKilled" for i in range(70))
    assert any("evidence is full" in line for line in recall(stored(seen(troubles=crowd))).lossy)


def test_after_a_reopening_ages_count_from_then():
    """As `observe` counts them: what was changed between is a change before."""
    status = {"count": 1, "time": (T0 + timedelta(seconds=100)).isoformat()}
    found = incident(evidence=[e.wire() for e in number((), seen(changes=(LATER,)), {}, T0)], reopened=status)
    assert recall(found).facts.changes[0].age_seconds == 80.0
