"""Records as OTLP requests: protobuf bytes, and JSON as the OTLP file exporter writes it (hex ids, 64-bit as strings).

Specification: https://opentelemetry.io/docs/specs/otlp/ and .../otlp/file-exporter/.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from .render import Pairs, Record

KINDS = {"internal": Span.SPAN_KIND_INTERNAL, "server": Span.SPAN_KIND_SERVER, "client": Span.SPAN_KIND_CLIENT}
Signal = Literal["traces", "logs"]


@dataclass(frozen=True, slots=True)
class Export:
    """One request of one pod: when it arrives (true seconds since 1970), and its records."""

    arrival: float
    signal: Signal
    records: tuple[Record, ...]

    def body(self) -> bytes:
        """Return an ExportTraceServiceRequest or ExportLogsServiceRequest."""
        return _traces(self.records) if self.signal == "traces" else _logs(self.records)

    def line(self) -> str:
        """Return the same request as one line of OTLP JSON."""
        first = self.records[0]
        resource = {"attributes": _json_pairs(first.resource)}
        scoped = [(name, [_json(one) for one in some]) for name, some in _scopes(self.records)]
        if self.signal == "traces":
            spans = [{"scope": {"name": name}, "spans": some} for name, some in scoped]
            return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": spans}]})
        logs = [{"scope": {"name": name}, "logRecords": some} for name, some in scoped]
        return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": logs}]})


def exports(records: Iterable[Record]) -> Iterator[Export]:
    """Return the requests for records that are sorted by arrival: one for each pod and flush."""
    for arrival, some in groupby(records, key=lambda record: record.arrival):
        batches: dict[tuple[Pairs, bool], list[Record]] = {}
        for record in some:
            batches.setdefault((record.resource, bool(record.event)), []).append(record)
        for (_, logs), batch in batches.items():
            yield Export(arrival, "logs" if logs else "traces", tuple(batch))


def _scopes(records: tuple[Record, ...]) -> Iterator[tuple[str, list[Record]]]:
    scopes: dict[str, list[Record]] = {}
    for record in records:
        scopes.setdefault(record.scope, []).append(record)
    return iter(scopes.items())


def _traces(records: tuple[Record, ...]) -> bytes:
    request = ExportTraceServiceRequest()
    group = ResourceSpans(resource=Resource(attributes=_pairs(records[0].resource)))
    for name, some in _scopes(records):
        scope = ScopeSpans()
        scope.scope.name = name
        scope.spans.extend(_span(one) for one in some)
        group.scope_spans.append(scope)
    request.resource_spans.append(group)
    return request.SerializeToString()


def _span(record: Record) -> Span:
    span = Span(
        trace_id=record.trace,
        span_id=record.span,
        parent_span_id=record.parent,
        name=record.name,
        kind=KINDS[record.kind],
        start_time_unix_nano=record.start,
        end_time_unix_nano=record.end,
        attributes=_pairs(record.attributes),
    )
    for trace, linked in record.links:
        span.links.add(trace_id=trace, span_id=linked)
    if record.error:
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, record.error
    return span


def _logs(records: tuple[Record, ...]) -> bytes:
    request = ExportLogsServiceRequest()
    group = ResourceLogs(resource=Resource(attributes=_pairs(records[0].resource)))
    for name, some in _scopes(records):
        scope = ScopeLogs()
        scope.scope.name = name
        scope.log_records.extend(_log(one) for one in some)
        group.scope_logs.append(scope)
    request.resource_logs.append(group)
    return request.SerializeToString()


def _log(record: Record) -> LogRecord:
    return LogRecord(
        time_unix_nano=record.start,
        observed_time_unix_nano=record.start,
        event_name=record.event,
        trace_id=record.trace,
        span_id=record.span,
        attributes=_pairs(record.attributes),
    )


def _pairs(pairs: Pairs) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in pairs]


def _value(value: Any) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))


def _json(record: Record) -> dict[str, Any]:
    common = {
        "traceId": record.trace.hex(),
        "spanId": record.span.hex(),
        "attributes": _json_pairs(record.attributes),
    }
    if record.event:
        time = str(record.start)
        return common | {"timeUnixNano": time, "observedTimeUnixNano": time, "eventName": record.event}
    status: dict[str, Any] = {"code": 2, "message": record.error} if record.error else {}
    return common | {
        "parentSpanId": record.parent.hex(),
        "name": record.name,
        "kind": int(KINDS[record.kind]),
        "startTimeUnixNano": str(record.start),
        "endTimeUnixNano": str(record.end),
        "status": status,
        "links": [{"traceId": trace.hex(), "spanId": linked.hex()} for trace, linked in record.links],
    }


def _json_pairs(pairs: Pairs) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_value(value)} for key, value in pairs]


def _json_value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"arrayValue": {"values": [_json_value(one) for one in value]}}
