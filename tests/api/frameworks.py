"""Agent frameworks run for real, each in an environment of its own, against a scripted model on loopback.

What they send by OTLP is kept as it came. `tests/frameworks` has the scripts and, in `*.lock`, what is installed.
"""

import asyncio
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from hemostat_chaos.agents.faults import Faults
from hemostat_chaos.agents.model import Model
from hemostat_chaos.agents.script import load
from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.paths import cache_root, project_root

FOLDER = Path(__file__).parents[1] / "frameworks"
_LOGS = project_root() / "build" / "frameworks"
_SETTINGS = ("OTEL_", "OPENAI_", "AZURE_", "GOOGLE_", "ADK_", "LANG", "TRACELOOP_", "OPENINFERENCE_", "ENABLE_")
_INSTALL_DEADLINE = 600.0
_RUN_DEADLINE = 500.0
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Framework:
    """A script, the lock it needs, and its variations: instrumentation or format, with or without content."""

    name: str
    lock: str
    variations: tuple[str, ...]


BOTH = ("openinference/with", "openinference/without", "traceloop/with", "traceloop/without")
FRAMEWORKS = (
    Framework("openai_agents", "common", BOTH),
    Framework("langgraph", "common", BOTH),
    Framework("pydantic_ai", "common", ("5/with", "5/without", "2/with")),
    Framework("adk", "adk", ("own/with", "own/without")),
    Framework("agent_framework", "common", ("own/with", "own/without")),
    Framework("strands", "strands", ("own/with",)),
    Framework("autogen", "autogen", ("own/with",)),
    Framework("mcp", "common", ("own/with",)),
    Framework("a2a", "common", ("own/with",)),
)


class Recorded:
    """What the frameworks sent; addresses are `FRAMEWORK/VARIATION/with|without`."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], list[ExportTraceServiceRequest]] = defaultdict(list)
        scripts = load((FOLDER / "scripts.yaml").read_text())
        self.models = {f"{f.name}/{variation}": Model(scripts) for f in FRAMEWORKS for variation in f.variations}
        """The model each variation talked to; `spent` says what it really cost."""
        for model in self.models.values():
            model.switches.everywhere = Faults(rate_limited=True, scripts=frozenset({"limited"}))

    def requests(self, address: str, scenario: str) -> Sequence[ExportTraceServiceRequest]:
        """Return the export requests of one scenario, as they came."""
        return self._requests[address, scenario]

    def spans(self, address: str, scenario: str) -> list[Span]:
        """Return the spans of one scenario in the order in which they began."""
        found = [
            span
            for request in self.requests(address, scenario)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def application(self) -> web.Application:
        """Return the models and the receiver: /model/ADDRESS/v1/... and /otlp/ADDRESS/SCENARIO/v1/traces."""
        app = web.Application(client_max_size=64 * 2**20)
        for address, model in self.models.items():
            app.add_subapp(f"/model/{address}/", model.application())
        app.router.add_post("/otlp/{framework}/{variant}/{content}/{scenario}/v1/traces", self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        part = request.match_info
        body = ExportTraceServiceRequest.FromString(await request.read())
        address = f"{part['framework']}/{part['variant']}/{part['content']}"
        self._requests[address, part["scenario"]].append(body)
        return web.Response(content_type="application/x-protobuf")


def environment(requirements: Path) -> Path:
    """Return the Python of an environment with exactly what a lock says; installed once and kept."""
    lock = requirements.stem
    parent = cache_root() / "frameworks"
    folder = parent / f"{lock}-{atomic.key_of([requirements.read_bytes(), sys.version])}"
    python = Path("bin/python")
    if not folder.exists():
        log = _LOGS / f"install-{lock}.log"
        with atomic.publish(folder) as made:
            run.output([sys.executable, "-m", "venv", "--without-pip", made], deadline=_INSTALL_DEADLINE)
            # Our own pip installs into it, with whatever index the person has configured for it.
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", made / python]
            install = ["install", "--no-deps", "--require-hashes", "--no-warn-script-location", "-r", requirements]
            run.logged([*pip, *install], log, deadline=_INSTALL_DEADLINE)
        atomic.prune(parent, f"{lock}-*", keep=_KEPT)
    return folder / python


@contextmanager
def recorded() -> Iterator[Recorded]:
    """Run every framework with all its variations, two at a time, and yield what came."""
    found = Recorded()
    with served(found.application()) as url, ThreadPoolExecutor(max_workers=2) as pool:
        locks = sorted({framework.lock for framework in FRAMEWORKS})
        pythons = dict(zip(locks, pool.map(environment, (FOLDER / f"{lock}.lock" for lock in locks)), strict=True))
        list(pool.map(lambda framework: _run(framework, pythons[framework.lock], url), FRAMEWORKS))
        yield found


def _run(framework: Framework, python: Path, url: str) -> None:
    env = {
        "LAB_MODEL": f"{url}/model/{framework.name}",
        "LAB_OTLP": f"{url}/otlp/{framework.name}",
        "OTEL_SERVICE_NAME": framework.name,
        "no_proxy": "*",
    }
    # Settings of the person who runs the tests would change what the frameworks send.
    others = [f"--unset={key}" for key in os.environ if key.startswith(_SETTINGS)]
    command = ["env", *others, *(f"{key}={value}" for key, value in env.items()), python]
    command += [FOLDER / f"run_{framework.name}.py", *framework.variations]
    run.logged(command, _LOGS / f"{framework.name}.log", deadline=_RUN_DEADLINE)


@contextmanager
def served(app: web.Application) -> Iterator[str]:
    """Serve on a free port of loopback, in a thread with its own loop; yield the address."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, access_log=None)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
