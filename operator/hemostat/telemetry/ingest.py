"""The two ports of OTLP and what they share (shell).

They have an event loop and a thread of their own: requests are counted right there, one after the other as the tables
want it, and the loop of the rest of the process is not held up.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from hemostat.telemetry.http import HttpServer
from hemostat.telemetry.receiver import STOP_SECONDS, Receiver
from hemostat.telemetry.rpc import GrpcServer

PUBLISH_SECONDS = 5.0


class Ingest:
    """Receives OTLP over gRPC and HTTP. Ports open once the scanner is compiled, which the image has done already."""

    def __init__(self, receiver: Receiver, http_port: int, grpc_port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's ports
        self._receiver = receiver
        self._servers = (GrpcServer(receiver, grpc_port, host), HttpServer(receiver, http_port, host))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="otlp", daemon=True)
        self._publishing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Compile, then listen. Raises `HemostatError` when a port cannot be opened."""
        await asyncio.to_thread(self._receiver.warm)
        self._receiver.backlog.start()
        self._thread.start()
        for server in self._servers:
            await self._there(server.start())
        self._publishing = asyncio.create_task(self._publish())

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        if self._publishing is not None:
            self._publishing.cancel()
        if self._thread.is_alive():
            await asyncio.gather(*(self._there(server.stop()) for server in self._servers))
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)
            await asyncio.to_thread(self._receiver.backlog.stop, STOP_SECONDS)
        self._loop.close()

    async def _there(self, work: Coroutine[Any, Any, None]) -> None:
        """Have work done by the ports' own loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _publish(self) -> None:
        while True:
            await asyncio.to_thread(self._receiver.publish_dropped)
            await asyncio.sleep(PUBLISH_SECONDS)
