"""How bad it is for users, from data (pure). The description of `IncidentStatus.severity` says what the words mean."""

from collections.abc import Iterable, Mapping

from hemostat.api.incident import Severity, SignalSource, SignalState, SignalStatus
from hemostat.api.watch import SignalKind
from hemostat.signals.base import Observation
from hemostat.signals.workload import Aspect, WorkloadState

CRITICAL, MAJOR, MINOR = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR
ORDER = (MINOR, MAJOR, CRITICAL)
"""From mild to bad."""
MOST, SOME = 50.0, 10.0
"""Failing calls in percent: as many are nearly all, so many are part of the users."""
TIMES_WRONG = 3.0
"""Latency this many times as high as what is wrong already."""
SOON_SECONDS = 900.0
"""So little time is left that a person can hardly prevent it."""
BUDGET_FAST, BUDGET_SLOW = 50 * 3600.0, 120 * 3600.0
"""Time in which a whole error budget burns at the limit of the SRE workbook's first pair of windows (2 % in an hour),
and of its second (5 % in six hours)."""
WITH_REPLICAS = ("Deployment", "StatefulSet", "DaemonSet", "Node")
"""Kinds that serve with what is ready of them; Jobs do not."""


def grade(seen: Observation) -> Severity:
    """Return what one signal alone says, if it is wrong."""
    if seen.stated is not None:
        return seen.stated
    if seen.source is SignalSource.WORKLOAD:
        return MAJOR if seen.subject.startswith(f"{Aspect.JOB_FAILED} of ") else MINOR
    if seen.kind is SignalKind.ERROR_RATE:
        return _failing(seen)
    if seen.kind is SignalKind.LATENCY:
        far = seen.value is not None and seen.threshold and seen.value >= TIMES_WRONG * seen.threshold
        return MAJOR if far else MINOR
    if seen.kind is SignalKind.TRAFFIC:
        return MAJOR if seen.value == 0 else MINOR
    if seen.kind is SignalKind.EXHAUSTION:
        return MAJOR if seen.left_seconds is not None and seen.left_seconds <= SOON_SECONDS else MINOR
    return MINOR


def _failing(seen: Observation) -> Severity:
    if seen.left_seconds is not None:
        return CRITICAL if seen.left_seconds <= BUDGET_FAST else MAJOR if seen.left_seconds <= BUDGET_SLOW else MINOR
    return _of_share(seen.value) if seen.unit == "%" and seen.value is not None else MAJOR


def _of_share(percent: float) -> Severity:
    return CRITICAL if percent >= MOST else MAJOR if percent >= SOME else MINOR


def overall(signals: Iterable[SignalStatus], kind: str, state: WorkloadState | None) -> Severity | None:
    """Return how bad the trouble of a target is now; None while nothing fires.

    :param signals: all of its Watch, well or not, and those of others that suffer from it.
    :param kind: kind of the target.
    :param state: how many of its replicas are ready; None where nobody knows.
    """
    known = list(signals)
    firing = [s for s in known if s.state is SignalState.FIRING]
    if not firing:
        return None
    found = [s.severity for s in firing if not _traced(s)]
    found += [_of_share(percent) for percent in _failing_calls(known).values()]
    if state is not None and kind in WITH_REPLICAS:
        found.append(_of_replicas(state))
    return max(found, key=ORDER.index, default=MINOR)


def worst(one: Severity | None, other: Severity | None) -> Severity | None:
    """Return the worse of two, where there is any."""
    return max((s for s in (one, other) if s is not None), key=ORDER.index, default=None)


def worse(one: Severity, other: Severity) -> bool:
    """Tell whether the first is worse than the second."""
    return ORDER.index(one) > ORDER.index(other)


def _of_replicas(state: WorkloadState) -> Severity:
    if state.desired > 0 and state.ready == 0:
        return CRITICAL
    return MAJOR if 2 * state.ready <= state.desired and state.desired > 0 else MINOR


def _traced(signal: SignalStatus) -> bool:
    return signal.source is SignalSource.TRACES and signal.kind is SignalKind.ERROR_RATE


def _failing_calls(signals: Iterable[SignalStatus]) -> Mapping[str, float]:
    """Return, per Watch of which calls fail, the share of failures among the calls of all callers: one that fails alone
    is not all users.
    """
    calls: dict[str, int] = {}
    failures: dict[str, float] = {}
    fires: set[str] = set()
    for s in signals:
        if not _traced(s) or s.value is None or s.state is SignalState.NO_DATA:
            continue
        watch = s.watch_ref.name if s.watch_ref is not None else ""
        calls[watch] = calls.get(watch, 0) + s.samples
        failures[watch] = failures.get(watch, 0.0) + s.samples * float(s.value)
        fires |= {watch} if s.state is SignalState.FIRING else set()
    return {w: failures[w] / calls[w] for w in fires if calls[w]}
