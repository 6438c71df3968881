"""Holding locks of the tool server, so that waiting for them can be seen and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientSession, ClientTimeout

from hemostat.guard import Guard
from hemostat_chaos.agents.settings import Settings

TIMEOUT = ClientTimeout(total=5)
POLL_SECONDS = 0.5
RENEW_SECONDS = 3.0


class Locks:
    """The locks, for one agent's process. They make no spans of HTTP: a wait is one span, which the guard makes."""

    def __init__(self, settings: Settings, session: ClientSession, guard: Guard) -> None:
        self._url = f"{settings.tools_url.rstrip('/')}/locks"
        self._session = session
        self._guard = guard

    @asynccontextmanager
    async def held(self, lock: str, who: str) -> AsyncIterator[None]:
        """Hold a lock while the body runs; wait for it as long as it takes."""
        while (holder := await self._take(lock, who)) != who:
            async with self._guard.wait(f"lock:{lock}", holder=holder):
                while await self._take(lock, who) == holder:
                    await asyncio.sleep(POLL_SECONDS)
        renewing = asyncio.create_task(self._renew(lock, who))
        try:
            with self._guard.holding(f"lock:{lock}"):
                yield
        finally:
            renewing.cancel()
            await asyncio.shield(self._release(lock, who))

    async def _take(self, lock: str, who: str) -> str:
        async with self._session.put(f"{self._url}/{lock}", json={"who": who}, timeout=TIMEOUT) as response:
            response.raise_for_status()
            return str((await response.json())["holder"])

    async def _renew(self, lock: str, who: str) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._take(lock, who)
            except (ClientError, TimeoutError) as error:
                print(f"lock {lock} could not be renewed: {error!r}", flush=True)

    async def _release(self, lock: str, who: str) -> None:
        try:
            async with self._session.delete(f"{self._url}/{lock}", json={"who": who}, timeout=TIMEOUT):
                return
        except (ClientError, TimeoutError) as error:
            print(f"lock {lock} could not be given back, its lease will end: {error!r}", flush=True)
