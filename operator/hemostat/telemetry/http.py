"""The port of OTLP/HTTP (shell)."""

import asyncio

from hemostat.errors import HemostatError
from hemostat.telemetry.connection import Connection, Shared
from hemostat.telemetry.receiver import STOP_SECONDS, Receiver


class HttpServer:
    """Serves the receiver on a port.

    :param host: address to listen on.
    """

    def __init__(self, receiver: Receiver, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's port
        self._shared = Shared(receiver)
        self._address = (host, port)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the port. Raises `HemostatError` when it cannot be opened."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self._shared), *self._address)
        except OSError as error:
            raise HemostatError(f"port {self._address[1]} cannot be opened: {error}") from error

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._shared.open):
            connection.finish()
        for _ in range(20):
            if not self._shared.open:
                break
            await asyncio.sleep(STOP_SECONDS / 20)
        for connection in list(self._shared.open):
            connection.abort()
        self._shared.json.shutdown(wait=False, cancel_futures=True)
