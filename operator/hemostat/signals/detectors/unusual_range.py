"""Was it ever so high or so low? The extremes that are remembered, and how much they vary."""

import math
from typing import Any

import numpy as np

from hemostat.compiled import part
from hemostat.signals.detectors.unusual_state import (
    ACCEPT_BLOCKS,
    FAMILIAR,
    LEVEL_SHARE,
    RING,
    SHARE,
    SPANS,
    TAIL_BLOCKS,
    TAIL_SPANS,
)


@part
def learn(series: Any) -> None:
    """Learn the extremes of the block that ended: how they vary at once, the range `ACCEPT_BLOCKS` together."""
    if series.new_blocks == 0:
        series.new_low = series.block_low
        series.new_high = series.block_high
    series.new_low = min(series.new_low, series.block_low)
    series.new_high = max(series.new_high, series.block_high)
    series.new_blocks += 1
    share = max(0.005, 1.0 / series.blocks)
    # from block to block, so that a wave that comes every day is no burst
    change = series.block_high - series.top
    series.top = series.block_high
    series.top_variance = (1.0 - share) * series.top_variance + share * 0.5 * change * change
    change = series.block_low - series.bottom
    series.bottom = series.block_low
    series.bottom_variance = (1.0 - share) * series.bottom_variance + share * 0.5 * change * change
    if series.new_blocks >= ACCEPT_BLOCKS:
        _accept(series)


@part
def _accept(series: Any) -> None:
    """Put what was new into the span of now; a span that begins lets go of what it held one round ago."""
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


@part
def units(series: Any) -> Any:
    """Return the unit of surprise, and what widens it above and below the range once it is no more `FAMILIAR`."""
    low = np.min(series.lows)
    high = np.max(series.highs)
    level = max(abs(low + series.origin), abs(high + series.origin))
    unit = SHARE * (high - low) + LEVEL_SHARE * level + 1e-12
    above = TAIL_BLOCKS * math.sqrt(series.top_variance) + TAIL_SPANS * _deviation(series.highs, 1.0)
    below = TAIL_BLOCKS * math.sqrt(series.bottom_variance) + TAIL_SPANS * _deviation(series.lows, -1.0)
    return unit, above, below


@part
def _deviation(extremes: Any, sign: float) -> float:
    """Return the standard deviation of the more extreme half: how much one record exceeds another."""
    ordered = np.sort(sign * extremes.astype(np.float64))[SPANS // 2 :]
    return math.sqrt(np.mean((ordered - np.mean(ordered)) ** 2))


@part
def surprise(beyond: float, unit: float, wider: float) -> float:
    """Return how surprising it is to be this far beyond the range."""
    return min(beyond / unit, FAMILIAR + beyond / (unit + wider))


@part
def reach(limit: float, unit: float, wider: float) -> float:
    """Return how far beyond the range a value has that much surprise."""
    return max(limit * unit, (limit - FAMILIAR) * (unit + wider))
