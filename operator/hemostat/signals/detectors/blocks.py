"""Time-aligned block means of many series: what `ChangePoint` and `Forecast` look back on."""

import math
from typing import Any

import numpy as np

from hemostat.compiled import part
from hemostat.signals.detectors.base import LARGEST

RING = 64
"""Blocks that are remembered; one without a sample is NaN."""
LATE_BLOCKS = 10
"""A time this many blocks in the past is a clock that was set back, less is a late or repeated sample."""

FIELDS: list[tuple[Any, ...]] = [
    ("ring", "f4", RING),
    ("origin", "f8"),
    ("last", "f8"),
    ("sum", "f8"),
    ("count", "i4"),
    ("filled", "i4"),
    ("block", "i8"),
]
"""Memory of one series. Means are relative to its first value, which keeps 32 bits enough."""

OLD, OPEN, CLOSED = 0, 1, 2


@part
def add(series: Any, value: float, now: float, block_seconds: float) -> int:
    """Add a sample: OLD if it is no evidence or not newer than the last, CLOSED if a block ended before it, or OPEN.

    `filled` counts the blocks since the first, with those that had no sample, up to RING.
    """
    if not math.isfinite(value):
        return OLD
    value = min(max(value, -LARGEST), LARGEST)
    block = int(now // block_seconds)
    said = OPEN
    if series.count == 0:
        series.origin = value
        series.block = block
    elif now <= series.last:
        if now > series.last - LATE_BLOCKS * block_seconds:
            return OLD
        series.filled = 0  # the clock was set back: begin again
        series.sum = 0.0
        series.count = 0
        series.origin = value
        series.block = block
    elif block != series.block:
        said = CLOSED
        gap = min(block - series.block, RING)
        series.ring[series.block % RING] = series.sum / series.count
        for back in range(1, gap):
            series.ring[(block - back) % RING] = np.nan
        series.filled = min(series.filled + gap, RING)
        series.sum = 0.0
        series.count = 0
        series.block = block
    series.last = now
    series.sum += value - series.origin
    series.count += 1
    return said


@part
def median(values: Any) -> float:
    """Return the median of values that hold no NaN; NaN of none."""
    size = len(values)
    if size == 0:
        return np.nan
    ordered = np.sort(values)
    return float((ordered[(size - 1) // 2] + ordered[size // 2]) / 2.0)
