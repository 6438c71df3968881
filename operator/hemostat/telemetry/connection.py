"""OTLP/HTTP: POST /v1/traces and /v1/logs, protobuf or JSON, optionally gzip (shell).

200 with what was taken, 400 for what can never be, 408 for a body that trickles in, 413 for too much, 415 for another
content type, 503 with Retry-After when too much is waiting already. Bodies are in the request's own encoding.

A web framework took more time than the counting, so here is only llhttp, which reads HTTP (httptools), and what OTLP
needs. JSON takes ten times as long to read as to count: a thread does that, a bounded number of requests in turn.
"""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus

import httptools
from google.protobuf.message import Message

from hemostat.errors import Refused, Retry
from hemostat.metrics import OTLP_REQUESTS
from hemostat.telemetry.otlp import INVALID_ARGUMENT, RETRY_SECONDS, UNAVAILABLE, Kind, accepted, as_json, status
from hemostat.telemetry.receiver import IDLE_SECONDS, MAX_CONNECTIONS, READ_SECONDS, Receiver
from hemostat.telemetry.shares import Shares

PROTOBUF, JSON = b"application/x-protobuf", b"application/json"
PATHS = {b"/v1/traces": Kind.TRACES, b"/v1/logs": Kind.LOGS}
MAX_BESIDE = 32 << 10
"""Bytes of a request that are not its body may be as many as those of the body and this."""
MAX_JSON = 16
"""Requests in JSON that may wait for their turn."""
_LINGER_SECONDS = 1.0
"""How long what is sent after a refusal is read and thrown away, so that the refusal arrives."""


@dataclass
class Shared:
    """What the connections of a port share."""

    receiver: Receiver
    open: "set[Connection]" = field(default_factory=set)
    """All of them, also those that are being refused."""
    room: Shares = field(default_factory=lambda: Shares(MAX_CONNECTIONS))
    json_room: Shares = field(default_factory=lambda: Shares(MAX_JSON))
    json: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "otlp-json"))


class _NoMore(Exception):
    """What follows is not looked at."""


class Connection(asyncio.Protocol):
    """One sender; its requests are answered in order."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._receiver = shared.receiver
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._who = ""
        self._welcome = self._refused = False
        self._ending = False
        """The next answer is the last."""
        self._reading = self._counting = False
        self._admitted = 0
        self._arrived = 0
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._size = self._beside = 0

    # --- what asyncio tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._who = str((transport.get_extra_info("peername") or [""])[0])
        self._shared.open.add(self)
        self._welcome = self._shared.room.take(self._who)
        if self._welcome:
            self._await(IDLE_SECONDS)
        elif len(self._shared.open) <= 2 * MAX_CONNECTIONS:
            self._refuse(503, "too many connections")
        else:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; whole requests are answered at once."""
        if self._refused:
            return
        arrived, size = self._arrived, self._size if self._reading else 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._counting:
                self._ending = True  # its answer says that what was sent after it was not looked at
            else:
                self._refuse(400, "not HTTP/1.1 as it is understood here")
        if self._reading and arrived == self._arrived:
            self._beside += len(data) - (self._size - size)
            if self._beside > MAX_BESIDE + self._size:
                self._refuse(431, f"more than {MAX_BESIDE} bytes before, between and after the parts of the body")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's form
        """Forget it."""
        if not self._counting:
            self._leave()
        if self._welcome:
            self._shared.room.give(self._who)
        self._shared.open.discard(self)
        self._await(None)

    def pause_writing(self) -> None:
        """Read nothing from who does not read our answers."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if self._transport is not None and not self._counting:
            self._transport.resume_reading()

    # --- what the parser tells ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Give a request its time, unless there shall be none."""
        if self._refused or self._counting:
            raise _NoMore
        self._begin()
        self._reading = True
        self._await(READ_SECONDS)

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, not a trailer."""
        if not self._admitted:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted, and set room aside for it."""
        problem = self._problem()
        if problem is not None:
            self._refuse(*problem)
            return
        length = self._headers.get(b"content-length")
        size = self._receiver.max_bytes if length is None else max(int(length), 1)
        try:
            self._receiver.admit(self._who, size)
        except Retry as error:
            self._refuse(503, str(error))
            return
        self._admitted = size
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._refused:
            return
        self._size += len(body)
        if self._size > self._receiver.max_bytes:
            self._refuse(413, self._too_large())
        elif not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        """Count the request and answer it."""
        if self._refused:
            return
        self._await(None)
        self._arrived += 1
        self._ending = self._ending or not self._parser.should_keep_alive()
        if not self._json:
            self._answer(*self._take())
        elif self._shared.json_room.take(self._who):
            self._counting = True
            assert self._transport is not None
            self._transport.pause_reading()
            work = asyncio.get_running_loop().run_in_executor(self._shared.json, self._take)
            work.add_done_callback(self._counted)
        else:
            self._refuse(503, "too many requests in JSON are waiting to be counted")

    # --- ours -----------------------------------------------------------------------------------------------

    @property
    def _json(self) -> bool:
        return self._content_type == JSON

    @property
    def _content_type(self) -> bytes:
        return self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower()

    @property
    def _kind(self) -> Kind | None:
        return PATHS.get(self._url.partition(b"?")[0])

    def _problem(self) -> tuple[int, str] | None:
        if self._kind is None:
            return 404, f"there is only {' and '.join(path.decode() for path in PATHS)}"
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
        kind = self._kind
        assert kind is not None  # else it was refused
        try:
            return 200, accepted(self._receiver.take(bytes(self._body), kind, json=self._json, gzip=gzip), kind)
        except Refused as error:
            return (413 if error.reason == "TooLarge" else 400), status(INVALID_ARGUMENT, str(error))

    def _counted(self, work: "asyncio.Future[tuple[int, Message]]") -> None:
        self._counting = False
        self._shared.json_room.give(self._who)
        if self._transport is not None and not self._transport.is_closing() and not work.cancelled():
            self._transport.resume_reading()
            self._answer(*work.result())
        else:
            self._leave()

    def _answer(self, code: int, message: Message) -> None:
        self._respond(code, message, last=self._ending)
        self._leave()
        self._reading = False
        self._body = b""
        if self._ending:
            self._end()
        else:
            self._await(IDLE_SECONDS)

    def _refuse(self, code: int, words: str) -> None:
        """Answer before the request is whole, throw away the rest of it and close."""
        if self._refused:
            return
        self._refused = True
        self._leave()
        self._body = b""
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
            self._receiver.leave(self._who, self._admitted)
            self._admitted = 0

    def _await(self, seconds: float | None) -> None:
        """Wait so long for what comes next; None: for ever, since it is not the sender who is waited for."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        if self._transport is not None and self._transport.is_closing():
            self.abort()  # who does not read its answer
        elif self._reading and not self._refused:
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
            self._await(_LINGER_SECONDS)
