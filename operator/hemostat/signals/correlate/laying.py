"""Blame laid at one moment: all suspects of a namespace, and the cause of each (pure)."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.signals.correlate.blame import Case, Suspect, cases
from hemostat.signals.correlate.hints import unwatched_troubles
from hemostat.signals.correlate.report import Report
from hemostat.telemetry.graph import CallGraph


@dataclass(frozen=True, slots=True)
class Blame:
    """Who is blamed for what."""

    time: datetime
    suspects: Mapping[str, Suspect]
    """By Watch."""
    case_of: Mapping[str, Case]
    """By Watch."""
    callees: Mapping[str, Sequence[str]]
    """By service."""
    quiet: frozenset[str]
    """Services that are watched and seen to be well, or lack no more than room in a quota."""

    def may_shift(self, service: str) -> bool:
        """Tell whether the service calls one that is watched and well, directly or through services nobody watches."""
        return any(callee in self.quiet for callee in _below((service,), self.callees) if callee != service)


def lay(suspects: Mapping[str, Suspect], reports: Sequence[Report], graph: CallGraph, now: datetime) -> Blame:
    """Lay blame on the suspects among all that report."""
    callees: dict[str, list[str]] = {}
    for edge in graph.edges:
        callees.setdefault(edge.caller, []).append(edge.callee)
    troubled = {s.service for s in suspects.values() if not s.quota.harmless}
    quiet = frozenset([*(r.service for r in reports if r.fresh), *(s.service for s in suspects.values())]) - troubled
    near = set(_below(troubled, callees))
    edges = [(e.caller, e.callee) for e in graph.edges if e.callee in near]
    hints = unwatched_troubles([e for e in graph.edges if e.callee in near], {r.service for r in reports})
    found = cases(list(suspects.values()), edges, quiet, hints)
    case_of = {s.name: case for case in found for s in (case.cause, *case.symptoms)}
    return Blame(now, suspects, case_of, callees, quiet)


def _below(services: Collection[str], callees: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield these services and all that they call, directly or not: nobody else has to do with their trouble."""
    found, todo = set(services), deque(services)
    while todo:
        service = todo.popleft()
        yield service
        new = [c for c in dict.fromkeys(callees.get(service, ())) if c not in found]
        found.update(new)
        todo.extend(new)
