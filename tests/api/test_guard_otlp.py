"""A deadlock of two agents as it arrives over real OTLP: no span is ever sent, yet it is seen, named and ended."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from hemostat.guard import Guard, Halted, OrderDirectory, acting, install
from hemostat.guard.orders import Halt, render

CONVERSATION = "c-7"
HOLDS = {"planner": "lock:plan", "critic": "lock:draft"}
WANTS = {"planner": "lock:draft", "critic": "lock:plan"}
SEEN_SECONDS = 15


class Receiver(ThreadingHTTPServer):
    """Decodes what the SDK's exporters send."""

    daemon_threads = True

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.spans: list[str] = []
        self.services: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in list(self.events) if event["event_name"] == name]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/logs":
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.server.services.add(plain(resource.resource.attributes)["service.name"])
                for record in (record for scope in resource.scope_logs for record in scope.log_records):
                    ids = {"event_name": record.event_name, "trace": record.trace_id, "span": record.span_id}
                    self.server.events.append(plain(record.attributes) | ids)
        else:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.server.spans += [span.name for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def plain(attributes: list[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


@contextmanager
def application(receiver: Receiver, orders: OrderDirectory) -> Iterator[tuple[TracerProvider, Guard]]:
    """Run what an application runs: exporters of the SDK for spans and logs, and the guard with its own threads."""
    resource = Resource({"service.name": "crew"})
    logs = LoggerProvider(resource, shutdown_on_exit=False)
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(receiver.url + "/v1/logs"), schedule_delay_millis=100)
    )
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(receiver.url + "/v1/traces"), schedule_delay_millis=100)
    )
    guard = install(tracer_provider=traces, logger_provider=logs, orders=orders, heartbeat_seconds=1)
    try:
        yield traces, guard
    finally:
        guard.shutdown()
        traces.shutdown()
        logs.shutdown()


async def agent(
    name: str, locks: dict[str, asyncio.Lock], ready: asyncio.Barrier, traces: TracerProvider, guard: Guard
):
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    tracer = traces.get_tracer("crew")
    with tracer.start_as_current_span(f"invoke_agent {name}", attributes=attributes), acting(name, CONVERSATION):
        async with locks[HOLDS[name]]:
            with guard.holding(HOLDS[name]):
                await ready.wait()
                async with guard.wait(WANTS[name]):
                    await locks[WANTS[name]].acquire()


async def until(check, deadline: float = SEEN_SECONDS) -> None:
    end = time.monotonic() + deadline
    while not check():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def test_two_agents_that_wait_for_each_other_are_seen_open_and_a_halt_ends_them(receiver, tmp_path):
    async def scenario(traces: TracerProvider, guard: Guard) -> list[Any]:
        locks = {lock: asyncio.Lock() for lock in HOLDS.values()}
        ready = asyncio.Barrier(2)
        tasks = [asyncio.create_task(agent(name, locks, ready, traces, guard)) for name in HOLDS]
        await until(lambda: len(receiver.of("hemostat.span.heartbeat")) >= 8)
        assert not any(task.done() for task in tasks)
        assert receiver.of("hemostat.span.end") == []
        assert receiver.spans == [], "what is deadlocked has no finished child: OTLP itself shows nothing"
        order = Halt(id="cut-1", conversation=CONVERSATION, until=time.time() + 60, reason="each waits for the other")
        (tmp_path / "cut-1").write_text(render(order))
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), SEEN_SECONDS)

    with application(receiver, OrderDirectory(str(tmp_path))) as (traces, guard):
        outcome = asyncio.run(scenario(traces, guard))
    # Whose wait is ended first lets its lock go, and the other may have it before its own wait is ended.
    assert Halted in map(type, outcome)
    assert all(refusal is None or isinstance(refusal, Halted) for refusal in outcome)

    started = receiver.of("hemostat.span.start")
    waits = {event["gen_ai.agent.name"]: event for event in started if "hemostat.wait.for" in event}
    agents = {event["span"].hex(): event["gen_ai.agent.name"] for event in started if "hemostat.wait.for" not in event}
    assert {(name, e["hemostat.wait.for"], e["hemostat.wait.holder"]) for name, e in waits.items()} == {
        ("planner", "lock:draft", "critic"),
        ("critic", "lock:plan", "planner"),
    }
    assert {agents[event["hemostat.span.parent_id"]] for event in waits.values()} == {"planner", "critic"}
    open_before = {event["span"] for event in receiver.of("hemostat.span.heartbeat")}
    assert open_before == {event["span"] for event in started}
    ended = receiver.of("hemostat.span.end")
    assert {event["span"] for event in ended} == open_before, "and when it is really over, that is told too"
    assert sorted(receiver.spans) == [
        "invoke_agent critic",
        "invoke_agent planner",
        "wait lock:draft",
        "wait lock:plan",
    ]
    assert receiver.services == {"crew"}
