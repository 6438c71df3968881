"""The life of one process: start, run until SIGTERM, stop in bounded time without losing a request.

A pod that stops is still in the kube-proxy's rules for a moment, so a service goes on taking requests for
`linger` after it has become unready; only then does it close its port and finish what is open. Linger,
drain and flush together stay under the pod's termination grace period of 10 s.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web
from prometheus_client import disable_created_metrics

from hemostat_chaos.shop import tracing as spans
from hemostat_chaos.shop.calls import Caller
from hemostat_chaos.shop.faults import Faults, leak
from hemostat_chaos.shop.load import Load
from hemostat_chaos.shop.metrics import Metrics
from hemostat_chaos.shop.probes import Readiness, add_probes
from hemostat_chaos.shop.service import Service
from hemostat_chaos.shop.settings import Settings
from hemostat_chaos.shop.workers import WorkerPool

DRAIN = 3.0
FLUSH = 1.0
_LOAD_DRAIN = 0.4
_LOAD_FLUSH = 0.4


async def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Run one role until SIGTERM or SIGINT; an error in the background ends it with that error."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series nobody asks for, per counter
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tracing = spans.Tracing(spans.provider(settings))
    if settings.role.name == "load":
        await _run_load(settings, tracing, stop, say)
        flushed = tracing.close(_LOAD_FLUSH)
    else:
        await _run_service(settings, tracing, stop, say)
        flushed = tracing.close(FLUSH)
    say("stopped" if flushed else "stopped, the last spans could not be sent in time")


async def _run_service(
    settings: Settings, tracing: spans.Tracing, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    pool = WorkerPool(settings.workers, settings.queue, settings.queue_wait, time.monotonic)
    metrics = Metrics(settings.role, pool)
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(Caller(settings.peers, settings.call_timeout, tracing, metrics))
        app = web.Application()
        add_probes(app, readiness, metrics)
        service = Service(pool, Faults(settings), caller, tracing, metrics)
        for route in settings.role.routes:
            service.add_route(app, route)
        await _listen(app, settings, stack, DRAIN)
        readiness.ready = True
        say(f"ready on port {settings.port}")
        await _until(stop, leak(settings.leak_mb_per_second) if settings.leak_mb_per_second else None)
        readiness.ready = False
        say("stopping: not ready any more, finishing what is open")
        await asyncio.sleep(settings.linger)


async def _run_load(
    settings: Settings, tracing: spans.Tracing, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    metrics = Metrics(settings.role)
    readiness = Readiness()
    async with AsyncExitStack() as stack:
        app = web.Application()
        add_probes(app, readiness, metrics)
        await _listen(app, settings, stack, 0.1)
        caller = await stack.enter_async_context(Caller(settings.peers, settings.call_timeout, tracing, metrics))
        load = Load(settings, caller, metrics)
        readiness.ready = True
        say(f"sending {settings.rps:g} requests per second")
        await _until(stop, load.run())
        readiness.ready = False
        await load.finish(_LOAD_DRAIN)


async def _listen(app: web.Application, settings: Settings, stack: AsyncExitStack, drain: float) -> None:
    # The runner spends its timeout twice: once on waiting, once more after it has hinted at cancellation.
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=drain / 2)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, settings.host, settings.port, backlog=512).start()


async def _until(stop: asyncio.Event, background: Coroutine[Any, Any, None] | None) -> None:
    """Wait for the stop signal while the background work runs; its failure is ours."""
    if background is None:
        await stop.wait()
        return
    work = asyncio.create_task(background)
    signalled = asyncio.create_task(stop.wait())
    await asyncio.wait((work, signalled), return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if work.done():
        work.result()
    work.cancel()
