"""Traces worth looking at: the newest of failed calls, the slowest of all (pure)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hemostat.telemetry.kernel import tables

Array = np.ndarray[Any, np.dtype[Any]]
MAX_EXEMPLARS = 5
_BITS = np.uint64(50)
"""Durations in nanoseconds are below `tables.MAX_NANOSECONDS`, or at it."""


def slowest(rows: Array) -> Array:
    """Return those of the slowest calls of each group, by ascending group, slowest last.

    :param rows: group, duration (0 for none) and the two halves of the trace id.
    """
    rows = rows[rows[:, 1] > 0]
    taken = np.minimum(rows[:, 1], tables.MAX_NANOSECONDS - 1).astype(np.uint64)
    key = rows[:, 0].astype(np.uint64) << _BITS | taken
    order = np.argsort(key)
    rows = rows[order[_of_last_keys(key[order])]]  # few are left: only those are sorted by their traces too
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    rows = rows[np.any(np.diff(rows, axis=0, prepend=-1), axis=1)]
    after = np.searchsorted(rows[:, 0], rows[:, 0], "right")
    return rows[after - np.arange(len(rows)) <= MAX_EXEMPLARS]


def _of_last_keys(key: Array) -> Array:
    """Tell which of the ascending keys are among the last few different ones of their group."""
    nth = np.cumsum(np.diff(key, prepend=key[:1]) != 0)
    group = key >> _BITS
    last: Array = nth > nth[np.searchsorted(group, group, "right") - 1] - MAX_EXEMPLARS
    return last


@dataclass(frozen=True, slots=True)
class Failures:
    """The newest failed calls of every series that has any."""

    series: Array
    counts: Array
    """How many there were since the series began."""
    rings: Array
    """The newest, (series, `tables.FAILED_KEPT`, 3): second and the two halves of the trace id, number i at i modulo
    `tables.FAILED_KEPT`.
    """

    def since(self, time: float, of: Array, n: int) -> list[tuple[str, ...]]:
        """Return the newest trace ids of each of `n` groups since then, newest last.

        :param of: group by series, -1 for none.
        """
        last = self.counts[:, None] - 1
        number = last - (last - np.arange(tables.FAILED_KEPT)) % tables.FAILED_KEPT
        group = np.broadcast_to(of[self.series][:, None], number.shape)
        some = (group >= 0) & (number >= 0) & (self.rings[:, :, 0] + 1 > time)
        group, number, rings = group[some], number[some], self.rings[some]
        order = np.lexsort((number, rings[:, 0], group))
        return texts(group[order], rings[order, 1:], n)


def texts(group: Array, traces: Array, n: int) -> list[tuple[str, ...]]:
    """Return the trace ids (32 hex digits) of the last few rows of each group; rows come by ascending group."""
    text = np.ascontiguousarray(traces, "<i8").tobytes().hex()
    found: list[tuple[str, ...]] = []
    begin = 0
    for end in np.searchsorted(group, np.arange(n), "right").tolist():
        found.append(tuple(text[32 * i : 32 * i + 32] for i in range(max(begin, end - MAX_EXEMPLARS), end)))
        begin = end
    return found
