"""The compiled loop of `Unusual`: one pass over the series of an instant vector."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.signals.detectors.base import LARGEST, RIGHT, UNKNOWN, WRONG, Floats, Rows
from hemostat.signals.detectors.compiled import compiled

RING = 768
"""Block means that are remembered."""
SPANS = 8
"""Parts in which the extremes of the remembered time are kept, so that the oldest can be let go."""
WINDOW = 5
"""Block means that are compared at once."""
APART = 8
"""Blocks by which an earlier window must lie back: a level that stays is unusual for as long."""
ACCEPT_BLOCKS = 10
"""Blocks after which values outside the range are learned."""
FIRST = 60
"""Blocks before a series is judged."""
MIN_DISTANCES = 8
"""Distances before one is judged."""
SOFT = 0.1
"""Added to the deviation of the log distances: a series that repeats exactly is not unusual at the first ripple."""
GRAIN = 0.002
"""Distances below this share of the range are all alike."""
SHARE = 0.05
"""A value is beyond the range from this share of the range on (times the limit)."""
LEVEL_SHARE = 0.001
"""The same as a share of the level, for series that hardly vary."""
TAIL = 0.0
"""The same as a multiple of the deviation of the blocks' extremes, for series with bursts."""
LATE_BLOCKS = 10
"""A time this many blocks in the past is a clock that was set back, less is a late or repeated sample."""
LOUDEST = 1000.0

STATE = np.dtype(
    [
        ("ring", "f4", RING),
        ("lows", "f4", SPANS),
        ("highs", "f4", SPANS),
        ("origin", "f8"),
        ("last", "f8"),
        ("sum", "f8"),
        ("count", "i4"),
        ("begun", "i4"),
        ("block", "i8"),
        ("blocks", "i8"),
        ("block_low", "f8"),
        ("block_high", "f8"),
        ("new_low", "f8"),
        ("new_high", "f8"),
        ("new_blocks", "i4"),
        ("distances", "i4"),
        ("log_mean", "f8"),
        ("log_variance", "f8"),
        ("top_mean", "f8"),
        ("top_variance", "f8"),
        ("bottom_mean", "f8"),
        ("bottom_variance", "f8"),
        ("roughness", "f8"),
        ("expected", "f8"),
        ("reach", "f8"),
        ("surprise", "f8"),
    ],
    align=True,
)
"""Memory of one series. Block means and extremes are relative to its first value, which keeps 32 bits enough."""


@compiled
def step(
    state: NDArray[np.void],
    rows: Rows,
    values: Floats,
    now: float,
    block_seconds: float,
    limit: float,
    sign: int,
    wrong: NDArray[np.int8],
    out: Floats,
) -> None:
    """Take one vector in. `out` gets surprise, expected, low and high as its rows; `wrong` the words of `base`."""
    for position in range(len(rows)):
        wrong[position] = UNKNOWN
        out[0, position] = 0.0
        out[1:, position] = np.nan
        row = rows[position]
        value = values[position]
        if row < 0 or row >= len(state) or not math.isfinite(value):
            continue
        series = state[row]
        if series.begun != 0 and now <= series.last and now > series.last - LATE_BLOCKS * block_seconds:
            continue
        _take(series, min(max(value, -LARGEST), LARGEST), now, block_seconds, limit, sign)
        if series.blocks >= FIRST:
            _judge(series, min(max(value, -LARGEST), LARGEST), limit, sign, position, wrong, out)


@compiled
def _take(series: Any, value: float, now: float, block_seconds: float, limit: float, sign: int) -> None:
    """Add a value to its block; close the block before it when time has moved on."""
    block = int(now // block_seconds)
    if series.begun == 0:
        series.begun = 1
        series.origin = value
        series.block = block
    elif block != series.block:
        _close(series, limit, sign)
        if block != series.block + 1:  # a gap, or a clock that was set back: no window may span it
            series.ring[series.blocks % RING] = np.nan
            series.blocks += 1
        series.block = block
    series.last = now
    relative = value - series.origin
    if series.count == 0:
        series.block_low = relative
        series.block_high = relative
    series.block_low = min(series.block_low, relative)
    series.block_high = max(series.block_high, relative)
    series.sum += relative
    series.count += 1


@compiled
def _close(series: Any, limit: float, sign: int) -> None:
    """Remember a finished block and ask whether the last window of blocks was ever seen."""
    mean = series.sum / series.count
    spread = (series.block_high - series.block_low) / 2.0
    share = max(0.01, 1.0 / (series.blocks + 1.0))
    series.roughness += share * (
        min(spread, 4.0 * series.roughness if series.blocks > 8 else spread) - series.roughness
    )
    series.ring[series.blocks % RING] = mean
    series.blocks += 1
    _learn_range(series)
    _compare(series, limit, sign)
    series.sum = 0.0
    series.count = 0


@compiled
def _learn_range(series: Any) -> None:
    """Learn the extremes of the block, those of the last `ACCEPT_BLOCKS` together and late."""
    if series.new_blocks == 0:
        series.new_low = series.block_low
        series.new_high = series.block_high
    series.new_low = min(series.new_low, series.block_low)
    series.new_high = max(series.new_high, series.block_high)
    series.new_blocks += 1
    share = max(0.005, 1.0 / series.blocks)
    step_up = series.block_high - series.top_mean
    series.top_mean += share * step_up
    series.top_variance = (1.0 - share) * (series.top_variance + share * step_up * step_up)
    step_down = series.block_low - series.bottom_mean
    series.bottom_mean += share * step_down
    series.bottom_variance = (1.0 - share) * (series.bottom_variance + share * step_down * step_down)
    if series.new_blocks < ACCEPT_BLOCKS:
        return
    length = RING // SPANS
    span = (series.blocks // length) % SPANS
    if series.blocks <= ACCEPT_BLOCKS + 2:
        series.lows[:] = series.new_low
        series.highs[:] = series.new_high
    elif series.blocks % length < ACCEPT_BLOCKS:
        series.lows[span] = series.new_low
        series.highs[span] = series.new_high
    else:
        series.lows[span] = min(series.lows[span], series.new_low)
        series.highs[span] = max(series.highs[span], series.new_high)
    series.new_blocks = 0


@compiled
def _compare(series: Any, limit: float, sign: int) -> None:
    """Find the remembered window nearest to the last one; say how unusual the distance is and what came next then."""
    series.surprise = 0.0
    series.expected = np.nan
    last = series.blocks - 1
    nearest = -1
    best = np.inf
    for end in range(max(0, series.blocks - RING) + WINDOW - 1, last - APART + 1):
        total = 0.0
        for back in range(WINDOW):
            difference = series.ring[(last - back) % RING] - series.ring[(end - back) % RING]
            total += difference * difference
            if not total < best:
                break
        if total < best:
            best = total
            nearest = end
    if nearest < 0:
        return
    extent = np.max(series.highs) - np.min(series.lows)
    distance = math.log(math.sqrt(best) + GRAIN * extent + 1e-12)
    deviation = math.sqrt(series.log_variance) + SOFT
    if series.distances >= MIN_DISTANCES:
        moved = 0.0
        for back in range(WINDOW):
            moved += series.ring[(last - back) % RING] - series.ring[(nearest - back) % RING]
        if sign * moved >= 0.0:
            series.surprise = max(0.0, (distance - series.log_mean) / deviation)
        series.expected = series.ring[(nearest + 1) % RING] + series.origin
        series.reach = math.exp(min(series.log_mean + limit * deviation, 80.0))
    series.distances += 1
    change = distance - series.log_mean
    series.log_mean += change / series.distances
    share = 1.0 / series.distances
    series.log_variance = (1.0 - share) * (series.log_variance + share * change * change)


@compiled
def _judge(
    series: Any, value: float, limit: float, sign: int, position: int, wrong: NDArray[np.int8], out: Floats
) -> None:
    """Compare a value with the range that is remembered, and take the louder of both answers."""
    low = np.min(series.lows) + series.origin
    high = np.max(series.highs) + series.origin
    floor = SHARE * (high - low) + LEVEL_SHARE * max(abs(low), abs(high)) + 1e-12
    above = floor + TAIL * math.sqrt(series.top_variance)
    below = floor + TAIL * math.sqrt(series.bottom_variance)
    surprise = series.surprise
    if sign >= 0:
        surprise = max(surprise, (value - high) / above)
    if sign <= 0:
        surprise = max(surprise, (low - value) / below)
    surprise = min(surprise, LOUDEST)
    wrong[position] = WRONG if surprise >= limit else RIGHT
    out[0, position] = surprise
    low -= limit * below
    high += limit * above
    expected = (low + high) / 2.0
    if math.isfinite(series.expected):
        expected = min(max(series.expected, low), high)
        around = series.reach + 3.0 * series.roughness
        low = max(low, expected - around)
        high = min(high, expected + around)
    out[1, position] = expected
    out[2, position] = low
    out[3, position] = high
