"""`Forecast`: when a series, going on as it does, reaches its limit."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.compiled import compiled, part
from hemostat.signals.detectors import forecast_trust
from hemostat.signals.detectors.base import RIGHT, WRONG, Floats, Rows, Verdicts, nothing_said
from hemostat.signals.detectors.blocks import CLOSED, FIELDS, OLD, RING, add, median

MIN_BLOCKS = 24
"""Blocks before a trend is judged."""
MIN_PAIRS = 10
"""Slopes before their median has a useful interval."""
DEVIATIONS = 3.3
"""Half-width of the interval of the slope in standard deviations of the sign test: 99.9 %."""
_begin = forecast_trust.begin
_reached = forecast_trust.reached
_believed = forecast_trust.believed
_let_go = forecast_trust.let_go
_STATE = np.dtype(
    [
        *FIELDS,
        ("slope", "f8"),
        ("cautious", "f8"),
        ("level", "f8"),
        ("at", "f8"),
        ("noise", "f8"),
        ("known", "i1"),
        *forecast_trust.FIELDS,
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Outlook(Verdicts):
    """Verdicts with the time that is left; arrays in the order of the instant vector."""

    seconds_left: Floats
    """Until the limit at the median slope; infinite when it moves away, 0 when it is reached, NaN when unknown."""
    seconds_left_at_most: Floats
    """The same at the slowest slope that the noise leaves likely (99.9 %); infinite when it may be no trend at all, or
    rises like this one turned before the limit."""
    per_second: Floats
    """The median slope."""


class Forecast:
    """A bank that extrapolates the median slope of the last `history_seconds`.

    The slope is the median of the slopes between points half the history apart (Theil 1950), which no quarter of
    outliers moves; the order statistics of the same slopes and the noise about the line give its interval. Wrong is a
    series that reaches its limit in time even at the slow end of that interval: noise has no trend, so it cries no
    wolf. A forecast that was refuted (memory that was collected, a log that was rotated) makes the next one be believed
    only from where the series went further than before (forecast_trust.py).

    :param capacity: rows.
    :param limit: value at which a series is exhausted; it comes from the side on which it was first seen. Beyond it is
        exhausted, except at first sight: then it is so once it was on the side of zero (for a limit of 0: above).
    :param within_seconds: less time left is wrong.
    :param history_seconds: how far the trend looks back.
    """

    bytes_per_series = _STATE.itemsize

    def __init__(
        self, capacity: int, limit: float, within_seconds: float = 14400.0, history_seconds: float = 3600.0
    ) -> None:
        self._limit = limit
        self._within = within_seconds
        self._block_seconds = history_seconds / RING
        self._state: NDArray[np.void] = np.zeros(capacity, _STATE)

    def step(self, rows: Rows, values: Floats, now: float) -> Outlook:
        """Take in one instant vector and say how much time is left; see `Unusual.step`. The band is the trend's."""
        wrong, out = nothing_said(len(rows), 7)
        _step(self._state, rows, values, now, self._block_seconds, self._limit, self._within, wrong, out)
        score, expected, low, high, left, at_most, slope = out
        return Outlook(wrong, score, expected, low, high, left, at_most, slope)

    def forget(self, rows: Rows) -> None:
        """Make these rows new, before they are given to other series."""
        self._state[rows] = np.zeros(1, _STATE)


@compiled
def _step(
    state: NDArray[np.void],
    rows: Rows,
    values: Floats,
    now: float,
    block_seconds: float,
    limit: float,
    within: float,
    wrong: NDArray[np.int8],
    out: Floats,
) -> None:
    for position in range(len(rows)):
        row = rows[position]
        if row < 0 or row >= len(state):
            continue
        series = state[row]
        said = add(series, values[position], now, block_seconds)
        if said == OLD:
            continue
        if series.filled == 0:
            series.known = 0
            _begin(series)
        if said == CLOSED:
            _fit(series, block_seconds)
            _let_go(series, now, RING * block_seconds)
        if series.known != 0:
            _judge(series, values[position], now, RING * block_seconds, limit, within, position, wrong, out)


@part
def _fit(series: Any, block_seconds: float) -> None:
    """Find slope, its end nearer to 0, and level (at the end of the last block) of what is remembered."""
    series.known = 0
    size = series.filled
    if size < MIN_BLOCKS:
        return
    lag = size // 2
    slopes = np.empty(RING)
    pairs = 0
    for back in range(1, size - lag + 1):
        late = series.ring[(series.block - back) % RING]
        early = series.ring[(series.block - back - lag) % RING]
        if not (math.isnan(late) or math.isnan(early)):
            slopes[pairs] = (late - early) / (lag * block_seconds)
            pairs += 1
    if pairs < MIN_PAIRS:
        return
    ordered = np.sort(slopes[:pairs])
    slope = median(ordered)
    rank = max(0, int(pairs / 2.0 - DEVIATIONS * math.sqrt(pairs) / 2.0))
    cautious = ordered[rank] if slope > 0.0 else ordered[pairs - 1 - rank]
    rests = np.empty(RING)
    count = 0
    for back in range(1, size + 1):
        mean = series.ring[(series.block - back) % RING]
        if not math.isnan(mean):
            rests[count] = mean + slope * (back - 0.5) * block_seconds
            count += 1
    level = median(rests[:count])
    noise = 1.4826 * median(np.abs(rests[:count] - level))
    doubt = noise / (
        lag * block_seconds
    )  # a sawtooth or a walk has the same slope in many pairs, but never a clean line
    series.slope = slope
    series.cautious = max(0.0, cautious - doubt) if slope > 0.0 else min(0.0, cautious + doubt)
    series.level = level + series.origin
    series.noise = noise
    series.at = series.block * block_seconds
    series.known = 1


@part
def _judge(
    series: Any,
    value: float,
    now: float,
    history: float,
    limit: float,
    within: float,
    position: int,
    wrong: NDArray[np.int8],
    out: Floats,
) -> None:
    """Extrapolate from now."""
    expected = series.level + series.slope * (now - series.at)
    left = 0.0
    at_most = 0.0
    if not _reached(series, value, limit, now, history):
        room = limit - expected
        if room * series.side <= 0.0:  # the trend ran ahead
            room = limit - value
        left = room / series.slope if room * series.slope > 0.0 else np.inf
        at_most = room / series.cautious if room * series.cautious > 0.0 else np.inf
        level = min(value * series.side, expected * series.side)
        if not _believed(series, level, limit * series.side, left, at_most, within, history):
            at_most = np.inf
        if at_most < within:
            series.told = now
    wrong[position] = WRONG if at_most < within else RIGHT
    out[0, position] = 1.0 / (1.0 + at_most / within)
    out[1, position] = expected
    out[2, position] = expected - 3.0 * series.noise
    out[3, position] = expected + 3.0 * series.noise
    out[4, position] = left
    out[5, position] = at_most
    out[6, position] = series.slope
