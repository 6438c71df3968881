"""Bounded windows of what traces say: edges, operations, services, agents (pure: time is an argument).

Times are those of arrival on any monotonic or wall clock, never of the span: neither a late span nor a client's skewed
clock can hide a call. What is counted in a second becomes a sparse vector of counters; seconds of the last minute are
kept one by one, older ones in tens, and adding such vectors is all that a question needs.
"""

import math
from collections import deque

import numpy as np

from hemostat.telemetry.exemplars import Failures
from hemostat.telemetry.kernel import tables
from hemostat.telemetry.kernel.fold import Fold, Folded
from hemostat.telemetry.labels import Labels
from hemostat.telemetry.reading import Reading
from hemostat.telemetry.sums import Seconds, summed

FINE_SECONDS = 60
COARSE_SECONDS = 10
KEEP_SECONDS = 600
MAX_BYTES = 96 << 20
"""What is kept of closed seconds in all: beyond it everybody's oldest go."""
REFUSED_SECONDS = 60
"""For so long it is told that something was refused: spans of one service too many, requests that had to wait."""
_RELEASE_EVERY = 10


class TraceWindows:
    """The live call graph and all that is counted with it. Not for several threads at once: callers hold a lock."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._fold = Fold()
        self._labels = Labels(self._fold)
        self._fine: deque[Seconds] = deque()
        self._coarse: deque[Seconds] = deque()
        self._max_bytes = max_bytes
        self._second = 0
        self._released = 0
        self._refused = (0, -math.inf)
        """Spans of services that there was no room for, and when the last of them came."""
        self.newest = -math.inf
        """Arrival time of the newest span that was counted."""

    def take(self, body: bytes, now: float) -> Folded:
        """Count the spans of an export request that arrived at `now`. Raises `Refused` (BadOtlp), nothing counted."""
        self._turn(now)
        folded = self._fold.take(body, self._second)
        if folded.spans > folded.rejected:
            self.newest = max(self.newest, now)
        if folded.rejected and (refused := self.dropped()["services"]) > self._refused[0]:
            self._refused = (refused, now)
        return folded

    def keep(self, service: str, now: float) -> None:
        """Have room for a service, whoever else sends: to be said again at least every ten minutes."""
        self._turn(now)
        self._fold.keep(service, self._second)

    def refuses(self, now: float) -> bool:
        """Tell whether spans were refused lately because too many services send."""
        return now - self._refused[1] < REFUSED_SECONDS

    def warm(self) -> None:
        """Have everything compiled, or fetched from the cache: half a minute, or a fifth of a second."""
        self._fold.warm()

    def dropped(self) -> dict[str, int]:
        """Return how much was not counted as it came, by reason, since the start."""
        return self._fold.dropped()

    def read(self, now: float) -> Reading:
        """Return all that has been counted: a copy of what still changes, so that it is cheap under a lock."""
        self._turn(now)
        fold, present = self._fold, self._present(take=False)
        failed = np.flatnonzero((fold.series[:, tables.S_KEY] >= 0) & (fold.series[:, tables.S_FAILED] > 0))
        return Reading(
            now=now,
            parts=(*self._coarse, *self._fine, *([] if present is None else [present])),
            labels=self._labels.by_series(),
            failures=Failures(failed, fold.series[failed, tables.S_FAILED], fold.failed[failed]),
        )

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
            self._labels.forget()

    def _bound(self, before: int) -> None:
        for kept in (self._coarse, self._fine):
            while kept and (kept[0].end <= before or self._bytes() > self._max_bytes):
                kept.popleft()

    def _bytes(self) -> int:
        return sum(s.nbytes for s in (*self._coarse, *self._fine))

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
