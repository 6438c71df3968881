"""Courses of series, short enough for a picture: extremes and bands in a thousand buckets of time (pure)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hemostat.api.incident import SignalStatus
from hemostat.signals.detectors.base import LARGEST, WRONG, Verdicts
from hemostat.signals.metric import series_key
from hemostat.signals.rules import Rule, subject_of
from hemostat.telemetry.sample import Series

BUCKETS = 1000
MAX_TRACKS = 24
"""Series of one rule that are kept: the first, and others when they go wrong."""
FIRST = 2


def _nothing() -> NDArray[np.float64]:
    return np.full(BUCKETS, np.nan)


@dataclass(slots=True)
class Track:
    """One series over the whole time."""

    key: str
    subject: str
    unit: str
    lowest: NDArray[np.float64] = field(default_factory=_nothing)
    highest: NDArray[np.float64] = field(default_factory=_nothing)
    low: NDArray[np.float64] = field(default_factory=_nothing)
    """Lower end of what is usual or allowed; NaN where there is none."""
    high: NDArray[np.float64] = field(default_factory=_nothing)
    limit: float | None = None
    """The fixed number that it is compared with, or that a forecast extrapolates to."""

    def add(self, bucket: int, value: float, low: float, high: float) -> None:
        """Add a value with its band."""
        self.lowest[bucket] = np.fmin(self.lowest[bucket], _drawn(value))
        self.highest[bucket] = np.fmax(self.highest[bucket], _drawn(value))
        self.low[bucket], self.high[bucket] = _drawn(low), _drawn(high)


def _drawn(value: float) -> float:
    """Return a number whose differences are finite; NaN for what cannot be drawn."""
    return min(max(value, -LARGEST), LARGEST) if math.isfinite(value) else math.nan


class Tracks:
    """All courses that a picture may show."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = max(end, start + 1.0)
        self._of: dict[str, dict[str, Track]] = {}

    def __iter__(self) -> Iterator[Track]:
        return (track for tracks in self._of.values() for track in tracks.values())

    def add(self, rule: Rule, said: tuple[Sequence[Series], Verdicts], time: float) -> None:
        """Add one vector and the verdicts on it."""
        tracks = self._of.setdefault(rule.key, {})
        series, verdicts = said
        bucket = self._bucket(time)
        for at, one in enumerate(series):
            key = series_key(rule, one)
            track = tracks.get(key)
            if track is None:
                if len(tracks) >= (MAX_TRACKS if verdicts.wrong[at] == WRONG else FIRST):
                    continue
                track = tracks[key] = Track(key, subject_of(rule, dict(one.labels)), rule.unit)
                track.limit = float(rule.forecast.limit) if rule.forecast is not None else rule.bound
            track.add(bucket, one.value, float(verdicts.low[at]), float(verdicts.high[at]))

    def add_value(self, status: SignalStatus, time: float) -> None:
        """Add what a signal without series of its own said."""
        track = self._of.setdefault(status.key, {}).setdefault(
            status.key, Track(status.key, status.subject, status.unit)
        )
        high = float(status.threshold) if status.threshold is not None else math.inf
        track.add(self._bucket(time), float(status.value or 0), -math.inf, high)

    def _bucket(self, time: float) -> int:
        return max(0, min(BUCKETS - 1, int((time - self.start) / (self.end - self.start) * BUCKETS)))
