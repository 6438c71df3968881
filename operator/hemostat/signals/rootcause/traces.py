"""Spans -> series in short buckets: own time, calls, errors, both ends of an edge, and how calls unfold (pure).

A trace is folded once it is complete, that is when enough other spans came after it; then it is forgotten. What calls
usually set off ("97 % of ListProducts read the catalogue") is what Nezha (Yu et al., FSE 2023) mines as event patterns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hemostat.errors import Refused
from hemostat.signals.rootcause.evidence import Sign
from hemostat.signals.rootcause.meaning import Direction, Meaning
from hemostat.signals.rootcause.series import Recorded

BUCKET_SECONDS = 15.0
MAX_OPEN_SPANS = 200_000
"""Spans kept while their traces may still grow; beyond it the oldest trace is folded as it is."""
MAX_CELLS = 2_000_000
"""Numbers kept (operations and edges times buckets)."""
LEAST_CALLS = 5
"""Fewer calls in a bucket say nothing about how they usually unfold."""
UNFOLDING = Meaning(Sign.COURSE, Direction.BOTH)

Key = tuple[str, str, str]
"""(what is counted, service, peer or operations)."""


@dataclass(frozen=True, slots=True)
class Span:
    """One span of a recording."""

    trace_id: str
    span_id: str
    parent_id: str
    """Empty for a root."""
    service: str
    name: str
    start: float
    """Seconds since the epoch."""
    end: float
    failed: bool
    calling: bool | None = None
    """Whether it is a call to another service (kind client or producer); None where the kind is not told."""
    peer: str = ""
    """The callee, where the span names it."""

    @property
    def seconds(self) -> float:
        """Duration, never negative."""
        return max(0.0, self.end - self.start)


class Fold:
    """Collects spans into sums per bucket."""

    def __init__(self, max_open: int = MAX_OPEN_SPANS, max_cells: int = MAX_CELLS) -> None:
        self._open: dict[str, list[Span]] = {}
        self.held = 0
        """Spans whose traces may still grow."""
        self._max_open = max_open
        self._max_cells = max_cells
        self._sums: dict[tuple[Key, int], float] = {}

    def add(self, span: Span) -> None:
        """Take a span. Raises `Refused` when there are more operations and edges than can be kept."""
        self._open.setdefault(span.trace_id, []).append(span)
        self.held += 1
        while self.held > self._max_open:
            self._close(next(iter(self._open)))

    def series(self) -> list[Recorded]:
        """Return what was seen as series, oldest sample first; all traces are folded."""
        for trace_id in list(self._open):
            self._close(trace_id)
        return list(_series(self._sums))

    def _close(self, trace_id: str) -> None:
        spans = self._open.pop(trace_id)
        self.held -= len(spans)
        by_id = {s.span_id: s for s in spans}
        children: dict[str, list[Span]] = {}
        parents = {s.span_id: by_id[s.parent_id] for s in spans if s.parent_id in by_id and s.parent_id != s.span_id}
        for span in spans:
            if span.span_id in parents:
                children.setdefault(span.parent_id, []).append(span)
        for span in spans:
            parent = parents.get(span.span_id)
            self._fold(span, parent, children.get(span.span_id, ()), len(children.get(span.parent_id, ())))
        if len(self._sums) > self._max_cells:
            raise Refused(
                "TooManyOperations",
                f"more than {self._max_cells:,} numbers (operations and edges times {BUCKET_SECONDS:g} s):"
                " record a shorter time, or give spans names without ids in them",
            )

    def _fold(self, span: Span, parent: Span | None, children: Sequence[Span], siblings: int) -> None:
        if not self._waits(span, children):
            self._count(("own", span.service, ""), span, own_seconds(span, children))
        if parent is None or parent.service != span.service:
            self._count(("calls", span.service, ""), span)
            self._count(("errors", span.service, ""), span, float(span.failed))
        if parent is not None and parent.service != span.service:
            self._count(("calls", parent.service, span.service), span)
            self._count(("inner", parent.service, span.service), span, span.seconds)
            if parent.calling or (parent.calling is None and siblings == 1):
                self._count(("outer calls", parent.service, span.service), span)
                self._count(("outer", parent.service, span.service), span, parent.seconds)
        elif span.peer and not children:
            self._count(("calls", span.service, span.peer), span)
            self._count(("outer calls", span.service, span.peer), span)
            self._count(("outer", span.service, span.peer), span, span.seconds)
        self._count(("operation", span.service, span.name), span)
        for child in {c.name if c.service == span.service else f"{c.name} of {c.service}" for c in children}:
            self._count(("unfolds", span.service, f"{span.name}\n{child}"), span)

    @staticmethod
    def _waits(span: Span, children: Sequence[Span]) -> bool:
        """Say whether a span is nothing but a call to another service: what it takes is not its service's doing."""
        if span.calling is not None:
            return span.calling
        return len(children) == 1 and children[0].service != span.service

    def _count(self, key: Key, span: Span, amount: float = 1.0) -> None:
        cell = key, int(span.start // BUCKET_SECONDS)
        self._sums[cell] = self._sums.get(cell, 0.0) + amount


def own_seconds(span: Span, children: Sequence[Span]) -> float:
    """Return the time in which a span waited for none of its children."""
    waited, until = 0.0, span.start
    for child in sorted(children, key=lambda c: c.start):
        start, end = max(child.start, until), min(child.end, span.end)
        if end > start:
            waited += end - start
            until = end
    return max(0.0, span.seconds - waited)


def _series(sums: dict[tuple[Key, int], float]) -> Iterable[Recorded]:
    table: dict[Key, dict[int, float]] = {}
    for (key, bucket), amount in sums.items():
        table.setdefault(key, {})[bucket] = amount
    for key in sorted(table):
        what, service, other = key
        if what == "calls":
            yield _recorded("calls", service, other, table[key])
        elif what in ("own", "errors"):
            name = "own_latency_seconds" if what == "own" else "errors_per_call"
            yield _recorded(name, service, "", _ratio(table[key], table.get(("calls", service, ""), {})))
        elif what == "inner":
            counted = table[("calls", service, other)]
            yield _recorded("destination_latency_seconds", service, other, _ratio(table[key], counted))
        elif what == "outer":
            counted = table[("outer calls", service, other)]
            yield _recorded("source_latency_seconds", service, other, _ratio(table[key], counted))
        elif what == "unfolds":
            yield _unfolding(service, other, table[key], table[("operation", service, other.partition("\n")[0])])


def _unfolding(service: str, names: str, seen: dict[int, float], calls: dict[int, float]) -> Recorded:
    """Return the share of an operation's calls that set another off."""
    operation, _, child = names.partition("\n")
    busy = {b: n for b, n in calls.items() if n >= LEAST_CALLS}
    share = {b: seen.get(b, 0.0) / n for b, n in busy.items()}
    return _recorded(f"share of {operation} that set off {child}", service, "", share, UNFOLDING)


def _ratio(amounts: dict[int, float], counts: dict[int, float]) -> dict[int, float]:
    return {b: amount / counts[b] for b, amount in amounts.items() if counts.get(b)}


def _recorded(name: str, service: str, peer: str, cells: dict[int, float], meant: Meaning | None = None) -> Recorded:
    buckets = sorted(cells)
    times = (np.array(buckets, dtype=np.float64) + 0.5) * BUCKET_SECONDS
    return Recorded(name, service, peer, "", times, np.array([cells[b] for b in buckets]), meant)
