"""OTLP/gRPC: Export of TraceService and LogsService on raw bytes, which the scanner reads itself (shell).

INVALID_ARGUMENT for what can never be taken, CANCELLED for a message that does not arrive, RESOURCE_EXHAUSTED with
RetryInfo when too much is waiting already (without RetryInfo the specification lets senders drop). gRPC itself unpacks
gzip and refuses what is too large.

Every open call has a thread, so that a silent one keeps nobody waiting. Its message is read when it is its turn, and
then it must come; until then gRPC takes no more than `_AHEAD` of it, for its windows do not grow by themselves
(`bdp_probe`).
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import grpc

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import OTLP_REQUESTS
from hemostat.telemetry.otlp import RESOURCE_EXHAUSTED, RETRY_SECONDS, Kind, accepted, status
from hemostat.telemetry.receiver import IDLE_SECONDS, MAX_CONNECTIONS, READ_SECONDS, STOP_SECONDS, Receiver
from hemostat.telemetry.shares import Shares
from hemostat.telemetry.threads import Here, Threads
from hemostat.telemetry.turns import Turns

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
EXPORT_LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
MAX_CALLS = 128
"""Calls that may be open; those of one sender are at most half of them."""
MAX_READING = 16
"""Messages that are read at once; with their size, that bounds memory."""
HURRY_SECONDS = 2.0
"""A message must have arrived by then when others wait for their turn."""
_AHEAD = 256 << 10
"""Bytes of a call that gRPC takes before its message is read: a request of 512 spans comes in one go."""
_OK = OTLP_REQUESTS.labels("grpc", "OK")
_DETAILS = "grpc-status-details-bin"
_LOOK_SECONDS = 1.0


class GrpcServer(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves the receiver on a port.

    :param host: address to listen on.
    """

    def __init__(self, receiver: Receiver, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's port
        self._receiver = receiver
        self._address = f"{host}:{port}"
        self._threads = Threads(MAX_CALLS, "otlp-grpc")
        self._shares, self._lock = Shares(MAX_CALLS), threading.Lock()
        self._turns = Turns(MAX_READING)
        self._since: dict[grpc.ServicerContext, float] = {}
        self._exports = {
            EXPORT: grpc.stream_unary_rpc_method_handler(partial(self._take, Kind.TRACES)),
            EXPORT_LOGS: grpc.stream_unary_rpc_method_handler(partial(self._take, Kind.LOGS)),
        }  # unary reads before we can say when
        self._refusal = grpc.stream_unary_rpc_method_handler(_Refusal())
        self._looking: asyncio.Task[None] | None = None
        self._server = grpc.server(
            self._threads,
            handlers=(self,),
            options=[
                ("grpc.max_receive_message_length", receiver.max_bytes),
                ("grpc.so_reuseport", 0),
                ("grpc.max_metadata_size", 16 << 10),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", _AHEAD),
                ("grpc.http2.max_frame_size", _AHEAD),
                ("grpc.max_concurrent_streams", MAX_CALLS),
                ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
                ("grpc.max_connection_idle_ms", int(IDLE_SECONDS * 1000)),
            ],
        )

    async def start(self) -> None:
        """Open the port. Raises `HemostatError` when it cannot be opened."""
        try:
            self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise HemostatError(f"port {self._address} cannot be opened: {error}") from error
        self._server.start()
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        await asyncio.to_thread(self._server.stop(STOP_SECONDS).wait)
        if self._looking is not None:
            self._looking.cancel()
        self._threads.shutdown()

    def service(self, handler_call_details: Any) -> Any:
        """Choose how a call is served: it gets a thread, or is refused; its message is read only after that."""
        export = self._exports.get(handler_call_details.method)
        return self._refusal if export is not None and self._threads.full else export

    def _take(self, kind: Kind, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        who = context.peer().rpartition(":")[0]  # its address without the port
        try:
            answer = self._counted(kind, messages, context, who)
        except Refused as error:
            OTLP_REQUESTS.labels("grpc", "INVALID_ARGUMENT").inc()
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Retry as error:
            _exhausted(context, str(error))
        except grpc.RpcError:  # the call was cancelled, by its sender or by us
            OTLP_REQUESTS.labels("grpc", "CANCELLED").inc()
            return b""
        _OK.inc()
        return answer

    def _counted(self, kind: Kind, messages: Iterator[bytes], context: grpc.ServicerContext, who: str) -> bytes:
        with self._lock:
            if not self._shares.take(who):
                raise Retry(_TOO_MANY, RETRY_SECONDS)
        try:
            body = self._message(messages, context, who)
            size = max(len(body), 1)
            self._receiver.admit(who, size)
            try:
                return accepted(self._receiver.take(body, kind), kind).SerializeToString()
            finally:
                self._receiver.leave(who, size)
        finally:
            with self._lock:
                self._shares.give(who)

    def _message(self, messages: Iterator[bytes], context: grpc.ServicerContext, who: str) -> bytes:
        if not self._turns.enter(who, READ_SECONDS):
            raise Retry(_TOO_MANY, RETRY_SECONDS)
        self._since[context] = time.monotonic()
        try:
            for body in messages:
                return body
        finally:
            del self._since[context]
            self._turns.leave(who)
        raise Refused("BadOtlp", "there was no message")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.end_overdue(time.monotonic())

    def end_overdue(self, now: float) -> None:
        """End the calls whose message should have come by now."""
        before = now - (HURRY_SECONDS if self._turns.waiting else READ_SECONDS)
        for context, since in self._since.copy().items():
            if since < before:
                context.cancel()


class _Refusal:
    """Refuses a call before the next is looked at: there is no thread left, and none is needed."""

    def __init__(self) -> None:
        self.experimental_thread_pool = Here()

    def __call__(self, _messages: Iterator[bytes], context: grpc.ServicerContext) -> NoReturn:
        _exhausted(context, _TOO_MANY)


_TOO_MANY = "too many requests are waiting to be counted"


def _exhausted(context: grpc.ServicerContext, words: str) -> NoReturn:
    OTLP_REQUESTS.labels("grpc", "RESOURCE_EXHAUSTED").inc()
    details = status(RESOURCE_EXHAUSTED, words, RETRY_SECONDS).SerializeToString()
    context.set_trailing_metadata(((_DETAILS, details),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, words)
    raise AssertionError("abort does not return")
