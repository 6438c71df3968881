"""OTLP trace export requests -> `Span`. The only module that knows the protobuf messages.

Specification: https://opentelemetry.io/docs/specs/otlp/ (ExportTraceServiceRequest).
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanProto
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from hemostat.errors import Refused
from hemostat.telemetry.sample import Call

MAX_NAME = 253
"""Longer service and peer names are cut: hostile labels must not move memory."""

TRACE_ID_BYTES = 16
"""What the specification allows; a longer one must not be kept."""
_CALLING = (SpanProto.SPAN_KIND_CLIENT, SpanProto.SPAN_KIND_PRODUCER)


def decode(body: bytes, *, json: bool = False) -> ExportTraceServiceRequest:
    """Parse a request. Raises `Refused` (BadOtlp) with what is wrong; never anything else."""
    request = ExportTraceServiceRequest()
    try:
        if json:
            json_format.Parse(body, request, ignore_unknown_fields=True)
            _ids_from_hex(request)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("BadOtlp", f"not an OTLP ExportTraceServiceRequest: {error}") from error
    return request


def _ids_from_hex(request: ExportTraceServiceRequest) -> None:
    """OTLP's JSON writes trace ids in hex, where protobuf's JSON reads base64: turn them back."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                with suppress(ValueError):  # no hex: an id that links nowhere, and the call counts all the same
                    span.trace_id = bytes.fromhex(b64encode(span.trace_id).decode())


def calls(request: ExportTraceServiceRequest) -> Iterator[Call]:
    """Yield the outgoing calls that name their callee."""
    for resource in request.resource_spans:
        service = _attribute(resource.resource.attributes, "service.name")
        if not service:
            continue
        for scope in resource.scope_spans:
            for span in scope.spans:
                callee = _callee(span) if span.kind in _CALLING else ""
                if callee:
                    yield Call(
                        trace_id=span.trace_id[:TRACE_ID_BYTES].hex(),
                        caller=service,
                        callee=callee,
                        seconds=max(0, span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        failed=span.status.code == Status.STATUS_CODE_ERROR,
                    )


def _callee(span: SpanProto) -> str:
    peer = _attribute(span.attributes, "peer.service")
    return peer or _attribute(span.attributes, "server.address").split(".", 1)[0]


def _printable(text: str) -> str:
    """Names end up in conditions, Events and logs: no line breaks, no terminal escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _attribute(attributes: object, key: str) -> str:
    for item in attributes:  # type: ignore[attr-defined]
        if item.key == key:
            return _printable(str(item.value.string_value)[:MAX_NAME])
    return ""
