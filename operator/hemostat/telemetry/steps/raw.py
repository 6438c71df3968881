"""A span as it came, ended or still open, from whichever of OTLP's signals (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from hemostat.errors import Refused
from hemostat.telemetry.names import printable
from hemostat.telemetry.otlp import from_json
from hemostat.telemetry.steps.attributes import MAX_NAME, Attributes, plain
from hemostat.telemetry.steps.vocabulary import EVENTS, OPERATION, PENDING, PENDING_PARENT

MAX_LINKS = 8
MAX_EVENTS = 64
MAX_SAID = 1024
"""Characters of a failure's message that are looked at."""
MAX_PARTIAL = 262_144
"""Bytes of a G-Research heartbeat's body."""
_ENDED = "hemostat.span.end"
_EVENTS = ("hemostat.span.start", "hemostat.span.heartbeat", _ENDED)
_OWN = "hemostat.span."
_ID = 8


@dataclass(frozen=True, slots=True)
class Raw:
    """A span, or what is known of one that is still open."""

    service: str
    tenant: str
    name: str
    trace: bytes
    span: bytes
    parent: bytes
    started: float
    ended: float | None
    error: bool
    attributes: Attributes
    exception: str = ""
    """Type of the last exception that was recorded."""
    message: str = ""
    """What was said of its failure."""
    links: tuple[bytes, ...] = ()
    told: bool = False
    """Whether the guard told of it."""
    scope: str = ""
    kind: int = 0
    instance: str = ""
    """The process that told of it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A span that ended, whatever it is of."""

    service: str
    trace: bytes
    span: bytes
    parent: bytes
    kind: int


def identities(request: ExportTraceServiceRequest) -> Iterator[Identity]:
    """Yield which spans an export request has, agents' or not; not those that stand for open ones."""
    for resource in request.resource_spans:
        service, _, _ = _who(plain(resource.resource.attributes))
        for scope in resource.scope_spans:
            for span in scope.spans:
                if span.start_time_unix_nano != span.end_time_unix_nano:
                    yield Identity(service, span.trace_id, span.span_id, span.parent_span_id, span.kind)


def spans(request: ExportTraceServiceRequest) -> Iterator[Raw]:
    """Yield the spans of an export request; Logfire's pending ones as open spans."""
    for resource in request.resource_spans:
        who = _who(plain(resource.resource.attributes))
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, who, scope.scope.name)


Who = tuple[str, str, str]
"""Service, tenant and process."""


def _who(resource: Attributes) -> Who:
    tenant = resource.get("tenant.id") or resource.get("service.namespace") or resource.get("k8s.namespace.name") or ""
    instance = resource.get("service.instance.id") or resource.get("k8s.pod.uid") or resource.get("k8s.pod.name") or ""
    service, tenant, instance = (
        printable(str(name)[:MAX_NAME]) for name in (resource.get("service.name") or "", tenant, instance)
    )
    return service, tenant, instance


def _span(span: Span, who: Who, scope: str) -> Raw:
    attributes = plain(span.attributes)
    own, parent, ended = span.span_id, span.parent_span_id, span.end_time_unix_nano / 1e9 or None
    if attributes.get(PENDING) == "pending_span":
        own, parent, ended = parent, _identifier(attributes.get(PENDING_PARENT)), None
    events = [(event.name, plain(event.attributes)) for event in span.events[:MAX_EVENTS]]
    for name, told in events:
        for key, meaning in EVENTS.get((attributes.get(OPERATION), name), {}).items():
            attributes.setdefault(meaning, told.get(key))
    exceptions = [told for name, told in events if name == "exception"][-1:] or [{}]
    said = span.status.message or exceptions[0].get("exception.message") or ""
    return Raw(
        service=who[0],
        tenant=who[1],
        instance=who[2],
        name=span.name,
        trace=span.trace_id,
        span=own,
        parent=parent,
        started=span.start_time_unix_nano / 1e9,
        ended=ended,
        error=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=attributes,
        exception=str(exceptions[0].get("exception.type") or ""),
        message=printable(str(said)[:MAX_SAID]),
        links=tuple(link.trace_id for link in span.links[:MAX_LINKS] if link.trace_id != span.trace_id),
        scope=scope,
        kind=span.kind,
    )


def logs(request: ExportLogsServiceRequest) -> Iterator[Raw]:
    """Yield the spans that log records tell of: the guard's events and G-Research's heartbeats. Others are no news."""
    for resource in request.resource_logs:
        who = _who(plain(resource.resource.attributes))
        for scope in resource.scope_logs:
            for record in scope.log_records:
                if record.event_name in _EVENTS:
                    yield _told(record, who, scope.scope.name)
                elif record.attributes and plain(record.attributes).get("partial.event"):
                    yield from _partial(record, who)


def _told(record: LogRecord, who: Who, scope: str) -> Raw:
    attributes = plain(record.attributes)
    own = {k.removeprefix(_OWN): attributes.pop(k) for k in list(attributes) if k.startswith(_OWN)}
    ended = _seconds(own.get("end_time_unix_nano")) if record.event_name == _ENDED else None
    return Raw(
        service=who[0],
        tenant=who[1],
        instance=who[2],
        name=str(own.get("name") or ""),
        trace=record.trace_id,
        span=record.span_id,
        parent=_identifier(own.get("parent_id")),
        started=_seconds(own.get("start_time_unix_nano")) or record.time_unix_nano / 1e9,
        ended=ended,
        error=own.get("status") == "error",
        attributes=attributes,
        told=True,
        scope=scope,
    )


def _partial(record: LogRecord, who: Who) -> Iterator[Raw]:
    """The span is in the body, as OTLP JSON. Its end is told by the span itself."""
    body = record.body.string_value.encode()
    if plain(record.attributes)["partial.event"] != "heartbeat" or not 0 < len(body) <= MAX_PARTIAL:
        return
    try:
        request = ExportTraceServiceRequest.FromString(from_json(body))
    except Refused:
        return
    for raw in spans(request):
        yield replace(raw, ended=None, told=True, service=raw.service or who[0], tenant=raw.tenant or who[1])


def _seconds(nanoseconds: Any) -> float | None:
    if isinstance(nanoseconds, str) and nanoseconds.isdecimal():
        nanoseconds = int(nanoseconds)
    usable = isinstance(nanoseconds, int) and not isinstance(nanoseconds, bool) and 0 < nanoseconds < 1 << 63
    return nanoseconds / 1e9 if usable else None


def _identifier(text: Any) -> bytes:
    """Return the eight bytes of a span id in hex; none of anything else, and of zeros, which say that there is none."""
    try:
        found = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return b""
    return found if len(found) == _ID and any(found) else b""
