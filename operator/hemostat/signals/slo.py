"""Service level objectives of a Watch: how fast the error budget burns (pure)."""

from collections.abc import Mapping

from hemostat.api.incident import SignalSource
from hemostat.api.watch import SignalKind, SloSignal
from hemostat.signals.base import Observation, Timing
from hemostat.signals.detectors.burnrate import HOUR, WINDOWS, judge
from hemostat.signals.metric import Vector
from hemostat.signals.words import duration

TIMING = Timing(for_seconds=0, clear_seconds=30)
"""The windows are the delay; the short ones end it."""
ASKED_PER_WINDOW = 60
"""A window is asked for when a 60th of it has passed: half an hour does not change in a second."""


def queries(signal: SloSignal) -> dict[str, float]:
    """Return the query of each window with the seconds between two askings."""
    return {query(signal, w): min(300.0, w / ASKED_PER_WINDOW) for w in WINDOWS}


def query(signal: SloSignal, window_seconds: int) -> str:
    """Return the query of one window."""
    return signal.error_ratio.replace("$window", f"{window_seconds}s")


def observe(name: str, signal: SloSignal, vectors: Mapping[str, Vector | None]) -> Observation:
    """Judge the objective. A vector of several series counts as its worst; none is no evidence."""
    shares: dict[int, float | None] = {}
    for window in WINDOWS:
        vector = vectors.get(query(signal, window))
        shares[window] = max((s.value for s in vector.series), default=None) if vector is not None else None
    burn = judge(float(signal.objective_percent), shares, signal.period_days)
    note = ""
    if burn.pair is not None and burn.rate is not None:
        windows = f"{duration(burn.pair.long_seconds)} and {duration(burn.pair.short_seconds)}"
        fast = f"{burn.rate:.3g} times too fast" if burn.rate > 1 else f"at {100 * burn.rate:.3g} % of what it allows"
        note = f"the error budget of {signal.period_days} d burns {fast} over {windows}"
        note += ", as far back as there are data" if burn.pair.long_seconds > HOUR else ""
        if burn.rate > 1 and burn.seconds_left is not None:
            note += f": a whole one is empty in {duration(burn.seconds_left)}"
    return Observation(
        key=f"{name}/slo",
        name=name,
        kind=SignalKind.ERROR_RATE,
        source=SignalSource.PROMETHEUS,
        subject=f"error budget {name}",
        wrong=burn.wrong,
        value=burn.rate,
        threshold=burn.limit,
        unit="x",
        samples=sum(share is not None for share in shares.values()),
        note=note,
        left_seconds=burn.seconds_left,
    )
