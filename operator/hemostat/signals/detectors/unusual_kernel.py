"""The compiled loop of `Unusual`: one pass over the series of an instant vector."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.compiled import compiled, part
from hemostat.signals.detectors import unusual_pattern, unusual_range
from hemostat.signals.detectors.base import LARGEST, RIGHT, WRONG, Floats, Rows
from hemostat.signals.detectors.unusual_state import FIRST, LATE_BLOCKS, LOUDEST, RING

_compare = unusual_pattern.compare
_learn_range = unusual_range.learn
_units = unusual_range.units
_beyond = unusual_range.surprise
_reach = unusual_range.reach


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
        row = rows[position]
        if row < 0 or row >= len(state) or not math.isfinite(values[position]):
            continue
        series = state[row]
        if series.begun != 0 and now <= series.last and now > series.last - LATE_BLOCKS * block_seconds:
            continue
        value = min(max(values[position], -LARGEST), LARGEST)
        _take(series, value, now, block_seconds, limit, sign)
        if series.blocks >= FIRST:
            _judge(series, value, limit, sign, position, wrong, out)


@part
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


@part
def _close(series: Any, limit: float, sign: int) -> None:
    """Remember a block that ended and ask what it means. Its mean is without its smallest and largest value."""
    mean = series.sum / series.count
    if series.count >= 3:
        mean = (series.sum - series.block_low - series.block_high) / (series.count - 2)
    spread = (series.block_high - series.block_low) / 2.0
    usual = 4.0 * series.roughness if series.blocks > FIRST else spread
    share = max(0.01, 1.0 / (series.blocks + 1.0))
    series.roughness += share * (min(spread, max(usual, 1e-12)) - series.roughness)
    series.ring[series.blocks % RING] = mean
    series.blocks += 1
    _learn_range(series)
    _compare(series, limit, sign)
    series.sum = 0.0
    series.count = 0


@part
def _judge(
    series: Any, value: float, limit: float, sign: int, position: int, wrong: NDArray[np.int8], out: Floats
) -> None:
    """Compare a value with the range that is remembered, and take the louder of both answers."""
    low = np.min(series.lows) + series.origin
    high = np.max(series.highs) + series.origin
    unit, above, below = _units(series)
    loud = series.surprise
    if sign >= 0:
        loud = max(loud, _beyond(value - high, unit, above))
    if sign <= 0:
        loud = max(loud, _beyond(low - value, unit, below))
    loud = min(loud, LOUDEST)
    wrong[position] = WRONG if loud >= limit else RIGHT
    low -= _reach(limit, unit, below)
    high += _reach(limit, unit, above)
    expected = (low + high) / 2.0
    if math.isfinite(series.expected):
        expected = min(max(series.expected, low), high)
        around = series.reach + 3.0 * series.roughness
        low = max(low, expected - around)
        high = min(high, expected + around)
    out[0, position] = loud
    out[1, position] = expected
    out[2, position] = low
    out[3, position] = high
