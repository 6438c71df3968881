"""The capacity of one pod: a bounded number of workers and a bounded queue before them.

Work is waiting, not computing, so saturation is real (requests queue, latency rises, more pods relieve it)
while the machine stays idle.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Saturated(Exception):
    """No worker came free: the queue is full, or the wait in it was too long."""


class BusyMeter:
    """Integrates busy workers over time, so that a rate of the total is the true utilisation.

    An instant gauge would see only the moment of the scrape; the integral misses nothing between two.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._total = 0.0
        self._busy = 0

    @property
    def busy(self) -> int:
        """Workers at work now."""
        return self._busy

    def change(self, delta: int) -> None:
        """Account for `delta` workers that have just begun (or, negative, ended)."""
        self._total = self.seconds()
        self._since = self._clock()
        self._busy += delta

    def seconds(self) -> float:
        """Return worker-seconds so far, including those still running."""
        return self._total + self._busy * max(0.0, self._clock() - self._since)


class WorkerPool:
    """Hands out workers in order of arrival and refuses what it cannot queue."""

    def __init__(self, size: int, queue: int, wait: float, clock: Callable[[], float]) -> None:
        self.size = size
        self._queue = queue
        self._wait = wait
        self._meter = BusyMeter(clock)
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def busy(self) -> int:
        """Workers at work now."""
        return self._meter.busy

    @property
    def queued(self) -> int:
        """Requests waiting for a worker now."""
        return len(self._waiting)

    def busy_seconds(self) -> float:
        """Return worker-seconds spent so far."""
        return self._meter.seconds()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Hold one worker for the block; raise Saturated instead of waiting without end."""
        if self._meter.busy < self.size:
            self._meter.change(+1)
        elif len(self._waiting) >= self._queue:
            raise Saturated(f"{self.size} workers busy, {len(self._waiting)} requests queued")
        else:
            await self._turn()
        try:
            yield
        finally:
            self._pass_on()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        done = False
        try:
            async with asyncio.timeout(self._wait):
                await turn
            done = True
        except TimeoutError as error:
            raise Saturated(f"no worker within {self._wait:g} s") from error
        finally:
            if not done:
                self._leave(turn)

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif turn.done() and not turn.cancelled():
            self._pass_on()  # the worker was handed over in the very moment this request gave up

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the worker stays busy: it goes to the next request
                return
        self._meter.change(-1)
