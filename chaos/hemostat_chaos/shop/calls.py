"""Outgoing calls: one connection each, with a deadline, a span and a count."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from hemostat_chaos.shop.metrics import TIMEOUT, UNREACHABLE, Metrics
from hemostat_chaos.shop.roles import Call
from hemostat_chaos.shop.tracing import Tracing, answered, failed

OK = "200"

_CONNECTIONS = 1024


class Caller:
    """Calls other roles; must be used as an async context manager."""

    def __init__(self, urls: Mapping[str, str], timeout: float, tracing: Tracing, metrics: Metrics) -> None:
        self._urls = urls
        self._tracing = tracing
        self._metrics = metrics
        self._session = ClientSession(
            # Connections are not kept: a Service balances connections, so that only a new one can reach a
            # pod that has just become ready, and none is left open to a pod that is about to stop.
            connector=TCPConnector(force_close=True, limit=_CONNECTIONS),
            timeout=ClientTimeout(total=timeout),
        )
        # aiohttp repeats a GET whose connection was lost, unasked and unseen: that would hide a pod that dies.
        self._session._retry_connection = False  # noqa: SLF001 - there is no public switch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, call: Call) -> str:
        """Make one call and return its HTTP status as text, or `timeout`, or `unreachable`."""
        base = self._urls[call.peer]
        headers: dict[str, str] = {}
        started = time.monotonic()
        with self._tracing.client_span(call, base, headers) as span:
            try:
                async with self._session.request(call.method, base + call.path, headers=headers) as response:
                    await response.read()
                    answered(span, response.status, error_from=400)
                    code = str(response.status)
            except TimeoutError:
                failed(span, TIMEOUT)
                code = TIMEOUT
            except (ClientError, OSError) as error:
                span.record_exception(error)
                failed(span, type(error).__name__)
                code = UNREACHABLE
        self._metrics.called(call.peer, code, time.monotonic() - started)
        return code
