"""A process's own port, on aiohttp: connections are bounded in number and in how long they may say nothing (shell)."""

import asyncio
from collections.abc import Callable, Collection

from aiohttp import web

MAX_CONNECTIONS = 256
"""Then the one that was opened first is closed for a newcomer: probes and good senders are done in milliseconds."""
HELD: web.AppKey[set[web.RequestHandler]] = web.AppKey("held", set)
"""Connections that are not closed for a newcomer: people who are known. Who adds one takes it out, and bounds them."""
SILENT_SECONDS = 10.0
"""How long the head of a request may take to arrive, the first as well as the next ones."""
BUFFER_BYTES = 16384
"""What of a body is kept for each connection before somebody reads it."""
LINGER_SECONDS = 2.0
"""How long the rest of a body that was refused is read, so that its sender sees the answer."""


class Pages:
    """Serves an application on one port."""

    def __init__(self, app: web.Application) -> None:
        self._held: set[web.RequestHandler] = set()
        app[HELD] = self._held
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=SILENT_SECONDS,
            lingering_time=LINGER_SECONDS,
            read_bufsize=BUFFER_BYTES,
        )
        self._port: asyncio.Server | None = None

    async def start(self, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's port
        """Open the port. Raises `OSError` when it cannot be opened."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None, "it was set up"
        self._port = await asyncio.get_running_loop().create_server(door(server, self._held), host, port)

    async def cleanup(self) -> None:
        """Close the port; what is being answered is answered, in bounded time."""
        if self._port is not None:
            self._port.close()
        await self._runner.cleanup()


def door(server: web.Server, held: Collection[web.RequestHandler] = ()) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of a new connection, and room for it."""

    def make_room() -> None:
        open_ = [connection for connection in server.connections if connection.transport is not None]
        strangers = [connection for connection in open_ if connection not in held]
        for connection in strangers[: max(0, len(open_) - MAX_CONNECTIONS + 1)]:
            connection.force_close()

    def enter() -> asyncio.Protocol:
        asyncio.get_running_loop().call_soon(make_room)  # of those that came with it, the earlier ones are open by then
        return server()

    return enter
