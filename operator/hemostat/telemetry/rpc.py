"""OTLP/gRPC: TraceService/Export on raw bytes, which the scanner reads itself (shell).

INVALID_ARGUMENT for what can never be taken, RESOURCE_EXHAUSTED with RetryInfo when too much is waiting already
(without RetryInfo the specification lets senders drop). gRPC itself unpacks gzip and refuses what is too large.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn

import grpc

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import OTLP_REQUESTS
from hemostat.telemetry.otlp import RESOURCE_EXHAUSTED, RETRY_SECONDS, accepted, status
from hemostat.telemetry.receiver import STOP_SECONDS, THREADS, Receiver

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MAX_WAITING = 256
"""Calls that may wait for a thread; their messages have not been read yet."""
_DETAILS = "grpc-status-details-bin"


class _Pool(ThreadPoolExecutor):
    """Threads that know how many calls wait for them."""

    def __init__(self) -> None:
        super().__init__(THREADS, "otlp-grpc")
        self.waiting = 0
        self._count = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a function run by a thread."""
        with self._count:
            self.waiting += 1
        return super().submit(self._run, fn, *args, **kwargs)

    def _run(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self._count:
            self.waiting -= 1
        return fn(*args, **kwargs)


class GrpcServer(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves the receiver on a port.

    :param host: address to listen on.
    """

    def __init__(self, receiver: Receiver, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - a pod's port
        self._receiver = receiver
        self._address = f"{host}:{port}"
        self._pool = _Pool()
        self._export = grpc.unary_unary_rpc_method_handler(self._take)
        self._refusal = grpc.stream_unary_rpc_method_handler(self._busy)
        self._server = grpc.server(
            self._pool,
            handlers=(self,),
            options=[
                ("grpc.max_receive_message_length", receiver.max_bytes),
                ("grpc.so_reuseport", 0),
                ("grpc.max_metadata_size", 16 << 10),
            ],
            maximum_concurrent_rpcs=4 * MAX_WAITING,
        )

    async def start(self) -> None:
        """Open the port. Raises `HemostatError` when it cannot be opened."""
        try:
            self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise HemostatError(f"port {self._address} cannot be opened: {error}") from error
        self._server.start()

    async def stop(self) -> None:
        """Take no new requests and answer those that have arrived."""
        await asyncio.to_thread(self._server.stop(STOP_SECONDS).wait)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def service(self, handler_call_details: Any) -> Any:
        """Choose how a call is served; its message is read only after that."""
        if handler_call_details.method != EXPORT:
            return None
        return self._export if self._pool.waiting < MAX_WAITING else self._refusal

    def _take(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            self._receiver.admit(len(body))
            try:
                answer = accepted(self._receiver.take(body)).SerializeToString()
            finally:
                self._receiver.leave(len(body))
        except Refused as error:
            OTLP_REQUESTS.labels("grpc", "INVALID_ARGUMENT").inc()
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Retry as error:
            _exhausted(context, str(error))
        OTLP_REQUESTS.labels("grpc", "OK").inc()
        return answer

    def _busy(self, _messages: Iterator[bytes], context: grpc.ServicerContext) -> NoReturn:
        _exhausted(context, "too many requests are waiting to be counted")


def _exhausted(context: grpc.ServicerContext, words: str) -> NoReturn:
    OTLP_REQUESTS.labels("grpc", "RESOURCE_EXHAUSTED").inc()
    details = status(RESOURCE_EXHAUSTED, words, RETRY_SECONDS).SerializeToString()
    context.set_trailing_metadata(((_DETAILS, details),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, words)
    raise AssertionError("abort does not return")
