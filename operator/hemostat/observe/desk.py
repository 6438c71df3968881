"""Where all Watches' looks come together: one board a namespace, behind one lock (shell).

Nothing is asked of the API server while the lock is held: what the boards need to know is listed before, at most once
a second and namespace however many Watches ask.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hemostat.api.incident import Incident
from hemostat.signals.correlate import Board, Report, Word
from hemostat.telemetry.graph import CallGraph

LISTED_FOR = timedelta(seconds=1)
GRAPH_FOR = timedelta(seconds=5)
"""Drawing a call graph of thousands of edges takes a fifth of a second of the processor."""
GRAPH_SECONDS = 60.0
"""Who called whom so long ago still counts as calling."""
CROWDED = 10
"""Incidents opened in the whole cluster within a minute; from then on one a namespace must do."""
MAX_NAMESPACES = 2_000


@dataclass(frozen=True, slots=True)
class _Listing:
    asked: datetime
    incidents: tuple[Incident, ...]


class Desk:
    """Tells each Watch what to do about what it sees. Thread-safe.

    :param list_incidents: all Incidents of a namespace, from the API server.
    :param graph: the live call graph.
    """

    def __init__(self, list_incidents: Callable[[str], Sequence[Incident]], graph: Callable[[], CallGraph]) -> None:
        self._list = list_incidents
        self._graph = graph
        self._lock = threading.Lock()
        self._boards: dict[str, Board] = {}
        self._listings: dict[str, _Listing] = {}
        self._pen = threading.Lock()
        """Held by who draws the call graph: nobody draws it twice."""
        self._drawn: tuple[datetime, CallGraph] | None = None

    def report(self, namespace: str, report: Report, now: datetime) -> None:
        """Take note of a look."""
        with self._lock:
            self._board(namespace).report(report, now)

    def word(self, namespace: str, watch: str, now: datetime) -> Word:
        """Say what the Watch is to do. Raises what listing Incidents raises."""
        self.incidents(namespace, now)
        graph = self.drawing(now)
        with self._lock:
            board = self._board(namespace)
            elsewhere = sum(b.recent(now) for b in self._boards.values())
            return board.word(watch, graph, now, crowded=elsewhere >= CROWDED)

    def incidents(self, namespace: str, now: datetime) -> tuple[Incident, ...]:
        """Return the namespace's Incidents as they were at most a second ago."""
        with self._lock:
            known = self._listings.get(namespace)
        if known is not None and timedelta(0) <= now - known.asked < LISTED_FOR:
            return known.incidents
        listing = _Listing(now, tuple(self._list(namespace)))
        with self._lock:
            self._listings[namespace] = listing
            self._board(namespace).listed(listing.incidents, now)
        return listing.incidents

    def opened(self, namespace: str, watch: str, incident: str, now: datetime) -> None:
        """Take note of an Incident that was just opened, before it is listed."""
        with self._lock:
            self._board(namespace).opened(watch, incident, now)
            self._outdate(namespace)

    def written(self, namespace: str) -> None:
        """Have the Incidents listed anew: one of them was changed."""
        with self._lock:
            self._outdate(namespace)

    def dismiss(self, namespace: str, incident: str, now: datetime) -> None:
        """Take note that a person deleted an Incident."""
        with self._lock:
            self._board(namespace).dismiss(incident, now)
            self._outdate(namespace)

    def forget(self, namespace: str, watch: str) -> None:
        """Drop a Watch that was deleted."""
        with self._lock:
            if namespace in self._boards:
                self._boards[namespace].forget(watch)

    def _outdate(self, namespace: str) -> None:
        known = self._listings.get(namespace)
        if known is not None:
            self._listings[namespace] = replace(known, asked=known.asked - LISTED_FOR)

    def _board(self, namespace: str) -> Board:
        if namespace not in self._boards:
            while len(self._boards) >= MAX_NAMESPACES:
                oldest = next(iter(self._boards))
                del self._boards[oldest]
                self._listings.pop(oldest, None)
            self._boards[namespace] = Board()
        return self._boards[namespace]

    def drawing(self, now: datetime) -> CallGraph:
        """Return the call graph as it was at most five seconds ago."""
        with self._pen:
            drawn = self._drawn
            if drawn is None or not timedelta(0) <= now - drawn[0] < GRAPH_FOR:
                self._drawn = drawn = (now, self._graph())
            return drawn[1]
