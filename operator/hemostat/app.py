"""Starts a process: kopf's watches, workers, HTTP servers, and an orderly end (shell)."""

import asyncio
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import kopf
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hemostat import __version__
from hemostat.clock import SystemClock
from hemostat.errors import Broken, HemostatError, Refused, Retry
from hemostat.kube import Kube
from hemostat.metrics import BUILD, LEADER, REGISTRY
from hemostat.observe.kinds import KINDS
from hemostat.pages import Pages
from hemostat.settings import Settings
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger("hemostat")
STUCK_SECONDS = 120.0
"""A queue whose workers finished nothing for this long makes the liveness probe fail."""
GRACE_SECONDS = 8.0
GLANCE_SECONDS = 0.1
"""How soon it is noticed that the Lease was won or lost. What is written asks by itself, at once."""
BEGIN_SECONDS = 60.0
"""Who holds the Lease and cannot begin for so long gives it back, and ends: another replica may be able to."""


class Worker(Protocol):
    """What makes progress, or is stuck."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def stuck_for(self) -> float:
        """Return for how many seconds it has made none though it should."""
        ...


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


class Election(Worker, Protocol):
    """Says which of several replicas acts."""

    def start(self) -> None:
        """Begin to look."""
        ...

    def ready(self) -> bool:
        """Tell whether it will take over when it is to."""
        ...

    def leads(self) -> bool:
        """Tell whether it is this one; once it was and is no more, it never is again."""
        ...

    def lost(self) -> bool:
        """Tell whether it was this one, and is no more though it did not resign."""
        ...

    def resign(self) -> None:
        """Let the next one begin."""
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

    def pages(app: web.Application) -> None:
        process.serve(app)
        views.serve(app)

    return asyncio.run(serve("observe", lambda: process, settings.http_port, process.servers(), pages))


def act() -> int:
    """Run `hemostat act` until SIGTERM, or until another replica acts."""
    from hemostat.act.elector import Elector
    from hemostat.act.process import Act

    settings, kube, spent = Settings.read(), Kube.connect(), threading.Event()
    if not settings.replica:
        LEADER.set(1)
        return asyncio.run(serve("act", partial(Act, kube, settings, spent=spent), settings.http_port, spent=spent))
    elector = Elector(kube, settings.replica, SystemClock())
    make = partial(Act, kube, settings, elector.permit, spent)
    return asyncio.run(serve("act", make, settings.http_port, election=elector, spent=spent))


def relay() -> int:
    """Run `hemostat relay` until SIGTERM. Raises `Broken` that names what is missing for Slack."""
    try:
        from hemostat.relay.process import Relay, check
    except ModuleNotFoundError as error:
        raise Broken(f"hemostat relay needs {error.name}, which is not installed: pip install .[slack]") from None
    settings = Settings.read()
    check(settings)
    process = Relay(Kube.connect(), settings)
    return asyncio.run(serve("relay", lambda: process, settings.http_port, process.servers()))


def own_pages(workers: Iterable[Worker], opened: asyncio.Event) -> web.Application:
    """Return /healthz, /readyz (which waits for the other ports to be open) and /metrics."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = [w.name for w in workers if w.stuck_for() > STUCK_SECONDS]
        return web.Response(status=503 if stuck else 200, text=f"stuck: {', '.join(stuck)}" if stuck else "ok")

    async def readyz(request: web.Request) -> web.Response:
        return await healthz(request) if opened.is_set() else web.Response(status=503, text="starting")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(handler_args={"auto_decompress": False})  # a bomb is for who takes it to defuse
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def serve(
    name: str,
    make: Callable[[], Process],
    http_port: int,
    servers: Sequence[Server] = (),
    more: Callable[[web.Application], None] = lambda _: None,
    election: Election | None = None,
    spent: threading.Event | None = None,
) -> int:
    """Run a process until SIGTERM, and return its exit code.

    :param make: makes it, once it is this replica's turn.
    :param more: adds what else it serves on its own port.
    :param spent: set when it cannot go on as it is: it ends, to be started anew.
    """
    logging.basicConfig(level=os.environ.get("HEMOSTAT_LOG_LEVEL", "INFO"), format="%(asctime)s %(name)s %(message)s")
    for chatty in ("aiohttp.access", "kopf.objects", "mcp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    BUILD.labels(name, __version__).set(1)
    stop, opened = asyncio.Event(), asyncio.Event()
    _on_signals(stop)
    workers: list[Worker] = []
    app = own_pages(workers, opened)
    more(app)
    pages = await _listen(app, http_port)
    try:
        run = partial(_run, name, make, workers, servers, opened, stop, spent or threading.Event())
        code = await (run() if election is None else _elected(election, run, workers, opened, stop))
    finally:
        await pages.cleanup()
    LOG.info("hemostat %s ended", name)
    return code


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _elected(
    election: Election,
    run: Callable[..., Awaitable[int]],
    workers: list[Worker],
    opened: asyncio.Event,
    stop: asyncio.Event,
) -> int:
    """Run once it is this replica's turn, and for as long. One that stands by is ready: it will take over."""
    workers.append(election)
    election.start()
    try:
        while not election.leads():
            if stop.is_set():
                return 0
            if election.ready():
                opened.set()
            await asyncio.sleep(GLANCE_SECONDS)
        following = asyncio.create_task(_follow(election.leads, stop))
        try:
            code = await run(resign=election.resign)
        finally:
            following.cancel()
        return 1 if election.lost() else code
    finally:
        await asyncio.to_thread(election.resign)


async def _follow(goes_on: Callable[[], bool], stop: asyncio.Event) -> None:
    """End when it may not go on: another replica may act, or it is spent."""
    while goes_on():
        await asyncio.sleep(GLANCE_SECONDS)
    stop.set()


async def _run(
    name: str,
    make: Callable[[], Process],
    workers: list[Worker],
    servers: Sequence[Server],
    opened: asyncio.Event,
    stop: asyncio.Event,
    spent: threading.Event,
    resign: Callable[[], None] | None = None,
) -> int:
    process = await _made(make, stop, math.inf if resign is None else BEGIN_SECONDS)
    if process is None:
        return 0
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    process.register(registry)
    opening = asyncio.create_task(_open(servers, opened, stop))
    threads = process.start()
    workers.extend(process.queues())
    LOG.info("hemostat %s is up", name)
    watching = asyncio.create_task(_watch(name, registry, stop))
    following = asyncio.create_task(_follow(lambda: not spent.is_set(), stop))
    try:
        if resign is not None:  # kopf may take five seconds to end, and the next one waits
            await asyncio.wait({watching, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        else:
            await watching
    finally:
        failed = spent.is_set() or (opening.done() and not opened.is_set())
        following.cancel()
        opening.cancel()
        for server in servers:
            await server.stop()
        for queue in process.queues():
            queue.stop()
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            await asyncio.to_thread(thread.join, max(0.0, deadline - time.monotonic()))
        if resign is not None:
            await asyncio.to_thread(resign)
    await watching
    return 1 if failed else 0


async def _watch(name: str, registry: kopf.OperatorRegistry, stop: asyncio.Event) -> None:
    """Have kopf watch until told to stop."""
    ready = asyncio.Event()

    async def signals() -> None:
        await ready.wait()
        _on_signals(stop)  # kopf has taken them for itself

    taking = asyncio.create_task(signals())
    try:
        await kopf.operator(
            registry=registry,
            settings=kopf_settings(),
            clusterwide=True,
            standalone=True,
            stop_flag=stop,
            ready_flag=ready,
            identity=f"hemostat-{name}",  # type: ignore[arg-type]  # a NewType of str that kopf does not export
        )
    finally:
        taking.cancel()
        stop.set()


async def _made(make: Callable[[], Process], stop: asyncio.Event, within: float = math.inf) -> Process | None:
    """Make it; None when told to end first. What it needs may be in the hands of the one before it for a moment.

    Raises `Refused` (NotBegun) when that takes longer than so many seconds.
    """
    deadline = time.monotonic() + within
    while not stop.is_set():
        try:
            return await asyncio.to_thread(make)
        except Retry as error:
            if time.monotonic() >= deadline:
                said = f"it could not begin within {within:.0f} s and gives the Lease back, for another replica to try"
                raise Refused("NotBegun", f"{said}: {error}") from error
            LOG.warning("not yet: %s", error)
            await asyncio.sleep(error.delay_seconds)
    return None


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
