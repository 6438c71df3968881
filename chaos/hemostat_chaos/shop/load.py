"""The load generator: requests leave on schedule whether or not earlier ones have been answered."""

import asyncio
import random
import time

from hemostat_chaos.shop.calls import Caller
from hemostat_chaos.shop.metrics import Metrics
from hemostat_chaos.shop.roles import BROWSE, BUY, Call
from hemostat_chaos.shop.settings import Settings

# A process that was stopped for longer than this skips what it missed instead of sending it all at once.
_LONGEST_LAG = 1.0


class Mix:
    """Chooses what the next customer does."""

    def __init__(self, settings: Settings) -> None:
        self._random = random.Random(settings.seed)  # noqa: S311 - reproducible on purpose
        self._buy = settings.buy_percent / 100

    def next(self) -> Call:
        """Return the next request to send."""
        return BUY if self._random.random() < self._buy else BROWSE


class Pace:
    """The open-loop schedule: when the next request is due, and how many a stall made us miss."""

    def __init__(self, rps: float, start: float) -> None:
        self._interval = 1 / rps
        self._due = start

    def next(self, now: float) -> tuple[float, int]:
        """Return the seconds to wait before the next request and the number of requests skipped."""
        missed = 0
        if now - self._due > _LONGEST_LAG:
            missed = int((now - self._due) / self._interval)
            self._due += missed * self._interval
        wait = max(0.0, self._due - now)
        self._due += self._interval
        return wait, missed


class Load:
    """Sends requests to the frontend until cancelled, with a bounded number open."""

    def __init__(self, settings: Settings, caller: Caller, metrics: Metrics) -> None:
        self._settings = settings
        self._caller = caller
        self._metrics = metrics
        self._open: set[asyncio.Task[str]] = set()

    async def run(self) -> None:
        """Send on schedule until cancelled."""
        mix = Mix(self._settings)
        pace = Pace(self._settings.rps, time.monotonic())
        while True:
            wait, missed = pace.next(time.monotonic())
            if missed:
                self._metrics.dropped(missed)
            await asyncio.sleep(wait)
            self._send(mix.next())

    async def finish(self, seconds: float) -> None:
        """Give open requests this long to be answered, then give them up."""
        if not self._open:
            return
        _, late = await asyncio.wait(self._open, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _send(self, call: Call) -> None:
        if len(self._open) >= self._settings.concurrency:
            self._metrics.dropped()
            return
        task = asyncio.create_task(self._caller.call(call))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
