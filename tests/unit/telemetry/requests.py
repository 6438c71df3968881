"""Builds export requests and compares what was counted."""

from collections import Counter

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from hemostat.telemetry.window import KEEP_SECONDS, TraceWindows

CLIENT, SERVER, PRODUCER, CONSUMER, INTERNAL = (
    Span.SPAN_KIND_CLIENT,
    Span.SPAN_KIND_SERVER,
    Span.SPAN_KIND_PRODUCER,
    Span.SPAN_KIND_CONSUMER,
    Span.SPAN_KIND_INTERNAL,
)
TRACE = bytes(range(16))


def span(
    kind=CLIENT,
    name="GET /",
    *,
    seconds=0.1,
    failed=False,
    trace=TRACE,
    own=b"12345678",
    parent=b"",
    links=(),
    start=10**18,
    **attributes,
):
    found = Span(
        trace_id=trace,
        span_id=own,
        parent_span_id=parent,
        name=name,
        kind=kind,
        start_time_unix_nano=start,
        end_time_unix_nano=start + round(seconds * 1e9),
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )
    for linked in links:
        found.links.add(trace_id=trace, span_id=linked)
    for key, value in attributes.items():
        put(found, key.replace("__", "."), value)
    return found


def put(found, key, value):
    attribute = found.attributes.add(key=key)
    if isinstance(value, int):
        attribute.value.int_value = value
    elif isinstance(value, list):
        for text in value:
            attribute.value.array_value.values.add(string_value=text)
    else:
        attribute.value.string_value = value


def message(service, *spans):
    found = ExportTraceServiceRequest()
    resource = found.resource_spans.add()
    if service is not None:
        resource.resource.attributes.add(key="service.name").value.string_value = service
    resource.scope_spans.add().spans.extend(spans)
    return found


def request(service, *spans):
    return message(service, *spans).SerializeToString()


def counted(windows: TraceWindows, now: float):
    """Return all that was counted as the oracle tells it."""
    reading = windows.read(now)
    graph = reading.graph(KEEP_SECONDS)
    services = {e.caller for e in graph.edges} | graph.nodes() | {of.owner for of in reading.labels.values()}
    return {
        "edges": Counter(
            (e.caller, e.callee, e.calls, e.failures, round(e.total_seconds * 1e9), e.served.calls, e.served.failures)
            for e in graph.edges
        ),
        "operations": Counter(
            (o.service, o.name, o.kind, o.stats.calls, o.stats.failures, round(o.stats.total_seconds * 1e9))
            for service in services
            for o in reading.operations(service, KEEP_SECONDS)
        ),
        "agents": sorted(
            (a for service in services for a in reading.agents(service, KEEP_SECONDS)),
            key=lambda a: (a.service, a.agent),
        ),
    }


def told(oracle):
    """Return what the oracle counted in the same form."""
    found = {part: Counter(map(tuple, rows)) for part, rows in oracle.counted().items()}
    return found | {
        "agents": [
            a for a in oracle.agent_stats() if any((a.tasks, a.tokens, a.outputs, a.tool_calls, a.outputs_invalid))
        ]
    }
