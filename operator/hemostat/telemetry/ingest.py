"""The two ports of OTLP and what they share (shell)."""

import asyncio

from hemostat.telemetry.http import HttpServer
from hemostat.telemetry.receiver import Receiver
from hemostat.telemetry.rpc import GrpcServer

PUBLISH_SECONDS = 5.0


class Ingest:
    """Receives OTLP over gRPC and HTTP. Ports open once the scanner is compiled, which the image has done already."""

    def __init__(self, receiver: Receiver, http_port: int, grpc_port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's ports
        self._receiver = receiver
        self._addresses = (host, http_port, grpc_port)
        self._servers: list[HttpServer | GrpcServer] = []
        self._publishing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Compile, then listen. Raises `HemostatError` when a port cannot be opened."""
        await asyncio.to_thread(self._receiver.warm)
        host, http_port, grpc_port = self._addresses
        for server in (GrpcServer(self._receiver, grpc_port, host), HttpServer(self._receiver, http_port, host)):
            await server.start()
            self._servers.append(server)
        self._publishing = asyncio.create_task(self._publish())

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        if self._publishing is not None:
            self._publishing.cancel()
        await asyncio.gather(*(server.stop() for server in self._servers))

    async def _publish(self) -> None:
        while True:
            await asyncio.to_thread(self._receiver.publish_dropped)
            await asyncio.sleep(PUBLISH_SECONDS)
