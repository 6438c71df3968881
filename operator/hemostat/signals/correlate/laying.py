"""Blame laid at one moment: all suspects of a namespace, and the cause of each (pure)."""

from collections import deque
from collections.abc import Mapping, Sequence
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
    """Services that are watched and seen to be well."""

    def may_shift(self, service: str) -> bool:
        """Tell whether the service calls one that is watched and well, directly or through services nobody watches."""
        todo, seen = deque(self.callees.get(service, ())), {service}
        while todo:
            callee = todo.popleft()
            if callee in seen:
                continue
            if callee in self.quiet:
                return True
            seen.add(callee)
            todo.extend(self.callees.get(callee, ()))
        return False


def lay(suspects: Mapping[str, Suspect], reports: Sequence[Report], graph: CallGraph, now: datetime) -> Blame:
    """Lay blame on the suspects among all that report."""
    edges = [(e.caller, e.callee) for e in graph.edges]
    callees: dict[str, list[str]] = {}
    for caller, callee in edges:
        callees.setdefault(caller, []).append(callee)
    troubled = {s.service for s in suspects.values()}
    quiet = frozenset(r.service for r in reports if r.fresh) - troubled
    hints = unwatched_troubles(graph, {r.service for r in reports})
    found = cases(list(suspects.values()), edges, quiet, hints)
    case_of = {s.name: case for case in found for s in (case.cause, *case.symptoms)}
    return Blame(now, suspects, case_of, callees, quiet)
