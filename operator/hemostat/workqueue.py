"""A queue of keys that wait for their time: level-based work, each key by one worker at a time.

The shape is that of client-go's rate-limited workqueue: adding a key twice is once, a key added while it is being
worked on is worked on again, and failures back off.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from hemostat.errors import Broken, HemostatError, Retry
from hemostat.metrics import QUEUE_STUCK, RETRIES

K = TypeVar("K", bound=Hashable)
LOG = logging.getLogger(__name__)
BACKOFF_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)
MAX_KEYS = 100_000
AHEAD_SECONDS = 3600.0
"""A key whose next step is due at once counts as waiting for so long already."""


class WorkQueue(Generic[K]):
    """Keys with due times, worked on by threads.

    :param handle: does one step for a key and returns in how many seconds to look again, or None.
        Raises `Retry` to be called again later; any other error is logged and retried with back-off.
    """

    def __init__(
        self, name: str, handle: Callable[[K], float | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._handle = handle
        self._clock = clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._busy: dict[K, float] = {}
        """Keys in hand, and since when."""
        self._failures: dict[K, int] = {}
        self._sequence = 0
        self._condition = threading.Condition()
        self._stopped = False
        self.last_progress = clock()
        """When a worker last finished a key, for the liveness probe."""

    def add(self, key: K, delay: float = 0.0, *, first: bool = False) -> None:
        """Have the key worked on in `delay` seconds, or earlier if it already was to be; or before all that is due."""
        with self._condition:
            due = self._clock() + delay - (AHEAD_SECONDS if first else 0)
            if key not in self._due and len(self._due) >= MAX_KEYS:
                LOG.error("queue %s is full (%d keys); %s is dropped", self.name, MAX_KEYS, key)
                return
            if key not in self._due or due < self._due[key]:
                self._due[key] = due
                self._sequence += 1
                heapq.heappush(self._heap, (due, self._sequence, key))
                self._condition.notify()

    def __len__(self) -> int:
        """Return how many keys wait, those whose time has not come included."""
        with self._condition:
            return len(self._due)

    def run(self) -> None:
        """Work until `stop`. Call it in as many threads as wanted."""
        QUEUE_STUCK.labels(self.name).set_function(self.stuck_for)
        while (key := self._next()) is not None:
            delay = self._work(key)
            with self._condition:
                self._busy.pop(key, None)
                self.last_progress = self._clock()
                self._condition.notify()
            if delay is not None:
                self.add(key, delay, first=delay <= 0)  # in the middle of something: not behind all who only wait

    def stop(self) -> None:
        """Let the workers finish the key they hold and return."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def stuck_for(self) -> float:
        """Return for how many seconds work has been in hand or overdue without any being finished; 0 when idle."""
        with self._condition:
            now = self._clock()
            since = min((*self._busy.values(), *self._due.values()), default=now)
            return max(0.0, now - max(since, self.last_progress))

    def _next(self) -> K | None:
        with self._condition:
            while not self._stopped:
                key, wait = self._pop()
                if key is not None:
                    return key
                self._condition.wait(wait)
        return None

    def _pop(self) -> tuple[K | None, float | None]:
        """Return a due key, or how long to wait for the next."""
        held: list[tuple[float, int, K]] = []
        found: K | None = None
        wait: float | None = None
        now = self._clock()
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) != due:
                heapq.heappop(self._heap)  # an older entry of a key that was moved
            elif due > now:
                wait = due - now
                break
            elif key in self._busy:
                held.append(heapq.heappop(self._heap))
            else:
                heapq.heappop(self._heap)
                del self._due[key]
                self._busy[key] = now
                found = key
                break
        for entry in held:
            heapq.heappush(self._heap, entry)
        return found, wait

    def _work(self, key: K) -> float | None:
        try:
            delay = self._handle(key)
        except Broken:
            raise
        except Retry as error:
            LOG.info("%s %s: %s", self.name, key, error)
            RETRIES.labels(self.name).inc()
            return error.delay_seconds
        except HemostatError as error:
            LOG.warning("%s %s: %s", self.name, key, error)
            return self._backoff(key)
        except Exception:
            LOG.exception("%s %s failed", self.name, key)
            return self._backoff(key)
        self._failures.pop(key, None)
        return delay

    def _backoff(self, key: K) -> float:
        RETRIES.labels(self.name).inc()
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        return BACKOFF_SECONDS[min(count, len(BACKOFF_SECONDS) - 1)]
