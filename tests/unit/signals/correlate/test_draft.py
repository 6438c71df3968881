"""Signals that fire become one Incident per trouble."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import NAMESPACE, TARGET, at, condition, incident, signal, watch

from hemostat.api.incident import SignalSource, SignalState
from hemostat.api.watch import SignalKind
from hemostat.signals.correlate import MAX_OWN, draft, fingerprint, merge, open_incident, summary

PODS = {"kind": SignalKind.WORKLOAD, "source": SignalSource.WORKLOAD}
QUOTA = PODS | {"kind": SignalKind.EXHAUSTION}
CRASH = PODS | {"subject": "CrashLoopBackOff of payment"}
GONE = "payment-a: gone"
FIRING, CLEAR, NO_DATA = SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA


def test_the_same_first_signal_yields_the_same_incident():
    first = signal("m", first_fired_time=at(0))
    others = [signal("a", first_fired_time=at(1)), signal("c", first_fired_time=at(2), value="99")]
    alone = draft(watch(), TARGET, [first])
    for count in range(3):
        shuffled = [first, *others[:count]]
        random.Random(count).shuffle(shuffled)
        assert draft(watch(), TARGET, shuffled).name == alone.name
    assert alone.spec.opened_time == at(0)


def test_another_beginning_or_target_is_another_incident():
    names = {
        draft(watch(), TARGET, [signal(first_fired_time=at(0))]).name,
        draft(watch(), TARGET, [signal(first_fired_time=at(0.001))]).name,
        draft(watch(), TARGET.model_copy(update={"uid": "uid-other"}), [signal(first_fired_time=at(0))]).name,
    }
    assert len(names) == 3
    assert all(name.startswith("payment-") for name in names)


def test_the_fingerprint_is_the_target():
    found = fingerprint(NAMESPACE, TARGET)
    assert found == fingerprint(NAMESPACE, TARGET)
    assert len(found) == 16
    for other in ({"uid": "x"}, {"name": "x"}, {"kind": "X"}, {"api_version": "x/v1"}):
        assert fingerprint(NAMESPACE, TARGET.model_copy(update=other)) != found
    assert fingerprint("elsewhere", TARGET) != found


@pytest.mark.parametrize(
    "firing",
    [
        [signal("a", severity="Critical"), signal("told", severity="Minor", message=GONE, subject="x", **PODS)],
        [signal("a", subject="AutoscalerAtMaximum of payment", **PODS), signal("told", severity="Major", message=GONE)],
        [
            signal("a", subject="QuotaNearlyUsed of payment", **QUOTA),
            signal("told", message=GONE, first_fired_time=at(60), **CRASH),
        ],
        [
            signal("a", subject="QuotaExhausted of payment", **PODS),
            signal("told", message=GONE, first_fired_time=at(60), **CRASH),
        ],
        [
            signal("a", subject="QuotaNearlyUsed of payment", **QUOTA),
            signal("told", message=GONE, first_fired_time=at(60), subject="QuotaExhausted of payment", **PODS),
        ],
        [signal("a", severity="Minor"), signal("told", message=GONE, severity="Major")],
        [signal("a", kind=SignalKind.LATENCY), signal("told", message=GONE)],
        [signal("a", first_fired_time=at(1)), signal("told", message=GONE, first_fired_time=at(0))],
    ],
)
def test_the_summary_says_why_pods_fail_then_the_worst_then_what_users_notice(firing):
    assert GONE in summary(firing)
    assert summary(firing[::-1]) == summary(firing)
    assert draft(watch(), TARGET, firing).spec.title == summary(firing)


def test_only_an_unresolved_incident_of_the_fingerprint_is_open():
    resolved = incident("old", conditions=(condition("Resolved", True),))
    unresolved = incident("new", conditions=(condition("Resolved", False),))
    assert open_incident([resolved, unresolved], "0" * 16) == unresolved
    assert open_incident([resolved], "0" * 16) is None
    assert open_incident([unresolved], "1" * 16) is None


def test_merging_keeps_what_is_shown_updates_it_and_adds_what_fires():
    shown = [signal("a"), signal("b")]
    seen = [signal("b", state=CLEAR), signal("c"), signal("d", state=CLEAR), signal("e", state=NO_DATA)]
    assert [(s.key, s.state) for s in merge(shown, seen)] == [("a", FIRING), ("b", CLEAR), ("c", FIRING)]


KEYS = st.integers(0, 60).map(lambda i: f"k{i}")
SIGNALS = st.lists(st.tuples(KEYS, st.sampled_from(SignalState)), max_size=60, unique_by=lambda pair: pair[0])


@given(st.lists(SIGNALS, max_size=4))
def test_merging_is_bounded_stable_and_never_lists_a_signal_twice(rounds):
    shown = ()
    for seen in rounds:
        before = [s.key for s in shown]
        shown = merge(shown, [signal(k, state=state) for k, state in seen])
        keys = [s.key for s in shown]
        assert keys[: len(before)] == before
        assert len(set(keys)) == len(keys) <= MAX_OWN
        assert merge(shown, []) == shown


def test_made_up_edges_leave_room_for_what_others_say():
    shown = merge((), [signal(f"t{i}") for i in range(60)])
    pods = signal("pods").model_copy(update={"source": SignalSource.WORKLOAD})
    assert [s.key for s in merge(shown, [pods])][-1] == "pods"
