"""Starts a process: kopf's watches, workers, HTTP servers, and an orderly end (shell)."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import kopf
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hemostat import __version__
from hemostat.errors import Broken, HemostatError
from hemostat.kube import Kube
from hemostat.metrics import BUILD, REGISTRY
from hemostat.observe.kinds import KINDS
from hemostat.pages import Pages
from hemostat.settings import Settings
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger("hemostat")
STUCK_SECONDS = 120.0
"""A queue whose workers finished nothing for this long makes the liveness probe fail."""
GRACE_SECONDS = 8.0


class Process(Protocol):
    """What `observe`, `act` and `relay` have in common."""

    def queues(self) -> tuple[WorkQueue[Any], ...]:
        """The work queues."""
        ...

    def start(self) -> list[threading.Thread]:
        """Start the workers."""
        ...

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Register kopf handlers."""
        ...

    def serve(self, pages: web.Application) -> None:
        """Add what else it serves on its own port."""
        ...


class Server(Protocol):
    """A port that is opened at the start and closed in an orderly way."""

    async def start(self) -> None:
        """Open it."""
        ...

    async def stop(self) -> None:
        """Close it; what has arrived is answered, in bounded time."""
        ...


def observe() -> int:
    """Run `hemostat observe` until SIGTERM."""
    from hemostat.observe.process import Observe
    from hemostat.serve.wiring import Views

    settings, kube = Settings.read(), Kube.connect()
    process = Observe(kube, settings)
    views = Views(kube, settings, process)
    return asyncio.run(_serve("observe", process, settings.http_port, process.servers(), views.serve))


def act() -> int:
    """Run `hemostat act` until SIGTERM."""
    from hemostat.act.process import Act

    settings = Settings.read()
    process = Act(Kube.connect(), settings)
    return asyncio.run(_serve("act", process, settings.http_port))


def relay() -> int:
    """Run `hemostat relay` until SIGTERM. Raises `Broken` that names what is missing for Slack."""
    try:
        from hemostat.relay.process import Relay, check
    except ModuleNotFoundError as error:
        raise Broken(f"hemostat relay needs {error.name}, which is not installed: pip install .[slack]") from None
    settings = Settings.read()
    check(settings)
    process = Relay(Kube.connect(), settings)
    return asyncio.run(_serve("relay", process, settings.http_port, process.servers()))


def own_pages(process: Process, opened: asyncio.Event) -> web.Application:
    """Return /healthz, /readyz (which waits for the other ports to be open) and /metrics."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = [q.name for q in process.queues() if q.stuck_for() > STUCK_SECONDS]
        return web.Response(status=503 if stuck else 200, text=f"stuck: {', '.join(stuck)}" if stuck else "ok")

    async def readyz(request: web.Request) -> web.Response:
        return await healthz(request) if opened.is_set() else web.Response(status=503, text="starting")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(handler_args={"auto_decompress": False})  # a bomb is for who takes it to defuse
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    process.serve(app)
    return app


async def _serve(
    name: str,
    process: Process,
    http_port: int,
    servers: Sequence[Server] = (),
    more: Callable[[web.Application], None] = lambda _: None,
) -> int:
    logging.basicConfig(level=os.environ.get("HEMOSTAT_LOG_LEVEL", "INFO"), format="%(asctime)s %(name)s %(message)s")
    for chatty in ("aiohttp.access", "kopf.objects", "mcp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    BUILD.labels(name, __version__).set(1)
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    process.register(registry)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    opened = asyncio.Event()
    app = own_pages(process, opened)
    more(app)
    pages = await _listen(app, http_port)
    opening = asyncio.create_task(_open(servers, opened, stop))
    threads = process.start()
    LOG.info("hemostat %s is up", name)
    try:
        await kopf.operator(
            registry=registry,
            settings=kopf_settings(),
            clusterwide=True,
            standalone=True,
            stop_flag=stop,
            identity=f"hemostat-{name}",  # type: ignore[arg-type]  # a NewType of str that kopf does not export
        )
    finally:
        failed = opening.done() and not opened.is_set()
        opening.cancel()
        for server in servers:
            await server.stop()
        for queue in process.queues():
            queue.stop()
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            await asyncio.to_thread(thread.join, max(0.0, deadline - time.monotonic()))
        await pages.cleanup()
    LOG.info("hemostat %s ended", name)
    return 1 if failed else 0


async def _open(servers: Sequence[Server], opened: asyncio.Event, stop: asyncio.Event) -> None:
    """Open the ports that need preparation; meanwhile the process is alive, but not ready."""
    try:
        for server in servers:
            await server.start()
    except Exception:  # whatever it is, a process that is never ready helps nobody
        LOG.exception("cannot start")
        stop.set()
    else:
        opened.set()


async def _listen(app: web.Application, port: int) -> Pages:
    pages = Pages(app)
    try:
        await pages.start(port)
    except OSError as error:
        raise HemostatError(f"port {port} cannot be opened: {error}") from error
    return pages


def _login(**event: Any) -> kopf.ConnectionInfo | None:
    """The pod's service account, else kubeconfig: the same order as `Kube.connect`."""
    return kopf.login_with_service_account(**event) or kopf.login_with_kubeconfig(**event)


def kopf_settings() -> kopf.OperatorSettings:
    """Return how kopf watches: it writes nothing, and reconnects a stream that has been silent for long."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.scanning.disabled = False
    for kind in KINDS:
        if kind.selector:
            settings.watching.field_selectors[kind.group, kind.version, kind.plural] = kind.selector
    return settings
