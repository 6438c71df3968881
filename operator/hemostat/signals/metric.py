"""A PromQL vector against a fixed bound (pure)."""

from collections.abc import Sequence

from hemostat.api.incident import SignalSource
from hemostat.api.watch import MetricSignal
from hemostat.signals.base import Observation, Timing
from hemostat.telemetry.sample import Series


def timing(signal: MetricSignal) -> Timing:
    """Return how long the signal must be wrong or right."""
    return Timing(signal.for_seconds, signal.clear_seconds)


def judge(name: str, signal: MetricSignal, vector: Sequence[Series] | None) -> Observation:
    """Compare the worst series with the bound. An empty vector, or None for a failed query, is no evidence."""
    bound = float(signal.above if signal.above is not None else signal.below or "0")
    worst = None
    if vector:
        values = [series.value for series in vector]
        worst = max(values) if signal.above is not None else min(values)
    wrong = None if worst is None else (worst > bound if signal.above is not None else worst < bound)
    return Observation(
        key=f"{name}/metric",
        name=name,
        kind=signal.kind,
        source=SignalSource.PROMETHEUS,
        subject=name,
        wrong=wrong,
        value=worst,
        threshold=bound,
        samples=len(vector or ()),
    )
