"""Sparse vectors of counters and their sums (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemostat.telemetry.exemplars import slowest, texts
from hemostat.telemetry.graph import CallStats
from hemostat.telemetry.kernel import tables
from hemostat.telemetry.kernel.addition import add_up

Array = np.ndarray[Any, np.dtype[Any]]
_MANY = 1 << 18
_MIDDLES = np.array([tables.SMALLEST * tables.GROWTH ** (i - 0.5) / 1e9 for i in range(tables.BUCKETS)])
"""Duration that stands for a bucket, seconds."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """All that was counted from `start` to `end` (seconds)."""

    start: int
    end: int
    keys: Array
    """Counters that are not zero: `series * COLUMNS + column`."""
    counts: Array
    series: Array
    """Series with calls, ascending; the rest is one entry for each of them."""
    errors: Array
    nanoseconds: Array
    slow: Array
    """Duration of the slowest call and the two halves of its trace id."""

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        arrays = (self.keys, self.counts, self.series, self.errors, self.nanoseconds, self.slow)
        return sum(array.nbytes for array in arrays)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by group."""

    hits: Array
    """Counters, one row a group."""
    errors: Array
    nanoseconds: Array
    slow: list[tuple[str, ...]]
    """Trace ids of the slowest calls, slowest first."""

    def stats(self, failed: Sequence[tuple[str, ...]]) -> list[CallStats]:
        """Return what is known of each group of calls, given the traces of its failed ones."""
        seen = np.cumsum(self.hits[:, : tables.BUCKETS], axis=1)
        columns = (
            seen[:, -1].astype(np.int64).tolist(),
            self.errors.astype(np.int64).tolist(),
            (self.nanoseconds / 1e9).tolist(),
            *(_quantiles(seen, q).tolist() for q in (0.5, 0.95, 0.99)),
        )
        return [CallStats(*row) for row in zip(*columns, failed, self.slow, strict=True)]


def _quantiles(seen: Array, q: float) -> Array:
    """Return a quantile of each row of cumulated counts, 0 where there are none."""
    every = seen[:, -1]
    index = (seen < np.ceil(q * every)[:, None]).sum(axis=1)
    return np.where(every > 0, _MIDDLES[index], 0.0)


def summed(parts: Sequence[Seconds]) -> Seconds:
    """Return several vectors as one."""
    keys, where = np.unique(np.concatenate([p.keys for p in parts]), return_inverse=True)
    series, of = np.unique(np.concatenate([p.series for p in parts]), return_inverse=True)
    slow = np.concatenate([p.slow for p in parts])
    order = np.lexsort((slow[:, 0], of))
    last = np.flatnonzero(np.diff(of[order], append=len(series)))
    return Seconds(
        start=parts[0].start,
        end=parts[-1].end,
        keys=keys,
        counts=np.bincount(where, np.concatenate([p.counts for p in parts]), len(keys)).astype(np.int32),
        series=series,
        errors=np.bincount(of, np.concatenate([p.errors for p in parts]), len(series)).astype(np.int64),
        nanoseconds=np.bincount(of, np.concatenate([p.nanoseconds for p in parts]), len(series)),
        slow=slow[order[last]],
    )


def add(parts: Sequence[Seconds], of: Array, n: int) -> Sums:
    """Add up the series that are in one of `n` groups.

    :param of: group by series, -1 for none.
    """
    hits = np.zeros((n, tables.COLUMNS), np.int64)
    errors, nanoseconds = np.zeros(n), np.zeros(n)
    rows = [np.empty((0, 4), np.int64)]
    for part in parts:  # one at a time: nothing is copied that is as large as all of them
        add_up(part.keys, part.counts, of, hits)
        mine = of[part.series] >= 0
        group = of[part.series[mine]]
        errors += np.bincount(group, part.errors[mine], n)
        nanoseconds += np.bincount(group, part.nanoseconds[mine], n)
        rows.append(np.column_stack((group, part.slow[mine])))
        if sum(map(len, rows)) > _MANY:
            rows = [slowest(np.concatenate(rows))]
    slow = slowest(np.concatenate(rows))
    traces = [some[::-1] for some in texts(slow[:, 0], slow[:, 2:], n)]
    return Sums(hits=hits, errors=errors, nanoseconds=nanoseconds, slow=traces)
