"""OTLP/HTTP receiver on aiohttp: POST /v1/traces, protobuf or JSON, optionally gzip (shell).

Answers as the OTLP specification wants: 200 with an ExportTraceServiceResponse, 400 for what can never be accepted,
413 for too much, 415 for another content type. Memory is bounded by the request size and the edge windows.
"""

import asyncio
import threading
import time
import zlib

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from hemostat.errors import Refused
from hemostat.metrics import CALLS_DROPPED, OTLP_REQUESTS, SPANS
from hemostat.telemetry.otlp import calls, decode
from hemostat.telemetry.window import EdgeWindows

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Receiver:
    """Counts the calls of every export request into the windows."""

    def __init__(self, windows: EdgeWindows, lock: threading.Lock, max_bytes: int) -> None:
        self._windows = windows
        self._lock = lock
        self._max_bytes = max_bytes
        self._slots = asyncio.Semaphore(2)

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=self._max_bytes, handler_args={"auto_decompress": False})
        app.router.add_post("/v1/traces", self.traces)
        return app

    async def traces(self, request: web.Request) -> web.Response:
        """Take one export request."""
        response = await self._answer(request)
        OTLP_REQUESTS.labels(str(response.status)).inc()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        if request.content_type not in (PROTOBUF, JSON):
            return web.Response(status=415, text=f"send {PROTOBUF} or {JSON}")
        json, gzip = request.content_type == JSON, request.headers.get("Content-Encoding") == "gzip"
        try:
            body = await request.read()
            async with self._slots:  # a small message may unfold to a hundred times its size
                await asyncio.to_thread(self._take, body, json=json, gzip=gzip)
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text=f"more than {self._max_bytes} bytes; send smaller batches")
        except Refused as error:
            return web.Response(status=413 if error.reason == "TooLarge" else 400, text=str(error))
        if json:
            return web.Response(body=b"{}", content_type=JSON)
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type=PROTOBUF)

    def _take(self, body: bytes, *, json: bool, gzip: bool) -> None:
        message = decode(inflate(body, self._max_bytes) if gzip else body, json=json)
        found = list(calls(message))
        with self._lock:
            accepted = self._windows.add(found, time.monotonic())
            CALLS_DROPPED.set(self._windows.dropped)
        SPANS.inc(accepted)


def inflate(body: bytes, limit: int) -> bytes:
    """Decompress gzip up to `limit` bytes; a bomb is refused (TooLarge) before it grows, garbage as BadGzip."""
    decompressor = zlib.decompressobj(wbits=31)
    try:
        out = decompressor.decompress(body, limit)
    except zlib.error as error:
        raise Refused("BadGzip", f"not gzip: {error}") from error
    if decompressor.unconsumed_tail:
        raise Refused("TooLarge", f"decompresses to more than {limit} bytes; send smaller batches")
    if not decompressor.eof:
        raise Refused("BadGzip", "the gzip stream is truncated")
    return out
