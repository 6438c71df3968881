"""Request bodies that arrive at the same time, bounded in number, bytes and time (shell)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Arrivals:
    """Has room for so many bodies; when there is none, the one that has been arriving for longest is given up.

    Good senders are done in milliseconds: those who trickle in give way to them, and not the other way round.

    :param most: bodies at once.
    :param max_bytes: what they take in all.
    :param seconds: how long each may take, waiting for its turn included.
    """

    def __init__(self, most: int, max_bytes: int, seconds: float) -> None:
        self._most = most
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._sizes: dict[asyncio.Timeout, int] = {}
        """Of each that was not given up, the oldest first."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[asyncio.Timeout]:
        """Keep room for a body meanwhile; tell `grown` what it takes. Raises `TimeoutError` when it is given up."""
        async with asyncio.timeout(self._seconds) as body:
            self.grown(body, 0)
            try:
                yield body
            finally:
                self._sizes.pop(body, None)

    def grown(self, body: asyncio.Timeout, size: int) -> None:
        """Note how large a body has become, and give up the oldest ones that there is no room for."""
        if not body.expired():
            self._sizes[body] = size
        while len(self._sizes) > self._most or sum(self._sizes.values()) > self._max_bytes:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest]
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())
