"""Whether `Forecast` believes itself: from which side the limit comes, and how far rises went that turned before it."""

from typing import Any

import numpy as np

from hemostat.compiled import part

SPANS = 4
SPAN_HISTORIES = 12
"""How far the rises went that turned is remembered for the last 4 times 12 histories."""
TRUE_SHARE = 0.05
"""A rise that ended with less time left, as a share of the history, came true: killed at its limit, it did not turn."""
FURTHER = 0.125
"""By this share of the room that was left, a rise must go further than those that turned before it is believed."""
FIELDS = [
    ("side", "i1"),
    ("told", "f8"),
    ("peak", "f8"),
    ("left", "f8"),
    ("turned", "f8", SPANS),
    ("span", "i8"),
]
"""`side` is 1 below the limit and -1 above; `peak` and `turned` are values times that: they rise towards the limit."""


@part
def begin(series: Any) -> None:
    """Know nothing."""
    series.side = 0
    series.told = -np.inf
    _forget_rises(series)


@part
def _forget_rises(series: Any) -> None:
    series.peak = -np.inf
    series.turned[:] = -np.inf


@part
def reached(series: Any, value: float, limit: float, now: float, history: float) -> bool:
    """Tell whether the limit is reached: the series is not on the side where it was first seen.

    That side may have been beyond the limit. Back on the side of zero, where what is used begins (for a limit of
    zero: above it, where what remains is), it has come back, unless it was seen to run out in the last history.
    """
    near = 1 if limit > 0.0 else -1
    here = 1 if value < limit else (-1 if value > limit else 0)
    if series.side == 0:
        series.side = here if here != 0 else near
    elif here == near and series.side != near and now - series.told > history:
        series.side = near
        _forget_rises(series)
    return bool(here != series.side)


@part
def believed(
    series: Any, level: float, limit: float, left: float, at_most: float, within: float, history: float
) -> bool:
    """Tell whether this rise has gone further than those of which the same was forecast and that turned.

    :param level: what value and trend agree on, and `limit`, both times `side`.
    :param left: time to the limit, infinite when the trend leads away from it; `at_most` the cautious one.
    """
    if at_most < within and level > series.peak:
        series.peak = level
        series.left = left
    elif left == np.inf:
        if series.peak > -np.inf and series.left > TRUE_SHARE * history:
            at = series.span % SPANS
            series.turned[at] = max(series.turned[at], series.peak)
        series.peak = -np.inf
    before = np.max(series.turned)
    return bool(before == -np.inf or series.peak > before + max(series.noise, FURTHER * (limit - before)))


@part
def let_go(series: Any, now: float, history: float) -> None:
    """Forget the rises of spans that are too long ago."""
    span = int(now // (SPAN_HISTORIES * history))
    for back in range(min(max(span - series.span, 0), SPANS)):
        series.turned[(span - back) % SPANS] = -np.inf
    series.span = span
