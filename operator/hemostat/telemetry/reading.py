"""What had been counted at one moment, and the questions to it (pure): answers need no lock and may take their time."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from hemostat.telemetry.exemplars import Failures
from hemostat.telemetry.graph import AgentStats, CallGraph, CallStats, EdgeStats, OperationStats
from hemostat.telemetry.kernel import genai, tables
from hemostat.telemetry.labels import Label
from hemostat.telemetry.sums import Seconds, Sums, add

RECENT_SECONDS = 2.0
"""What counts as the present: a second in progress and the one or two before it."""
_SERVING = (2, 5)
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that had been counted at `now`. Immutable."""

    now: float
    parts: tuple[Seconds, ...]
    labels: Mapping[int, Label]
    """By series."""
    failures: Failures

    def into(self, callee: str, seconds: float) -> list[EdgeStats]:
        """Return the statistics of every edge that ends in `callee` over the last `seconds`, sorted by caller, with
        what is going on at present (`EdgeStats.recent`).
        """
        keys = self._edge_keys(lambda label: label.name == callee)
        recent = self._gather(keys, RECENT_SECONDS)
        return [replace(e, recent=_seen(recent, e.caller, e.callee)) for e in self._edges(keys, seconds)]

    def graph(self, seconds: float) -> CallGraph:
        """Return the call graph of the last `seconds`."""
        served = self._gather({s: of.owner for s, of in self.labels.items() if of.kind in _SERVING}, seconds)
        edges = self._edges(self._edge_keys(lambda _: True), seconds)
        return CallGraph(
            seconds=seconds,
            edges=tuple(e for e in edges if e.calls or e.served.calls),
            services={service: stats for service, stats in sorted(served.items()) if stats.calls},
        )

    def operations(self, service: str, seconds: float) -> list[OperationStats]:
        """Return the operations of a service that were called in the last `seconds`, sorted by name and kind."""
        own = {s: (of.name, of.kind) for s, of in self.labels.items() if of.kind < tables.KINDS and of.owner == service}
        found = self._gather(own, seconds)
        return [OperationStats(service, *key, stats) for key, stats in sorted(found.items()) if stats.calls]

    def agents(self, service: str, seconds: float) -> list[AgentStats]:
        """Return what the AI agents of a service did in the last `seconds`, sorted by name."""
        own = {s: of.name for s, of in self.labels.items() if of.kind == tables.AGENT and of.owner == service}
        names, total, _ = self._sums(own, seconds)
        return [_agent(service, name, total.hits[i]) for name, i in sorted(names.items()) if total.hits[i].any()]

    def _edge_keys(self, wanted: Callable[[Label], bool]) -> dict[int, Label]:
        return {s: of for s, of in self.labels.items() if of.kind in (tables.NAMED, tables.SERVED) and wanted(of)}

    def _edges(self, keys: Mapping[int, Label], seconds: float) -> list[EdgeStats]:
        found = self._gather(keys, seconds)
        ends = sorted({(caller, callee) for _, caller, callee in found})
        return [_edge(*e, _seen(found, *e), found.get(Label(tables.SERVED, *e), CallStats())) for e in ends]

    def _gather(self, keys: Mapping[int, _Key], seconds: float) -> dict[_Key, CallStats]:
        """Return the statistics of these series, those with the same key added up."""
        groups, total, failed = self._sums(keys, seconds)
        return dict(zip(groups, total.stats(failed), strict=True))

    def _sums(self, keys: Mapping[int, _Key], seconds: float) -> tuple[dict[_Key, int], Sums, list[tuple[str, ...]]]:
        """Return the group of each key, and by group the sums and the traces of failed calls.

        A second counts while any part of it is in the window.
        """
        groups = {key: i for i, key in enumerate(dict.fromkeys(keys.values()))}
        of = np.full(tables.MAX_SERIES, -1)
        of[list(keys)] = [groups[key] for key in keys.values()]
        since, n = self.now - seconds, len(groups)
        return groups, add([p for p in self.parts if p.end > since], of, n), self.failures.since(since, of, n)


def _seen(found: Mapping[Label, CallStats], caller: str, callee: str) -> CallStats:
    """Return the calls as their caller saw them; where no caller named them, as the callee did."""
    named = found.get(Label(tables.NAMED, caller, callee), CallStats())
    return named if named.calls else found.get(Label(tables.SERVED, caller, callee), named)


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
