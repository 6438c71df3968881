"""Severity means what its description says: what users notice, from data."""

import pytest
from tests.unit.builders import signal

from hemostat.api.incident import Severity, SignalSource, SignalState
from hemostat.api.meta import LocalRef
from hemostat.api.watch import SignalKind
from hemostat.signals.base import Observation
from hemostat.signals.severity import BUDGET_FAST, BUDGET_SLOW, SOON_SECONDS, grade, overall, worse, worst
from hemostat.signals.workload import WorkloadState

CRITICAL, MAJOR, MINOR = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR
PODS = {"kind": SignalKind.WORKLOAD, "source": SignalSource.WORKLOAD, "subject": "CrashLoopBackOff of payment"}


def seen(kind, source=SignalSource.PROMETHEUS, subject="it", **more):
    return Observation(key="k", name="n", kind=kind, source=source, subject=subject, wrong=True, **more)


@pytest.mark.parametrize(
    ("observation", "wanted"),
    [
        (seen(SignalKind.ERROR_RATE, unit="%", value=50.0), CRITICAL),
        (seen(SignalKind.ERROR_RATE, unit="%", value=49.0), MAJOR),
        (seen(SignalKind.ERROR_RATE, unit="%", value=9.0), MINOR),
        (seen(SignalKind.ERROR_RATE, unit="x", value=15.0, left_seconds=BUDGET_FAST), CRITICAL),
        (seen(SignalKind.ERROR_RATE, unit="x", value=6.0, left_seconds=BUDGET_SLOW), MAJOR),
        (seen(SignalKind.ERROR_RATE, unit="x", value=1.5, left_seconds=BUDGET_SLOW + 1), MINOR),
        (seen(SignalKind.LATENCY, value=299.0, threshold=100.0), MINOR),
        (seen(SignalKind.LATENCY, value=300.0, threshold=100.0), MAJOR),
        (seen(SignalKind.LATENCY, value=300.0), MINOR),
        (seen(SignalKind.EXHAUSTION, left_seconds=SOON_SECONDS), MAJOR),
        (seen(SignalKind.EXHAUSTION, left_seconds=SOON_SECONDS + 1), MINOR),
        (seen(SignalKind.EXHAUSTION, left_seconds=float("inf")), MINOR),
        (seen(SignalKind.TRAFFIC, value=0.0), MAJOR),
        (seen(SignalKind.TRAFFIC, value=2.0), MINOR),
        (seen(SignalKind.ALERT, stated=CRITICAL), CRITICAL),
        (seen(SignalKind.WORKLOAD, SignalSource.WORKLOAD, "JobFailed of nightly"), MAJOR),
        (seen(SignalKind.WORKLOAD, SignalSource.WORKLOAD, "AutoscalerAtMaximum of payment"), MINOR),
        (seen(SignalKind.OTHER, value=9.0, threshold=1.0), MINOR),
    ],
)
def test_what_one_signal_says(observation, wanted):
    assert grade(observation) is wanted


def replicas(ready, desired):
    return WorkloadState(desired, ready, desired, desired, complete=False, stuck=False)


@pytest.mark.parametrize(
    ("kind", "state", "wanted"),
    [
        ("Deployment", replicas(0, 3), CRITICAL),
        ("StatefulSet", replicas(1, 2), MAJOR),
        ("Deployment", replicas(2, 3), MINOR),
        ("Deployment", replicas(3, 3), MINOR),
        ("Deployment", replicas(0, 0), MINOR),
        ("Deployment", None, MINOR),
        ("Node", replicas(0, 1), CRITICAL),
        ("Job", replicas(0, 1), MINOR),
    ],
)
def test_a_crash_loop_is_as_bad_as_few_replicas_are_left(kind, state, wanted):
    assert overall([signal(**PODS)], kind, state) is wanted


def test_one_caller_that_fails_is_not_all_users():
    alone = signal("a", value="100", samples=100)
    well = signal("b", value="0", samples=900, state=SignalState.CLEAR)
    assert overall([alone], "Deployment", None) is CRITICAL
    assert overall([alone, well], "Deployment", None) is MAJOR


def test_who_suffers_counts_and_what_is_well_does_not():
    slow = signal("slow", kind=SignalKind.LATENCY, severity=MINOR)
    caller = signal("c", value="90", watch_ref=LocalRef(name="checkout"))
    over = signal("o", severity=CRITICAL, kind=SignalKind.ALERT, state=SignalState.CLEAR)
    assert overall([slow, over], "Deployment", None) is MINOR
    assert overall([slow, caller], "Deployment", None) is CRITICAL
    assert overall([over], "Deployment", replicas(0, 3)) is None  # nothing fires: nothing new is said


def test_the_worst_is_kept():
    assert (worst(MAJOR, None), worst(MINOR, MAJOR), worst(None, None)) == (MAJOR, MAJOR, None)
    assert worse(CRITICAL, MAJOR)
    assert not worse(MAJOR, MAJOR)
