"""Threads of the views' own: however slow what they ask is, nothing else in the process waits for it (asyncio)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from hemostat.errors import Retry

T = TypeVar("T")


class Crew:
    """Carries out blocking work, so much at once and no more.

    :param threads: how many work.
    :param most: how much may be at work or waiting; beyond it nothing is taken.
    :param seconds: how long somebody waits.
    """

    def __init__(self, name: str, threads: int, most: int, seconds: float) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._most, self._seconds = most, seconds
        self._taken = 0

    async def do(self, work: Callable[[], T]) -> T:
        """Return what the work returns, or raise what it raises; `Retry` where there is too much, or it takes long."""
        if self._taken >= self._most:
            raise Retry("too many are asking at once")
        loop = asyncio.get_running_loop()
        self._taken += 1
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: tell(loop, self._done))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._seconds)
        except TimeoutError:
            raise Retry(f"no answer within {self._seconds:g} s") from None

    def _done(self) -> None:
        self._taken -= 1

    def stop(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Have the loop do something, unless it ended meanwhile: then there is nobody to tell."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what)
