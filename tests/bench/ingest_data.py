"""Synthetic trace export requests, the same for every receiver: seeded, distinct spans, realistic attributes.

20 services call each other over 60 edges. Every call is a client span of the caller and a server span of the callee,
some have an internal span, and about one span in eight is of an AI agent (`gen_ai.*`). A request holds consecutive
spans grouped by service, as a Collector's batch processor sends them.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SPANS = 65_536
SERVICES = 20
EDGES = 60
OPERATIONS = 23
"""Routes of each service."""
START = 1_790_000_000_000_000_000
FAILING = 0.02


def requests(sizes: Sequence[int], spans: int = SPANS, seed: int = 1) -> dict[int, list[bytes]]:
    """Return the same spans as export requests of each size, serialised."""
    flow = list(islice(_spans(random.Random(seed)), spans))
    return {size: [_request(flow[i : i + size]) for i in range(0, spans, size)] for size in sizes}


def _request(flow: Sequence[tuple[int, Span]]) -> bytes:
    request = ExportTraceServiceRequest()
    groups: dict[int, list[Span]] = {}
    for service, span in flow:
        groups.setdefault(service, []).append(span)
    for service, found in groups.items():
        resource = request.resource_spans.add(resource=_resource(service))
        scope = resource.scope_spans.add()
        scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.http", "0.66b2"
        scope.spans.extend(found)
    return request.SerializeToString()


def name(service: int) -> str:
    """Return the name of a service."""
    return f"service-{service:02d}"


@cache
def _resource(service: int) -> Resource:
    pairs = {
        "service.name": name(service),
        "service.namespace": "shop",
        "service.version": "1.14.2",
        "service.instance.id": f"{name(service)}-7f9c6d5b8-x{service:03d}",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": "1.45.2",
        "k8s.pod.name": f"{name(service)}-7f9c6d5b8-x{service:03d}",
        "k8s.namespace.name": "shop",
    }
    return Resource(attributes=[_pair(key, value) for key, value in pairs.items()])


def _pair(key: str, value: str | int) -> KeyValue:
    pair = KeyValue(key=key)
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.string_value = value
    return pair


def _spans(rng: random.Random) -> Iterator[tuple[int, Span]]:
    """Yield (service, span) for ever: callee before caller, as spans end."""
    edges = [(a, b) for a in range(SERVICES) for b in range(SERVICES) if a != b]
    rng.shuffle(edges)
    edges = edges[:EDGES]
    now = START
    while True:
        now += rng.randrange(10_000, 400_000)
        caller, callee = edges[rng.randrange(EDGES)]
        route = f"/api/v2/{rng.randrange(OPERATIONS):02d}/items"
        trace, outer = rng.randbytes(16), rng.randbytes(8)
        taken = int(rng.lognormvariate(16.5, 0.8))
        failed = rng.random() < FAILING
        server = _span(trace, f"GET {route}", Span.SPAN_KIND_SERVER, now + taken // 20, taken * 9 // 10, failed, outer)
        _attributes(server, _http(rng, route, failed) | {"server.address": name(callee), "http.route": route})
        yield callee, server
        if rng.random() < 0.26:
            inner = _span(
                trace, f"compute {route[8:10]}", Span.SPAN_KIND_INTERNAL, now, taken // 3, False, server.span_id
            )
            _attributes(inner, _http(rng, route, False) | {"code.function.name": "handler", "thread.name": "worker"})
            yield callee, inner
        if rng.random() < 0.31:
            yield caller, _agent(rng, trace, now, taken, outer)
        client = _span(trace, f"GET {route}", Span.SPAN_KIND_CLIENT, now, taken, failed, rng.randbytes(8))
        client.span_id = outer
        _attributes(client, _http(rng, route, failed) | {"server.address": name(callee), "peer.service": name(callee)})
        yield caller, client


def _span(trace: bytes, title: str, kind: int, start: int, taken: int, failed: bool, parent: bytes) -> Span:
    return Span(
        trace_id=trace,
        span_id=random.Random(trace + title.encode()).randbytes(8),
        parent_span_id=parent,
        name=title,
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=start + taken,
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )


def _http(rng: random.Random, route: str, failed: bool) -> dict[str, str | int]:
    return {
        "http.request.method": "GET",
        "http.response.status_code": 503 if failed else 200,
        "network.protocol.version": "1.1",
        "network.peer.address": f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}",
        "network.peer.port": rng.randrange(1024, 65535),
        "server.port": 8080,
        "url.scheme": "http",
        "url.path": f"{route}/{rng.randrange(10**6)}",
        "user_agent.original": "python-requests/2.34.2",
        "client.address": f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}",
    }


def _agent(rng: random.Random, trace: bytes, now: int, taken: int, parent: bytes) -> Span:
    agent = f"agent-{rng.randrange(4)}"
    draw = rng.random()
    common: dict[str, str | int] = {
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": rng.randbytes(8).hex(),
        "server.address": "api.openai.example",
        "server.port": 443,
    }
    tokens: dict[str, str | int] = {
        "gen_ai.request.model": "gpt-5.5",
        "gen_ai.response.model": "gpt-5.5-2026-06-01",
        "gen_ai.usage.input_tokens": rng.randrange(100, 8000),
        "gen_ai.usage.output_tokens": rng.randrange(10, 2000),
    }
    if draw < 0.2:
        span = _span(trace, f"invoke_agent {agent}", Span.SPAN_KIND_INTERNAL, now, taken, rng.random() < 0.1, parent)
        _attributes(span, {"gen_ai.operation.name": "invoke_agent"} | common | tokens)
    elif draw < 0.7:
        span = _span(trace, "chat gpt-5.5", Span.SPAN_KIND_CLIENT, now, taken, False, parent)
        _attributes(span, {"gen_ai.operation.name": "chat"} | common | tokens)
        reasons = span.attributes.add(key="gen_ai.response.finish_reasons")
        reasons.value.array_value.values.add(string_value="length" if rng.random() < 0.05 else "stop")
    else:
        tool = f"tool-{rng.randrange(8)}"
        span = _span(trace, f"execute_tool {tool}", Span.SPAN_KIND_INTERNAL, now, taken, False, parent)
        extra: dict[str, str | int] = {"gen_ai.tool.name": tool, "gen_ai.tool.call.id": rng.randbytes(6).hex()}
        if rng.random() < 0.05:
            extra["error.type"] = "tool_not_found"
        _attributes(span, {"gen_ai.operation.name": "execute_tool"} | common | extra)
    return span


def _attributes(span: Span, pairs: dict[str, str | int]) -> None:
    span.attributes.extend(_pair(key, value) for key, value in pairs.items())
