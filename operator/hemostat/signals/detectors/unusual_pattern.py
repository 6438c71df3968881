"""Was it ever like this lately? The left discord over block means, for windows of several lengths in one pass."""

import math
from typing import Any

import numpy as np

from hemostat.compiled import part
from hemostat.signals.detectors.unusual_state import (
    APART,
    FAMILIAR,
    FORGET,
    GRAIN,
    LONGEST,
    MIN_DISTANCES,
    ODD,
    RING,
    SOFT,
    WINDOWS,
)


@part
def compare(series: Any, limit: float, sign: int) -> None:
    """Judge the windows that end with the last block by those that came before; say what came next then.

    Sets `surprise`, the root mean square over the lengths, and the value that is `expected` within `reach`.
    """
    best, ends = _nearest(series)
    wide = np.max(series.highs) - np.min(series.lows)
    usual_wide = np.sort(series.highs)[-2] - np.sort(series.lows)[1]  # without the oddest span, above and below
    grain = GRAIN * min(wide, ODD * usual_wide) + 1e-12
    series.surprise = 0.0
    series.expected = np.nan
    squares = 0.0
    for length in range(len(WINDOWS)):
        if best[length] == np.inf:
            continue
        distance = math.log(math.sqrt(best[length]) + grain)
        usual = max(series.log_mean[length], math.log(grain))  # what was learned when the grain was finer
        deviation = math.sqrt(series.log_variance[length]) + SOFT
        if series.distances[length] >= MIN_DISTANCES:
            loud = max(0.0, (distance - usual) / deviation)
            if loud > FAMILIAR:
                beyond = (distance - series.log_worst[length]) / deviation
                loud = max(FAMILIAR, min(loud, FAMILIAR + beyond))
            squares += loud * loud
            if length == 0:
                series.reach = math.exp(min(series.log_mean[0] + limit * deviation, 80.0))
        _learn(series, length, distance)
    if ends[-1] >= 0 and series.distances[0] > MIN_DISTANCES:
        series.expected = series.ring[(ends[-1] + 1) % RING] + series.origin
    if sign * _moved(series, ends[-1]) >= 0.0:
        series.surprise = math.sqrt(squares / len(WINDOWS))


@part
def _nearest(series: Any) -> Any:
    """Return, per length, the least squared distance (inf: none) and the block with which that window ends.

    A window that holds a gap (NaN) is at no distance from any other.
    """
    best = np.full(len(WINDOWS), np.inf)
    ends = np.full(len(WINDOWS), -1)
    size = min(series.blocks, RING)
    past = _newest_first(series, size)
    totals = np.zeros(size)
    back = 0
    for length in range(len(WINDOWS)):
        offsets = size - WINDOWS[length] + 1
        while back < WINDOWS[length]:
            for offset in range(APART, offsets):  # one plain loop over all windows: the compiler vectorises it
                difference = past[back] - past[offset + back]
                totals[offset] += difference * difference
            back += 1
        for offset in range(APART, offsets):
            if totals[offset] < best[length]:
                best[length] = totals[offset]
                ends[length] = series.blocks - 1 - offset
    return best, ends


@part
def _newest_first(series: Any, size: int) -> Any:
    """Return the block means that are remembered: the search runs over them without wrapping."""
    past = np.empty(size)
    for back in range(size):
        past[back] = series.ring[(series.blocks - 1 - back) % RING]
    return past


@part
def _moved(series: Any, end: int) -> float:
    """Return how far the last window lies above the one that ends here; 0 if there is none."""
    moved = 0.0
    if end >= 0:
        for back in range(LONGEST):
            moved += series.ring[(series.blocks - 1 - back) % RING] - series.ring[(end - back) % RING]
    return moved


@part
def _learn(series: Any, length: int, distance: float) -> None:
    """Learn a log distance: mean, deviation of the upper side, and the worst, which fades."""
    known = series.distances[length]
    worst = series.log_worst[length] - FORGET
    series.log_worst[length] = max(distance, worst) if known > 0 else distance
    share = 1.0 / (known + 1.0)
    change = distance - series.log_mean[length]
    series.log_mean[length] += share * change
    upper = 2.0 * change * change if change > 0.0 else 0.0
    series.log_variance[length] += share * (upper - series.log_variance[length])
    series.distances[length] = known + 1
