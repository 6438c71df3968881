"""The business of a service: take a worker, work, call the others, answer."""

import asyncio
import time

from aiohttp import web

from hemostat_chaos.shop.calls import OK, Caller
from hemostat_chaos.shop.faults import Faults
from hemostat_chaos.shop.metrics import TIMEOUT, Metrics
from hemostat_chaos.shop.roles import Route
from hemostat_chaos.shop.tracing import Tracing, answered
from hemostat_chaos.shop.workers import Saturated, WorkerPool


class Service:
    """Answers the routes of one role."""

    def __init__(self, pool: WorkerPool, faults: Faults, caller: Caller, tracing: Tracing, metrics: Metrics) -> None:
        self._pool = pool
        self._faults = faults
        self._caller = caller
        self._tracing = tracing
        self._metrics = metrics

    def add_route(self, app: web.Application, route: Route) -> None:
        """Let the application answer one route."""

        async def handle(request: web.Request) -> web.Response:
            return await self._handle(route, request)

        app.router.add_route(route.method, route.path, handle)

    async def _handle(self, route: Route, request: web.Request) -> web.Response:
        started = time.monotonic()
        code = 500  # what the server answers if an exception leaves the block below
        try:
            with self._tracing.server_span(route, request.headers) as span:
                code = await self._answer(route)
                answered(span, code, error_from=500)
        finally:
            self._metrics.answered(route.path, code, time.monotonic() - started)
        headers = {"Retry-After": "1"} if code == 503 else None
        return web.json_response({"code": code}, status=code, headers=headers)

    async def _answer(self, route: Route) -> int:
        try:
            async with self._pool.worker():
                return await self._work(route)
        except Saturated:
            return 503

    async def _work(self, route: Route) -> int:
        await asyncio.sleep(self._faults.work_seconds())
        if self._faults.fails():
            return 500
        # The worker is held during the calls too, as a thread would be: slowness travels up the graph.
        for call in route.calls:
            code = await self._caller.call(call)
            if code != OK:
                return _upstream_status(code)
        return 200


def _upstream_status(code: str) -> int:
    """Say what a callee's failure means to the caller; only `busy` is passed on as such."""
    if code == TIMEOUT:
        return 504
    return 503 if code == "503" else 502
