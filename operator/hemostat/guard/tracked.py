"""Which spans are open, and when each is due to be told of again. No I/O; time is an argument, in monotonic seconds."""

import threading
import weakref
from dataclasses import dataclass

from opentelemetry.sdk.trace import Span


@dataclass(slots=True)
class Tracked:
    """One open span. Held weakly: a span that was forgotten without an end must not look open for ever."""

    span: weakref.ref[Span]
    due: float


class OpenSpans:
    """The lock may be taken again by who holds it: any allocation may have the collector close a generator whose span
    ends then, in this very thread. So nothing is iterated over that such an end could change.

    Two bounded tables: spans that are told of, and spans that may turn out to be of that kind once their attributes
    are set (Google ADK and OpenInference's LangChain instrumentation set them after the start).

    :param interval: seconds between two heartbeats of a span.
    :param bound: how many spans each table holds; what is beyond is counted in `untracked`.
    """

    def __init__(self, interval: float, bound: int) -> None:
        self.untracked = 0
        self._interval = interval
        self._bound = bound
        self.renew()

    def renew(self) -> None:
        """Forget everything: after a fork the spans are the parent's."""
        self._lock = threading.RLock()
        self._told: dict[int, Tracked] = {}
        self._candidates: dict[int, Tracked] = {}

    def __len__(self) -> int:
        return len(self._told)

    def begin(self, key: int, span: Span, now: float, *, told: bool) -> bool:
        """Follow a span from now on; return whether there was room."""
        with self._lock:
            table = self._told if told else self._candidates
            if len(table) >= self._bound:
                self.untracked += 1
                return False
            table[key] = Tracked(weakref.ref(span), now + self._interval)
            return True

    def end(self, key: int) -> bool:
        """Forget a span that ended; return whether its start was told."""
        with self._lock:
            self._candidates.pop(key, None)
            return self._told.pop(key, None) is not None

    def candidates(self) -> list[tuple[int, Span]]:
        """Return the open spans that were not recognised so far."""
        with self._lock:
            found = [(key, tracked.span()) for key, tracked in self._candidates.copy().items()]
            for key, span in found:
                if span is None:
                    self._candidates.pop(key, None)
            return [(key, span) for key, span in found if span is not None]

    def recognise(self, key: int, span: Span, now: float) -> bool:
        """Turn a candidate into one that is told of; False when it has ended meanwhile or there is no room."""
        with self._lock:
            if self._candidates.pop(key, None) is None:
                return False
        return self.begin(key, span, now, told=True)

    def due(self, now: float) -> list[Span]:
        """Return the spans whose heartbeat is due, and set their next one. Insertion order is the order of `due`."""
        found: list[Span] = []
        with self._lock:
            for key, tracked in self._told.copy().items():
                if tracked.due > now:
                    break
                if self._told.pop(key, None) is not None and (span := tracked.span()) is not None:
                    tracked.due = now + self._interval
                    self._told[key] = tracked
                    found.append(span)
        return found
