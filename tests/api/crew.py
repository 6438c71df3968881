"""The sample workload of agents as real processes on loopback, and a receiver of what it sends."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.api.frameworks import environment, served
from tests.api.programs import answers, free_port, until

from hemostat.replay.requests import Request
from hemostat.telemetry.steps import of_logs, of_traces
from hemostat_chaos.agents.lab import SERVICES, Lab
from hemostat_chaos.cluster import spawn
from hemostat_chaos.cluster.paths import project_root

PACKAGE = project_root() / "chaos" / "hemostat_chaos" / "agents"
LOCK = project_root() / "chaos" / "agents" / "crew.lock"
LATENCY = 0.02
FAST = {
    "AGENTS_RATE": "0",
    "AGENTS_EXPORT_SECONDS": "0.1",
    "AGENTS_HEARTBEAT_SECONDS": "1",
    "AGENTS_BUILD_SECONDS": "2",
    "AGENTS_REVISE_SECONDS": "2",
    "AGENTS_PAUSE_FACTOR": "0.2",
}


@dataclass(frozen=True)
class Seen:
    """A span or an event, as it was received."""

    service: str
    name: str
    trace: bytes
    span: bytes
    parent: bytes
    began: int
    attributes: dict[str, Any]

    @property
    def conversation(self) -> str:
        return self.attributes.get("gen_ai.conversation.id", "")

    @property
    def operation(self) -> str:
        return self.attributes.get("gen_ai.operation.name", "")


class Receiver:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """As the detectors get them."""
        self._spans: list[Seen] = []
        self._events: list[Seen] = []

    def application(self) -> web.Application:
        app = web.Application(client_max_size=4 * 2**20)  # as `observe` takes
        app.router.add_post("/v1/traces", self._traces)
        app.router.add_post("/v1/logs", self._logs)
        return app

    def spans(self, conversation: str) -> list[Seen]:
        found = [span for span in list(self._spans) if span.conversation == conversation]
        return sorted(found, key=lambda span: span.began)

    def everything(self) -> list[Seen]:
        return list(self._spans)

    def events(self, conversation: str, name: str = "") -> list[Seen]:
        found = [event for event in list(self._events) if event.conversation == conversation]
        return [event for event in found if name in ("", event.name)]

    async def _traces(self, request: web.Request) -> web.Response:
        body = ExportTraceServiceRequest.FromString(await request.read())
        self.requests.append(Request(time.time(), 1, tuple(of_traces(body))))
        for resource in body.resource_spans:
            service = _plain(resource.resource.attributes)["service.name"]
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                ids = (span.trace_id, span.span_id, span.parent_span_id)
                self._spans.append(Seen(service, span.name, *ids, span.start_time_unix_nano, _plain(span.attributes)))
        return web.Response(content_type="application/x-protobuf")

    async def _logs(self, request: web.Request) -> web.Response:
        body = ExportLogsServiceRequest.FromString(await request.read())
        self.requests.append(Request(time.time(), 1, tuple(of_logs(body))))
        for resource in body.resource_logs:
            service = _plain(resource.resource.attributes)["service.name"]
            for one in (one for scope in resource.scope_logs for one in scope.log_records):
                ids = (one.trace_id, one.span_id, b"")
                self._events.append(Seen(service, one.event_name, *ids, one.time_unix_nano, _plain(one.attributes)))
        return web.Response(content_type="application/x-protobuf")


def _plain(attributes: Sequence[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


@dataclass(frozen=True)
class Crew:
    """The running workload."""

    lab: Lab
    received: Receiver
    orders: Path

    def state(self, conversation: str) -> str:
        return str(self.lab.board()["conversations"][conversation]["state"])

    def ends(self, conversation: str, state: str, seconds: float = 20) -> None:
        until(lambda: self.state(conversation) != "running", seconds, f"{conversation} ends")
        entry = self.lab.board()["conversations"][conversation]
        assert entry["state"] == state, entry["said"]


@contextmanager
def crew(folder: Path) -> Iterator[Crew]:
    """Run the five processes until the block ends."""
    python, receiver = environment(LOCK), Receiver()
    ports = {service: free_port() for service in SERVICES}
    urls = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    orders = folder / "orders"
    orders.mkdir()
    with ExitStack() as stack:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OPENAI_", "AGENTS_"))}
        env |= {f"AGENTS_{service.upper()}_URL": url for service, url in urls.items()}
        env |= FAST | {"AGENTS_HOST": "127.0.0.1", "no_proxy": "*", "HEMOSTAT_GUARD_ORDERS": str(orders)}
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(served(receiver.application()))}
        env |= {"PYTHONPATH": f"{project_root() / 'operator'}:{project_root() / 'chaos'}"}
        for service, port in ports.items():
            argv = [python, "-m", *_module(service, port)]
            log = folder / f"{service}.log"
            process = spawn.background(argv, log, env={**env, "AGENTS_PORT": str(port)})
            stack.callback(spawn.end, process, grace=5)
        for service, url in urls.items():
            healthy = "/healthz" if service in ("model", "tools") else "/readyz"
            until(lambda url=url, path=healthy: answers(url + path), 60, f"{service} is ready")
        yield Crew(Lab(_direct(urls)), receiver, orders)


def _module(service: str, port: int) -> list[object]:
    if service == "model":
        named = ["--host=127.0.0.1", f"--port={port}", f"--latency={LATENCY}"]
        return ["hemostat_chaos.agents.model", PACKAGE / "scripts.yaml", *named]
    return ["hemostat_chaos.agents.toolserver"] if service == "tools" else ["hemostat_chaos.agents.agent", service]


def _direct(urls: dict[str, str]):
    def way(service: str, method: str, path: str, body: str | None = None) -> Any:
        data = None if body is None else body.encode()
        request = urllib.request.Request(urls[service] + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{service} {method} {path}: {error.code} {error.read().decode()}") from None

    return way
