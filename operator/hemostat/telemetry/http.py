"""OTLP/HTTP: POST /v1/traces, protobuf or JSON, optionally gzip (shell).

200 with what was taken, 400 for what can never be, 408 for a body that trickles in, 413 for too much, 415 for another
content type, 503 with Retry-After when too much is waiting already. Bodies are in the request's own encoding.

The port has an event loop and a thread of its own: requests are counted right there, one after the other as the tables
want it, and the loop of the rest of the process is not held up. Only JSON, which is slow, goes to other threads.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp import web
from google.protobuf.message import Message

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import OTLP_REQUESTS
from hemostat.telemetry.otlp import INVALID_ARGUMENT, RETRY_SECONDS, UNAVAILABLE, accepted, as_json, status
from hemostat.telemetry.receiver import STOP_SECONDS, THREADS, Receiver

PROTOBUF, JSON = "application/x-protobuf", "application/json"
BUFFER_BYTES = 128 << 10
"""Twice as much of a body may arrive before somebody reads it."""
READ_SECONDS = 10.0
"""A body must have arrived by then."""


class HttpServer:
    """Serves the receiver on a port.

    :param host: address to listen on.
    """

    def __init__(self, receiver: Receiver, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's port
        self._receiver = receiver
        self._address = (host, port)
        self._pool = ThreadPoolExecutor(THREADS, "otlp-json")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="otlp-http", daemon=True)
        self._runner = web.AppRunner(
            self.application(),
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=STOP_SECONDS,
            read_bufsize=BUFFER_BYTES,
        )

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=self._receiver.max_bytes)
        app.router.add_post("/v1/traces", self.traces)
        return app

    async def start(self) -> None:
        """Open the port. Raises `HemostatError` when it cannot be opened."""
        self._thread.start()
        try:
            await self._there(self._open())
        except OSError as error:
            raise HemostatError(f"port {self._address[1]} cannot be opened: {error}") from error

    async def _open(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._address).start()

    async def _there(self, work: Coroutine[Any, Any, None]) -> None:
        """Have work done by the port's own loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        if self._thread.is_alive():
            await self._there(self._runner.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)
        self._loop.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def traces(self, request: web.Request) -> web.Response:
        """Take one export request."""
        response = await self._answer(request)
        OTLP_REQUESTS.labels("http", str(response.status)).inc()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        json = request.content_type == JSON
        if not json and request.content_type != PROTOBUF:
            return web.Response(status=415, text=f"send {PROTOBUF} or {JSON}")
        encoding = request.headers.get("Content-Encoding", "identity")
        if encoding not in ("gzip", "identity"):
            return web.Response(status=415, text="send it as gzip or as it is")
        largest = self._receiver.max_bytes
        if (request.content_length or 0) > largest:
            return _wrong(413, f"more than {largest} bytes; send smaller batches", json=json)
        try:
            return await self._take(request, json=json, gzip=encoding == "gzip")
        except web.HTTPRequestEntityTooLarge:
            return _wrong(413, f"more than {largest} bytes; send smaller batches", json=json)
        except TimeoutError:
            return _wrong(408, f"the body did not arrive within {READ_SECONDS:g} s", json=json)
        except Refused as error:
            return _wrong(413 if error.reason == "TooLarge" else 400, str(error), json=json)
        except Retry as error:
            return _wrong(503, str(error), json=json)

    async def _take(self, request: web.Request, *, json: bool, gzip: bool) -> web.Response:
        size = self._receiver.max_bytes if request.content_length is None else request.content_length
        self._receiver.admit(size)
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.read()
            take = partial(self._receiver.take, body, json=json, gzip=gzip)
            folded = await asyncio.get_running_loop().run_in_executor(self._pool, take) if json else take()
        finally:
            self._receiver.leave(size)
        return _message(200, accepted(folded), json=json)


def _message(code: int, message: Message, *, json: bool) -> web.Response:
    body = as_json(message) if json else message.SerializeToString()
    return web.Response(status=code, body=body, content_type=JSON if json else PROTOBUF)


def _wrong(code: int, words: str, *, json: bool) -> web.Response:
    retry = RETRY_SECONDS if code == 503 else 0
    response = _message(code, status(UNAVAILABLE if retry else INVALID_ARGUMENT, words, retry), json=json)
    if retry:
        response.headers["Retry-After"] = str(retry)
    return response
