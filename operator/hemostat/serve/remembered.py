"""Answers that are kept for a while: bounded in number and time, and asked for once however many want one (asyncio)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Remembers answers, not failures. Used from one event loop.

    :param most: how many are kept; the oldest gives way.
    :param clock: monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._coming: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, ask: Callable[[], Awaitable[tuple[V, float]]]) -> V:
        """Return the answer.

        :param ask: returns it with the seconds for which it may be believed; what it raises is raised to all who wait.
        """
        known = self._known.get(key)
        if known is not None and self._clock() < known[0]:
            return known[1]
        coming = self._coming.get(key)
        if coming is None:
            coming = self._coming[key] = asyncio.ensure_future(self._asked(key, ask))
            coming.add_done_callback(_seen)
        return await asyncio.shield(coming)  # who goes away does not take it from the others

    async def _asked(self, key: K, ask: Callable[[], Awaitable[tuple[V, float]]]) -> V:
        try:
            found, seconds = await ask()
        finally:
            del self._coming[key]
        self._known.pop(key, None)
        self._known[key] = (self._clock() + seconds, found)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return found


def _seen(task: "asyncio.Task[V]") -> None:
    """Look at what it raised, in case nobody waits any more: else asyncio logs it."""
    if not task.cancelled():
        task.exception()
