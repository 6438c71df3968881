"""`ChangePoint`: the level of a series shifted and stays."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.api.watch import Direction
from hemostat.compiled import compiled, part
from hemostat.signals.detectors.base import RIGHT, UNKNOWN, WRONG, Floats, Rows, Verdicts, nothing_said
from hemostat.signals.detectors.blocks import CLOSED, FIELDS, OLD, RING, add, median

RECENT = 6
"""Blocks that say what the level is now; most of them must lie beyond the limit."""
STAYING = 5
FIRST = 30
"""Blocks before a series is judged."""
SPREADS = 4.0
"""A shift is larger than this many standard deviations (by the median absolute deviation) of the level before."""
_STATE = np.dtype([*FIELDS, ("expected", "f8"), ("reach", "f8"), ("score", "f8"), ("word", "i1")], align=True)
_SIGN = {Direction.UP: 1, Direction.DOWN: -1, Direction.BOTH: 0}


class ChangePoint:
    """A bank that compares the median of the last 6 blocks with the median of the up to 58 before.

    Medians, so neither a spike now nor an outage before counts as a level; a new level is the usual one once it fills
    half of what is remembered, 16 minutes with blocks of 30 s.

    :param capacity: rows.
    :param block_seconds: length of a block; a shift is told after 6 of them.
    :param min_change: smaller shifts, as a share of the level before, are never wrong.
    :param direction: which way is wrong.
    """

    bytes_per_series = _STATE.itemsize

    def __init__(
        self,
        capacity: int,
        block_seconds: float = 30.0,
        min_change: float = 0.2,
        direction: Direction = Direction.BOTH,
    ) -> None:
        self._block_seconds = block_seconds
        self._min_change = min_change
        self._sign = _SIGN[direction]
        self._state: NDArray[np.void] = np.zeros(capacity, _STATE)

    def step(self, rows: Rows, values: Floats, now: float) -> Verdicts:
        """Take in one instant vector and judge it; see `Unusual.step`."""
        wrong, out = nothing_said(len(rows))
        _step(self._state, rows, values, now, self._block_seconds, self._min_change, self._sign, wrong, out)
        score, expected, low, high = out
        return Verdicts(wrong, score, expected, low, high)

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
    min_change: float,
    sign: int,
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
            series.word = UNKNOWN
        if said == CLOSED:
            _compare(series, min_change, sign)
        if series.word != UNKNOWN:
            wrong[position] = series.word
            out[0, position] = series.score
            out[1, position] = series.expected
            out[2, position] = series.expected - series.reach
            out[3, position] = series.expected + series.reach


@part
def _compare(series: Any, min_change: float, sign: int) -> None:
    """Judge the level of the last blocks by the level before; half of each must have had samples."""
    series.word = UNKNOWN
    if series.filled < FIRST:
        return
    recent = _blocks(series, 1, RECENT)
    before = _blocks(series, RECENT + 1, series.filled)
    if len(recent) < RECENT // 2 or len(before) < FIRST // 2:
        return
    level = median(before)
    spread = 1.4826 * median(np.abs(before - level))
    reach = max(min_change * abs(level), SPREADS * spread) + 1e-12
    shift = median(recent) - level
    beyond = np.sum((recent - level) * (1.0 if shift > 0 else -1.0) > reach)
    stays = beyond >= min(STAYING, len(recent))
    wanted = sign * shift >= 0.0
    series.word = WRONG if stays and wanted else RIGHT
    series.expected = level
    series.reach = reach
    surprise = abs(shift) / reach if wanted else 0.0
    series.score = 1.0 - math.pow(2.0, -surprise)
    if series.word == RIGHT:
        series.score = min(series.score, 0.49)


@part
def _blocks(series: Any, newest: int, oldest: int) -> Floats:
    """Return the means of finished blocks that lie this far back, without those that had no sample."""
    found = np.empty(RING)
    size = 0
    for back in range(newest, oldest + 1):
        mean = series.ring[(series.block - back) % RING]
        if not math.isnan(mean):
            found[size] = mean + series.origin
            size += 1
    return found[:size]
