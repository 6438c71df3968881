"""Sparse vectors of counters and their sums (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemostat.telemetry.graph import CallStats
from hemostat.telemetry.kernel import tables

Array = np.ndarray[Any, np.dtype[Any]]
MAX_EXEMPLARS = 5


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


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by group."""

    hits: Array
    """Counters, one row a group."""
    errors: Array
    nanoseconds: Array
    slow: list[list[tuple[int, int, int]]]

    def stats(self, group: int, failed: tuple[str, ...]) -> CallStats:
        """Return what is known of a group of calls."""
        seen = np.cumsum(self.hits[group, : tables.BUCKETS])
        slowest = sorted(set(self.slow[group]), reverse=True)[:MAX_EXEMPLARS]
        return CallStats(
            calls=int(seen[-1]),
            failures=int(self.errors[group]),
            total_seconds=float(self.nanoseconds[group]) / 1e9,
            p50_seconds=_quantile(seen, 0.5),
            p95_seconds=_quantile(seen, 0.95),
            p99_seconds=_quantile(seen, 0.99),
            failed_traces=failed,
            slow_traces=tuple(trace_id(high, low) for _, high, low in slowest),
        )


def _quantile(seen: Array, q: float) -> float:
    if seen[-1] == 0:
        return 0.0
    index = int(np.searchsorted(seen, math.ceil(q * int(seen[-1]))))
    return float(tables.SMALLEST * tables.GROWTH ** (index - 0.5) / 1e9)


def trace_id(high: int, low: int) -> str:
    """Return 32 hex digits of the two halves of a trace id as they lie in memory."""
    return (high % (1 << 64)).to_bytes(8, "little").hex() + (low % (1 << 64)).to_bytes(8, "little").hex()


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
        counts=np.bincount(where, np.concatenate([p.counts for p in parts]), len(keys)).astype(np.int64),
        series=series,
        errors=np.bincount(of, np.concatenate([p.errors for p in parts]), len(series)).astype(np.int64),
        nanoseconds=np.bincount(of, np.concatenate([p.nanoseconds for p in parts]), len(series)),
        slow=slow[order[last]],
    )


def add(parts: Sequence[Seconds], groups: Mapping[int, int]) -> Sums:
    """Add up the series that are in a group."""
    n = max(groups.values(), default=-1) + 1
    of = np.full(tables.MAX_SERIES, -1)
    of[list(groups)] = list(groups.values())
    hits = np.zeros(n * tables.COLUMNS)
    errors, nanoseconds = np.zeros(n), np.zeros(n)
    slow: list[list[tuple[int, int, int]]] = [[] for _ in range(n)]
    for part in parts:
        group = of[part.keys // tables.COLUMNS]
        mine = group >= 0
        places = group[mine] * tables.COLUMNS + part.keys[mine] % tables.COLUMNS
        hits += np.bincount(places, part.counts[mine], len(hits))
        group = of[part.series]
        mine = group >= 0
        errors += np.bincount(group[mine], part.errors[mine], n)
        nanoseconds += np.bincount(group[mine], part.nanoseconds[mine], n)
        for at, found in zip(group[mine].tolist(), part.slow[mine].tolist(), strict=True):
            if found[0]:
                slow[at].append(tuple(found))
    return Sums(hits.reshape(n, tables.COLUMNS).astype(np.int64), errors.astype(np.int64), nanoseconds, slow)
