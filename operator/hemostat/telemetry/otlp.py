"""What OTLP says beside spans: JSON requests, log requests, answers, errors. Knows the messages, counts nothing.

Specification: https://opentelemetry.io/docs/specs/otlp/. Errors are google.rpc.Status messages, with RetryInfo where
the sender shall come again.
"""

import binascii
from collections.abc import Iterator
from enum import Enum

import numpy as np
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from hemostat.errors import Refused
from hemostat.telemetry.kernel.elements import elements
from hemostat.telemetry.kernel.fold import Folded
from hemostat.telemetry.kernel.records import records

INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE = 3, 8, 14
"""Codes of google.rpc.Code."""
RETRY_SECONDS = 1
"""When a sender that met a full queue shall come again."""
MAX_ELEMENTS = 1 << 17
"""Of a request in JSON, for each takes up to 5 us: 1,700 spans with 15 attributes."""


MAX_RECORDS = 1 << 15
"""Log records of one request."""


class Kind(Enum):
    """What a request exports."""

    TRACES = "ExportTraceServiceRequest"
    LOGS = "ExportLogsServiceRequest"


def from_json(body: bytes, kind: Kind = Kind.TRACES) -> bytes:
    """Return a JSON request in its binary form. Raises `Refused` (BadOtlp, TooLarge) with what is wrong; never anything
    else.
    """
    if elements(np.frombuffer(body, np.uint8), MAX_ELEMENTS) > MAX_ELEMENTS:
        raise Refused("TooLarge", f"more than {MAX_ELEMENTS} objects, lists and commas; send smaller batches")
    request = ExportTraceServiceRequest() if kind is Kind.TRACES else ExportLogsServiceRequest()
    try:
        json_format.Parse(body, request, ignore_unknown_fields=True)
        for item in _items(request):
            _ids_from_hex(item)
        return request.SerializeToString()
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise Refused("BadOtlp", f"not an OTLP {kind.value}: {error}") from error


def check_logs(body: bytes) -> None:
    """Make sure that a log request can be read. Raises `Refused` (BadOtlp, TooLarge)."""
    n = records(np.frombuffer(body, np.uint8))
    if n > MAX_RECORDS:
        raise Refused("TooLarge", f"more than {MAX_RECORDS} log records; send smaller batches")
    try:
        ExportLogsServiceRequest.FromString(body)
    except DecodeError as error:
        raise Refused("BadOtlp", f"not an OTLP {Kind.LOGS.value}: {error}") from error


def _items(request: ExportTraceServiceRequest | ExportLogsServiceRequest) -> Iterator[Span | LogRecord]:
    if isinstance(request, ExportLogsServiceRequest):
        for logs in request.resource_logs:
            for scope_logs in logs.scope_logs:
                yield from scope_logs.log_records
        return
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _ids_from_hex(item: Span | LogRecord) -> None:
    """OTLP's JSON writes ids in hex, where protobuf's JSON reads base64: turn them back."""
    item.trace_id, item.span_id = _from_hex(item.trace_id), _from_hex(item.span_id)
    if isinstance(item, LogRecord):
        return
    item.parent_span_id = _from_hex(item.parent_span_id)
    for link in item.links:
        link.trace_id, link.span_id = _from_hex(link.trace_id), _from_hex(link.span_id)


def _from_hex(misread: bytes) -> bytes:
    try:
        return bytes.fromhex(binascii.b2a_base64(misread, newline=False).decode())
    except ValueError:  # no hex: an id that links nowhere, and the call counts all the same
        return b""


def accepted(folded: Folded, kind: Kind = Kind.TRACES) -> Message:
    """Return the answer to a request that was taken; it says how many spans were not counted, and why that may be."""
    if kind is Kind.LOGS:
        return ExportLogsServiceResponse()
    answer = ExportTraceServiceResponse()
    if folded.rejected:
        answer.partial_success.rejected_spans = folded.rejected
        answer.partial_success.error_message = (
            "spans without service.name, of too many services, or too many in one request were not counted"
        )
    return answer


def status(code: int, message: str, retry_seconds: int = 0) -> Status:
    """Return the body of an error; with `retry_seconds` it asks the sender to come again."""
    found = Status(code=code, message=message)
    if retry_seconds:
        details = AnyMessage()
        details.Pack(RetryInfo(retry_delay=Duration(seconds=retry_seconds)))
        found.details.append(details)
    return found


def as_json(message: Message) -> bytes:
    """Return a message as JSON."""
    return json_format.MessageToJson(message, indent=None).encode()
