"""Incoming calls of the target, edge by edge: share of failures and the 95th percentile (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.incident import SignalSource
from hemostat.api.watch import SignalKind, TraceSignal
from hemostat.signals.base import Observation, Timing
from hemostat.signals.words import amount, counted
from hemostat.telemetry.graph import CallStats, EdgeStats

WARM_UP_LOOKS = 10
"""Looks before a learned latency is trusted."""
_WEIGHT = 0.01
"""Weight of a new look in what was learned (exponential averages over eight minutes of looks): at five times that what
grew by 4 % a look was followed closely enough never to exceed 300 %."""
_SPREADS = 6.0
"""A latency is wrong from so many mean deviations on (five standard deviations), if that is more than the share of
the baseline: what swings widely by itself, as on a starved machine, is not slow because it swings."""
MAX_FACTOR = 10.0
"""Swinging raises the limit to so many times the learned latency at most: more is slow, however it came about."""
MAX_SPREAD = math.log(MAX_FACTOR) / _SPREADS
"""The mean deviation that does so."""
_ENOUGH_CALLS = 40
"""The 95th percentile of fewer calls is one or two of them: they must be slower in proportion to its error."""


@dataclass(frozen=True, slots=True)
class Normal:
    """What is normal for one edge: learned from looks that were not wrong."""

    log_seconds: float
    looks: int
    observed_time: datetime
    spread: float = 0.0
    """Mean deviation of the logarithm: twice the mean of what lies below it, for what becomes slower does not swing."""


_CLEAR_SECONDS = 8.0
_LATENCY = Timing(for_seconds=4, clear_seconds=_CLEAR_SECONDS)
_FAILURES = Timing(for_seconds=2, clear_seconds=_CLEAR_SECONDS)
"""The window itself already smooths; these only keep a single look from deciding. They hold for what chance does not
explain and what still goes on: a second's stall stays in the window long after it has passed."""
_PERHAPS_CHANCE = Timing(for_seconds=60, clear_seconds=_CLEAR_SECONDS)
_Z = 2.33
"""Standard normal quantile of 99 %, one-sided."""


def timing(observation: Observation) -> Timing:
    """Return how long this must be wrong or right."""
    if not observation.sure:
        return _PERHAPS_CHANCE
    return _LATENCY if observation.kind is SignalKind.LATENCY else _FAILURES


def judge(
    name: str, signal: TraceSignal, edges: Sequence[EdgeStats], normal: dict[str, Normal], now: datetime
) -> tuple[list[Observation], dict[str, Normal]]:
    """Return the observations of every edge and what is normal from now on.

    `normal` maps the key of a latency observation to what was learned. Nothing is learned from a window with a
    wrong latency or failing calls, so a fault does not become normal.
    """
    observations: list[Observation] = []
    learned = dict(normal)
    for edge in edges:
        failures = _failures(name, signal, edge)
        latency = _latency(name, signal, edge, normal)
        observations += [failures, latency]
        if edge.calls >= signal.min_requests and not failures.wrong and not latency.wrong:
            learned[latency.key] = _learn(normal.get(latency.key), edge.p95_seconds, now)
    return observations, learned


def _failures(name: str, signal: TraceSignal, edge: EdgeStats) -> Observation:
    enough = edge.calls >= signal.min_requests
    share, recent = _percent(edge.failures, edge.calls), edge.recent
    lasts = recent is None or _percent(recent.failures, recent.calls) > signal.error_percent_above
    return Observation(
        key=f"{name}/errors/{edge.caller}->{edge.callee}",
        name=name,
        kind=SignalKind.ERROR_RATE,
        source=SignalSource.TRACES,
        subject=f"{edge.caller} -> {edge.callee}",
        wrong=share > signal.error_percent_above if enough else None,
        value=share,
        threshold=float(signal.error_percent_above),
        unit="%",
        samples=edge.calls,
        note=_said(edge, f"{amount(share, '%')} of", "fail"),
        traces=tuple(edge.failed_traces),
        sure=lasts and 100 * _at_least(edge.failures, edge.calls) > signal.error_percent_above,
    )


def _said(edge: EdgeStats, before: str, after: str) -> str:
    calls = f"{edge.caller} -> {edge.callee}"
    return f"{before} {counted(edge.calls, 'call')} {calls} {after}" if edge.calls else f"no calls {calls}"


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _at_least(failures: int, calls: int) -> float:
    """Return the share of failures that is exceeded with 99 % confidence (Wilson, JASA 1927): one of ten is chance."""
    if not calls:
        return 0.0
    share, square = failures / calls, _Z * _Z / calls
    return (share + square / 2 - math.sqrt(square * (share * (1 - share) + square / 4))) / (1 + square)


def _latency(name: str, signal: TraceSignal, edge: EdgeStats, normal: dict[str, Normal]) -> Observation:
    key = f"{name}/latency/{edge.caller}->{edge.callee}"
    known = normal.get(key)
    bound, lasts = None, True
    if known is not None and known.looks >= WARM_UP_LOOKS:
        bound = _bound(signal, edge.calls, known)
        lasts = edge.recent is None or _slow(signal, edge.recent, known)
    enough = edge.calls >= signal.min_requests
    p95 = edge.p95_seconds * 1000
    usual = f", limit {amount(bound, 'ms')}" if bound is not None else ""
    return Observation(
        key=key,
        name=name,
        kind=SignalKind.LATENCY,
        source=SignalSource.TRACES,
        subject=f"{edge.caller} -> {edge.callee}",
        wrong=(p95 > bound if bound is not None else False) if enough else None,
        value=p95,
        threshold=bound,
        unit="ms",
        samples=edge.calls,
        note=_said(edge, "95th percentile of", f"is {amount(p95, 'ms')}{usual}"),
        sure=lasts,
    )


def _slow(signal: TraceSignal, calls: CallStats, known: Normal) -> bool:
    """Tell whether these few calls are slow: half of them, or the slowest by as much as chance does not explain."""
    most, half = 1000 * calls.p95_seconds, 1000 * calls.p50_seconds
    return most > _bound(signal, calls.calls, known) or half > _bound(signal, _ENOUGH_CALLS, known)


def _bound(signal: TraceSignal, calls: int, known: Normal) -> float:
    """Return the 95th percentile of so many calls, in milliseconds, that is wrong."""
    factor = max(signal.latency_percent_of_baseline / 100, math.exp(_SPREADS * min(known.spread, MAX_SPREAD)))
    seconds = math.exp(known.log_seconds) * factor * math.sqrt(max(1.0, _ENOUGH_CALLS / max(calls, 1)))
    return max(signal.latency_floor_milliseconds, 1000 * seconds)


def _learn(old: Normal | None, p95: float, now: datetime) -> Normal:
    log = math.log(max(p95, 1e-5))
    if old is None:
        return Normal(log, 1, now)
    weight = max(_WEIGHT, 1 / (old.looks + 1))
    change = log - old.log_seconds
    spread = old.spread + weight * (2 * max(0.0, -change) - old.spread)
    return Normal(old.log_seconds + weight * change, old.looks + 1, now, min(spread, MAX_SPREAD))


def fresh(normal: Normal, now: datetime) -> bool:
    """Tell whether what was learned is recent enough to be used after a restart (a day)."""
    return now - normal.observed_time < timedelta(days=1)
