"""OTLP/HTTP: POST /v1/traces, protobuf or JSON, optionally gzip (shell).

200 with what was taken, 400 for what can never be, 408 for a body that trickles in, 413 for too much, 415 for another
content type, 503 with Retry-After when too much is waiting already. Bodies are in the request's own encoding.

The port has an event loop and a thread of its own: requests are counted right there, one after the other as the tables
want it, and the loop of the rest of the process is not held up. A web framework took more time than the counting, so
here is only llhttp, which reads HTTP (httptools), and what OTLP needs.
"""

import asyncio
import threading
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

import httptools
from google.protobuf.message import Message

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import OTLP_REQUESTS
from hemostat.telemetry.otlp import INVALID_ARGUMENT, RETRY_SECONDS, UNAVAILABLE, accepted, as_json, status
from hemostat.telemetry.receiver import STOP_SECONDS, Receiver

PROTOBUF, JSON = b"application/x-protobuf", b"application/json"
PATH = b"/v1/traces"
MAX_HEAD = 32 << 10
"""Bytes of a request before its body."""
MAX_CONNECTIONS = 1024
READ_SECONDS = 10.0
"""A request must have arrived by then."""
IDLE_SECONDS = 120.0
_LINGER_SECONDS = 1.0
"""How long what is sent after a refusal is read and thrown away, so that the refusal arrives."""


class HttpServer:
    """Serves the receiver on a port.

    :param host: address to listen on.
    """

    def __init__(self, receiver: Receiver, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's port
        self._receiver = receiver
        self._address = (host, port)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="otlp-http", daemon=True)

    async def start(self) -> None:
        """Open the port. Raises `HemostatError` when it cannot be opened."""
        self._thread.start()
        try:
            await self._there(self._open())
        except OSError as error:
            raise HemostatError(f"port {self._address[1]} cannot be opened: {error}") from error

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        if self._thread.is_alive():
            await self._there(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _there(self, work: Coroutine[Any, Any, None]) -> None:
        """Have work done by the port's own loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _open(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._connection, *self._address)

    def _connection(self) -> "Connection":
        return Connection(self._receiver, self._connections)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.finish()
        for _ in range(20):
            if not self._connections:
                return
            await asyncio.sleep(STOP_SECONDS / 20)
        for connection in list(self._connections):
            connection.abort()


class Connection(asyncio.Protocol):
    """One sender; its requests are answered in order."""

    def __init__(self, receiver: Receiver, others: "set[Connection]") -> None:
        self._receiver = receiver
        self._others = others
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending = self._refused = False
        self._admitted = self._head = 0
        self._reading = False
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0

    # --- what asyncio tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._others) >= MAX_CONNECTIONS:
            self._refuse(503, "too many connections")
        self._others.add(self)
        self._await(IDLE_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Read on; whole requests are answered at once."""
        if not self._reading and not self._refused:
            self._reading = True
            self._await(READ_SECONDS)
        going_on = self._url and not self._admitted  # of a head that had begun before
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400, "not HTTP/1.1 as it is understood here")
        if going_on and self._url and not self._admitted:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse(431, f"more than {MAX_HEAD} bytes before the body")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's form
        """Forget it."""
        self._leave()
        self._others.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """Read nothing from who does not read our answers."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if self._transport is not None:
            self._transport.resume_reading()

    # --- what the parser tells ------------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted, and set room aside for it."""
        self._head = 0
        if self._refused:
            return
        problem = self._problem()
        if problem is not None:
            self._refuse(*problem)
            return
        length = self._headers.get(b"content-length")
        size = self._receiver.max_bytes if length is None else int(length)
        try:
            self._receiver.admit(max(size, 1))
        except Retry as error:
            self._refuse(503, str(error))
            return
        self._admitted = max(size, 1)
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._refused:
            return
        self._size += len(body)
        if self._size > self._receiver.max_bytes:
            self._refuse(413, self._too_large())
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Count the request and answer it."""
        if self._refused:
            self._end()
            return
        code, message = self._take()
        last = self._ending or not self._parser.should_keep_alive()
        self._respond(code, message, last=last)
        self._leave()
        self._begin()
        self._reading = False
        if last:
            self._end()
        else:
            self._await(IDLE_SECONDS)

    # --- ours -----------------------------------------------------------------------------------------------

    @property
    def _json(self) -> bool:
        return self._content_type == JSON

    @property
    def _content_type(self) -> bytes:
        return self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower()

    def _problem(self) -> tuple[int, str] | None:
        if self._url.partition(b"?")[0] != PATH:
            return 404, f"there is only {PATH.decode()}"
        if self._parser.get_method() != b"POST":
            return 405, "POST it"
        if self._content_type not in (PROTOBUF, JSON):
            return 415, f"send {PROTOBUF.decode()} or {JSON.decode()}"
        if self._headers.get(b"content-encoding", b"identity").lower() not in (b"gzip", b"identity"):
            return 415, "send it as gzip or as it is"
        length = self._headers.get(b"content-length", b"0")
        return (413, self._too_large()) if int(length) > self._receiver.max_bytes else None

    def _too_large(self) -> str:
        return f"more than {self._receiver.max_bytes} bytes; send smaller batches"

    def _take(self) -> tuple[int, Message]:
        gzip = self._headers.get(b"content-encoding", b"").lower() == b"gzip"
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        try:
            return 200, accepted(self._receiver.take(body, json=self._json, gzip=gzip))
        except Refused as error:
            return (413 if error.reason == "TooLarge" else 400), status(INVALID_ARGUMENT, str(error))

    def _refuse(self, code: int, words: str) -> None:
        """Answer before the request is whole, throw away the rest of it and close."""
        if self._refused:
            return
        self._refused = True
        self._leave()
        self._body = []
        retry = RETRY_SECONDS if code == 503 else 0
        self._respond(code, status(UNAVAILABLE if retry else INVALID_ARGUMENT, words, retry), last=True)
        self._await(_LINGER_SECONDS)

    def _respond(self, code: int, message: Message, *, last: bool) -> None:
        OTLP_REQUESTS.labels("http", str(code)).inc()
        body = as_json(message) if self._json else message.SerializeToString()
        self._write(
            b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s%s\r\n%s"
            % (
                code,
                HTTPStatus(code).phrase.encode(),
                JSON if self._json else PROTOBUF,
                len(body),
                b"Retry-After: %d\r\n" % RETRY_SECONDS if code == 503 else b"",
                b"Connection: close\r\n" if last else b"",
                body,
            )
        )

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _leave(self) -> None:
        if self._admitted:
            self._receiver.leave(self._admitted)
            self._admitted = 0

    def _await(self, seconds: float) -> None:
        """Wait so long for what comes next."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        if self._reading and not self._refused:
            self._refuse(408, f"the request did not arrive within {READ_SECONDS:g} s")
        else:
            self._end()

    def finish(self) -> None:
        """End after the request that is under way."""
        self._ending = True
        if not self._reading:
            self._end()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()
