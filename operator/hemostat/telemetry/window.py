"""Bounded sliding windows of calls per caller -> callee edge (pure: time is an argument).

Durations go into logarithmic buckets with a relative error of about 5 % (the idea of DDSketch, Masson et al.,
VLDB 2019): mergeable, and a quantile costs a walk over at most a few hundred buckets.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from hemostat.telemetry.graph import CallGraph
from hemostat.telemetry.graph import EdgeStats as EdgeStats
from hemostat.telemetry.sample import Call

BUCKET_SECONDS = 1.0
KEEP_SECONDS = 600.0
MAX_EDGES = 5_000
MAX_EXEMPLARS = 5
MAX_CELLS = 1_000_000
"""Buckets, and durations in them, kept in all (some 200 MB): beyond it everybody's oldest second goes."""
_GAMMA = 1.1
_SMALLEST = 1e-5


@dataclass(slots=True)
class _Bucket:
    start: float
    calls: int = 0
    failures: int = 0
    durations: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Edge:
    buckets: deque[_Bucket] = field(default_factory=deque)
    failed: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MAX_EXEMPLARS))


class EdgeWindows:
    """The live call graph. Times are seconds of any monotonic or wall clock, always of arrival, not of the span:
    a client's skewed clock cannot hide its calls.
    """

    def __init__(self, max_edges: int = MAX_EDGES, max_cells: int = MAX_CELLS) -> None:
        self._edges: dict[tuple[str, str], _Edge] = {}
        self._max_edges = max_edges
        self._max_cells = max_cells
        self._cells = 0
        self._ages: deque[_Edge] = deque()
        """Whose bucket is the oldest, one entry a bucket."""
        self._searched = -math.inf
        self.dropped = 0
        """Calls not counted because the edge would have been one too many."""
        self.newest = -math.inf
        """Arrival time of the newest call."""

    def add(self, calls: Iterable[Call], now: float) -> int:
        """Count calls that arrived at `now`; return how many were accepted."""
        accepted = 0
        for call in calls:
            edge = self._edge(call.caller, call.callee, now)
            if edge is None:
                self.dropped += 1
                continue
            self._count(edge, call, now)
            accepted += 1
        self._expire(now)
        if accepted:
            self.newest = max(self.newest, now)
        return accepted

    def into(self, callee: str, seconds: float, now: float) -> list[EdgeStats]:
        """Return the statistics of every edge that ends in `callee` over the last `seconds`."""
        return [
            _stats(caller, name, edge, now - seconds)
            for (caller, name), edge in sorted(self._edges.items())
            if name == callee
        ]

    def graph(self, seconds: float, now: float) -> CallGraph:
        """Return who called whom over the last `seconds`, with calls and failures; quantiles are `into`'s."""
        edges = []
        for (caller, callee), edge in sorted(self._edges.items()):
            recent = [b for b in edge.buckets if b.start > now - seconds - BUCKET_SECONDS]
            calls, failures = sum(b.calls for b in recent), sum(b.failures for b in recent)
            if calls:
                edges.append(EdgeStats(caller, callee, calls, failures, 0.0, ()))
        return CallGraph(seconds, tuple(edges))

    def _edge(self, caller: str, callee: str, now: float) -> _Edge | None:
        found = self._edges.get((caller, callee))
        if found is not None:
            return found
        if len(self._edges) >= self._max_edges and now - self._searched >= BUCKET_SECONDS:
            self._searched = now  # once a second: a flood of new names must not cost a search each
            self._forget(now)
        if len(self._edges) >= self._max_edges:
            return None
        return self._edges.setdefault((caller, callee), _Edge())

    def _count(self, edge: _Edge, call: Call, now: float) -> None:
        start = math.floor(now / BUCKET_SECONDS) * BUCKET_SECONDS
        if not edge.buckets or edge.buckets[-1].start < start:
            edge.buckets.append(_Bucket(start))
            self._ages.append(edge)
            self._cells += 1
        bucket = edge.buckets[-1]
        bucket.calls += 1
        index = math.ceil(math.log(max(call.seconds, _SMALLEST) / _SMALLEST, _GAMMA))
        if index not in bucket.durations:
            self._cells += 1
        bucket.durations[index] = bucket.durations.get(index, 0) + 1
        if call.failed:
            bucket.failures += 1
            edge.failed.append((now, call.trace_id))

    def _expire(self, now: float) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        end = math.floor(now / BUCKET_SECONDS) * BUCKET_SECONDS - KEEP_SECONDS
        while self._ages and (self._ages[0].buckets[0].start < end or self._cells > self._max_cells):
            bucket = self._ages.popleft().buckets.popleft()
            self._cells -= 1 + len(bucket.durations)

    def _forget(self, now: float) -> None:
        self._expire(now)
        for key in [k for k, e in self._edges.items() if not e.buckets]:
            del self._edges[key]


def _stats(caller: str, callee: str, edge: _Edge, since: float) -> EdgeStats:
    recent = [b for b in edge.buckets if b.start > since - BUCKET_SECONDS]
    durations: dict[int, int] = {}
    for bucket in recent:
        for index, count in bucket.durations.items():
            durations[index] = durations.get(index, 0) + count
    return EdgeStats(
        caller=caller,
        callee=callee,
        calls=sum(b.calls for b in recent),
        failures=sum(b.failures for b in recent),
        p95_seconds=_quantile(durations, 0.95),
        failed_traces=tuple(trace for at, trace in edge.failed if at > since),
    )


def _quantile(durations: dict[int, int], q: float) -> float:
    total = sum(durations.values())
    rank = math.ceil(q * total)
    seen = 0
    for index in sorted(durations):
        seen += durations[index]
        if seen >= rank:
            return float(_SMALLEST * _GAMMA ** (index - 0.5))
    return 0.0
