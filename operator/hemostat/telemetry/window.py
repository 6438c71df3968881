"""Bounded windows of what traces say: edges, operations, services, agents (pure: time is an argument).

Times are those of arrival on any monotonic or wall clock, never of the span: neither a late span nor a client's skewed
clock can hide a call. What is counted in a second becomes a sparse vector of counters; seconds of the last minute are
kept one by one, older ones in tens, and adding such vectors is all that a question needs.
"""

import math
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from hemostat.telemetry.graph import AgentStats, CallGraph, CallStats, OperationStats
from hemostat.telemetry.graph import EdgeStats as EdgeStats
from hemostat.telemetry.kernel import genai, tables
from hemostat.telemetry.kernel.fold import Fold, Folded
from hemostat.telemetry.names import callee_name, printable
from hemostat.telemetry.sums import Seconds, add, summed, trace_id

FINE_SECONDS = 60
COARSE_SECONDS = 10
KEEP_SECONDS = 600
RECENT_SECONDS = 2.0
"""What counts as the present: a second in progress and the one or two before it."""
MAX_CELLS = 8_000_000
"""Counters kept in all (some 100 MB): beyond it everybody's oldest seconds go."""
_RELEASE_EVERY = 10
_SERVING = (2, 5)
Label = tuple[str, str]
_Key = TypeVar("_Key", bound=Hashable)


class TraceWindows:
    """The live call graph and all that is counted with it. Not for several threads at once: callers hold a lock."""

    def __init__(self, max_cells: int = MAX_CELLS) -> None:
        self._fold = Fold()
        self._fine: deque[Seconds] = deque()
        self._coarse: deque[Seconds] = deque()
        self._max_cells = max_cells
        self._second = 0
        self._released = 0
        self.newest = -math.inf
        """Arrival time of the newest span that was counted."""

    def take(self, body: bytes, now: float) -> Folded:
        """Count the spans of an export request that arrived at `now`. Raises `Refused` (BadOtlp), nothing counted."""
        self._turn(now)
        folded = self._fold.take(body, self._second)
        if folded.spans > folded.rejected:
            self.newest = max(self.newest, now)
        return folded

    def warm(self) -> None:
        """Have everything compiled, or fetched from the cache: half a minute, or a fifth of a second."""
        self._fold.warm()

    def dropped(self) -> dict[str, int]:
        """Return how much was not counted as it came, by reason, since the start."""
        return self._fold.dropped()

    def into(self, callee: str, seconds: float, now: float) -> list[EdgeStats]:
        """Return the statistics of every edge that ends in `callee` over the last `seconds`, sorted by caller, with
        what is going on at present (`EdgeStats.recent`).
        """
        keys = self._edge_keys(lambda label: label[1] == callee)
        recent = self._gather(keys, RECENT_SECONDS, now)
        return [replace(e, recent=_seen(recent, e.caller, e.callee)) for e in self._edges(keys, seconds, now)]

    def graph(self, seconds: float, now: float) -> CallGraph:
        """Return the call graph of the last `seconds`."""
        served = self._gather(self._keys(lambda kind, _: kind in _SERVING, lambda _, label: label[0]), seconds, now)
        edges = self._edges(self._edge_keys(lambda _: True), seconds, now)
        return CallGraph(
            seconds=seconds,
            edges=tuple(e for e in edges if e.calls or e.served.calls),
            services={service: stats for service, stats in sorted(served.items()) if stats.calls},
        )

    def operations(self, service: str, seconds: float, now: float) -> list[OperationStats]:
        """Return the operations of a service that were called in the last `seconds`, sorted by name and kind."""

        def own(kind: int, label: Label) -> bool:
            return kind < tables.KINDS and label[0] == service

        found = self._gather(self._keys(own, lambda kind, label: (label[1], kind)), seconds, now)
        every = [OperationStats(service, name, kind, stats) for (name, kind), stats in found.items() if stats.calls]
        return sorted(every, key=lambda o: (o.name, o.kind))

    def agents(self, service: str, seconds: float, now: float) -> list[AgentStats]:
        """Return what the AI agents of a service did in the last `seconds`, sorted by name."""
        labels = self._labels(lambda kind, label: kind == tables.AGENT and label[0] == service)
        groups = {label: i for i, label in enumerate(sorted({(of, name) for _, of, name in labels.values()}))}
        total = add(self._recent(seconds, now), {s: groups[of, name] for s, (_, of, name) in labels.items()})
        return [_agent(*label, total.hits[i]) for label, i in groups.items() if total.hits[i].any()]

    # --- counting ------------------------------------------------------------------------------------------

    def _turn(self, now: float) -> None:
        """Close the seconds before `now`; a clock that steps back loses nothing."""
        second = math.floor(now)
        if second <= self._second:
            return
        closed = self._present(take=True)
        if closed is not None:
            self._fine.append(closed)
        self._second = second
        while self._fine and self._fine[0].end // COARSE_SECONDS < (second - FINE_SECONDS) // COARSE_SECONDS:
            tens = self._fine[0].start // COARSE_SECONDS
            same = [self._fine.popleft()]
            while self._fine and self._fine[0].start // COARSE_SECONDS == tens:
                same.append(self._fine.popleft())
            self._coarse.append(summed(same))
        self._bound(second - KEEP_SECONDS - COARSE_SECONDS)
        if second - self._released >= _RELEASE_EVERY:
            self._released = second
            self._fold.release(second - KEEP_SECONDS - 2 * COARSE_SECONDS)

    def _bound(self, before: int) -> None:
        for kept in (self._coarse, self._fine):
            while kept and (kept[0].end <= before or self._cells() > self._max_cells):
                kept.popleft()

    def _cells(self) -> int:
        return sum(len(s.keys) for s in (*self._coarse, *self._fine))

    def _present(self, *, take: bool) -> Seconds | None:
        """Return what was counted in the present second, and begin anew if it is taken."""
        fold = self._fold
        ids = np.sort(fold.touched[: fold.counters[tables.C_TOUCHED]])
        if not len(ids):
            return None
        rows = fold.series[ids]
        keys, counts = fold.drain(clear=take)
        found = Seconds(
            start=self._second,
            end=self._second + 1,
            keys=keys,
            counts=counts,
            series=ids.astype(np.int32),
            errors=rows[:, tables.S_ERRORS],
            nanoseconds=rows[:, tables.S_NANOSECONDS].astype(np.float64),
            slow=rows[:, [tables.S_SLOW, tables.S_SLOW_HIGH, tables.S_SLOW_LOW]],
        )
        if take:
            fold.series[ids, tables.S_NANOSECONDS : tables.S_TOUCHED + 1] = 0
            fold.counters[tables.C_TOUCHED] = 0
        return found

    # --- reading -------------------------------------------------------------------------------------------

    def _recent(self, seconds: float, now: float) -> list[Seconds]:
        """Return what counts for a window: a second does while any part of it is in the window."""
        self._turn(now)
        present = self._present(take=False)
        every = (*self._coarse, *self._fine, *([] if present is None else [present]))
        return [s for s in every if s.end > now - seconds]

    def _labels(self, wanted: Callable[[int, Label], bool]) -> dict[int, tuple[int, str, str]]:
        """Return kind, service and name of every series that is wanted."""
        fold = self._fold
        keys = fold.series[:, tables.S_KEY]
        names: dict[int, str] = {}

        def name(number: int) -> str:
            if number not in names:
                text = fold.texts[number, : fold.names[number, tables.N_LENGTH]].tobytes()
                names[number] = printable(text.decode("utf-8", "replace"))
            return names[number]

        found = {}
        for series in np.flatnonzero(keys >= 0).tolist():
            kind, owner, about = _unpacked(int(keys[series]))
            label = (name(owner), name(about))
            if kind == tables.NAMED:
                real = int(fold.series[series, tables.S_REAL])
                label = (label[0], name(real - 1) if real > 0 else callee_name(label[1]))
            if wanted(kind, label):
                found[series] = (kind, *label)
        return found

    def _keys(self, wanted: Callable[[int, Label], bool], key: Callable[[int, Label], _Key]) -> dict[int, _Key]:
        """Return the key of every series that is wanted."""
        return {s: key(kind, (of, name)) for s, (kind, of, name) in self._labels(wanted).items()}

    def _gather(self, keys: Mapping[int, _Key], seconds: float, now: float) -> dict[_Key, CallStats]:
        """Return the statistics of these series, those with the same key added up."""
        groups = {k: i for i, k in enumerate(dict.fromkeys(keys.values()))}
        total = add(self._recent(seconds, now), {s: groups[k] for s, k in keys.items()})
        failed = self._failed(keys, now - seconds)
        return {k: total.stats(i, failed.get(k, ())) for k, i in groups.items()}

    def _failed(self, keys: Mapping[int, _Key], since: float) -> dict[_Key, tuple[str, ...]]:
        """Return the newest traces of failed calls since then, newest last."""
        found: dict[_Key, list[tuple[int, int, str]]] = {}
        counts = self._fold.series[:, tables.S_FAILED]
        for series, key in keys.items():
            n = int(counts[series])
            for i in range(max(0, n - tables.FAILED_KEPT), n):
                second, high, low = self._fold.failed[series, i % tables.FAILED_KEPT].tolist()
                if second + 1 > since:
                    found.setdefault(key, []).append((second, i, trace_id(high, low)))
        return {key: tuple(t for _, _, t in sorted(f)[-tables.FAILED_KEPT :]) for key, f in found.items()}

    def _edge_keys(self, wanted: Callable[[Label], bool]) -> dict[int, tuple[int, str, str]]:
        def edge(kind: int, label: Label) -> bool:
            return kind in (tables.NAMED, tables.SERVED) and wanted(label)

        return self._keys(edge, lambda kind, label: (kind, *label))

    def _edges(self, keys: Mapping[int, tuple[int, str, str]], seconds: float, now: float) -> list[EdgeStats]:
        found = self._gather(keys, seconds, now)
        ends = sorted({(caller, callee) for _, caller, callee in found})
        return [_edge(*e, _seen(found, *e), found.get((tables.SERVED, *e), CallStats())) for e in ends]


def _unpacked(key: int) -> tuple[int, int, int]:
    return key >> 48, key >> 24 & 0xFFFFFF, key & 0xFFFFFF


def _seen(found: Mapping[tuple[int, str, str], CallStats], caller: str, callee: str) -> CallStats:
    """Return the calls as their caller saw them; where no caller named them, as the callee did."""
    named = found.get((tables.NAMED, caller, callee), CallStats())
    return named if named.calls else found.get((tables.SERVED, caller, callee), named)


def _edge(caller: str, callee: str, seen: CallStats, served: CallStats) -> EdgeStats:
    return EdgeStats(
        caller=caller,
        callee=callee,
        calls=seen.calls,
        failures=seen.failures,
        p95_seconds=seen.p95_seconds,
        failed_traces=seen.failed_traces,
        p50_seconds=seen.p50_seconds,
        total_seconds=seen.total_seconds,
        slow_traces=seen.slow_traces,
        served=served,
    )


def _agent(service: str, agent: str, counters: "np.ndarray[Any, np.dtype[np.int64]]") -> AgentStats:
    return AgentStats(
        service=service,
        agent=agent,
        tasks=int(counters[genai.TASKS]),
        tasks_failed=int(counters[genai.TASKS_FAILED]),
        tokens=int(counters[genai.TOKENS]),
        tokens_of_successes=int(counters[genai.TOKENS_OF_SUCCESSES]),
        outputs=int(counters[genai.OUTPUTS]),
        outputs_truncated=int(counters[genai.TRUNCATED]),
        outputs_invalid=int(counters[genai.INVALID]),
        tool_calls=int(counters[genai.TOOL_CALLS]),
        tools_unknown=int(counters[genai.TOOLS_UNKNOWN]),
    )
