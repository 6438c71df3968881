"""OTLP JSON lines (an export request of traces or logs a line, as the Collector's file exporter writes them) -> steps.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/. When a line arrived is not in it: that
is taken to be when the latest of its records ended or was observed, and never before the line above it.
"""

import heapq
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hemostat.errors import Refused
from hemostat.replay.lines import lines
from hemostat.telemetry.kernel.elements import elements
from hemostat.telemetry.steps import Step, of_logs, of_traces

MAX_LINE = 64 * 1024 * 1024
MAX_ELEMENTS = 1 << 21
"""Objects, lists and commas of a line: 16,000 spans with 20 attributes."""
LEAP = 1_000.0
"""Seconds from one line to the next from which on the next but one tells whether nothing happened for so long."""
_IDS = ("traceId", "spanId", "parentSpanId")
_IGNORED = ("resourceMetrics", "resourceProfiles")


@dataclass(frozen=True, slots=True)
class Request:
    """What a line tells of."""

    time: float
    """Seconds since 1970 by the senders' clocks; never earlier than that of the line before."""
    records: int
    """Spans and log records, whatever they are of."""
    steps: tuple[Step, ...]


def read(paths: Sequence[Path]) -> Iterator[Request]:
    """Yield the requests of files, of which each is in the order of arrival, one by one in the order of time.

    Raises `Refused` with file and line for what is not OTLP JSON, and when there is no record at all.
    """
    seen = False
    for request in heapq.merge(*(_in_order(_read(path)) for path in paths), key=lambda one: one.time):
        seen = seen or request.records > 0
        yield request
    if not seen:
        raise Refused("Empty", f"{', '.join(map(str, paths))}: no spans and no log records")


def _in_order(requests: Iterable[Request]) -> Iterator[Request]:
    """Let time go on as lines say; one that leaps ahead of the next one too has a wrong clock, and moves nothing."""
    time, ahead = 0.0, None
    for request in requests:
        if ahead is not None and request.records:
            time = time if request.time < ahead.time - LEAP else ahead.time
            yield replace(ahead, time=time)
            ahead = None
        if time and request.time - time > LEAP:
            ahead = request
            continue
        time = max(time, request.time)
        yield replace(request, time=time)
    if ahead is not None:
        yield ahead


def _read(path: Path) -> Iterator[Request]:
    for number, line in lines(path, MAX_LINE):
        if not line.strip():
            continue
        try:
            request = _request(line)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, json_format.ParseError) as error:
            told = f"no {error}" if isinstance(error, KeyError) else str(error)[:200] or type(error).__name__
            raise Refused(
                "BadOtlp", f"{path}, line {number}: not an OTLP JSON request of traces or logs: {told}"
            ) from error
        yield request


def _request(line: str) -> Request:
    if elements(np.frombuffer(line.encode(), np.uint8), MAX_ELEMENTS) > MAX_ELEMENTS:
        raise ValueError(f"more than {MAX_ELEMENTS:,} objects, lists and commas; write smaller batches")
    found = json.loads(line)
    if "resourceSpans" in found:
        return _traces({"resourceSpans": found["resourceSpans"]})
    if "resourceLogs" in found:
        return _logs({"resourceLogs": found["resourceLogs"]})
    if any(other in found for other in _IGNORED):
        return Request(0.0, 0, ())
    raise ValueError("neither resourceSpans nor resourceLogs in it")


def _traces(found: dict[str, Any]) -> Request:
    for resource in found["resourceSpans"]:
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                _ids_to_base64(span)
                for link in span.get("links", ()):
                    _ids_to_base64(link)
    request = json_format.ParseDict(found, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    spans = [s for resource in request.resource_spans for scope in resource.scope_spans for s in scope.spans]
    times = (span.end_time_unix_nano or span.start_time_unix_nano for span in spans)
    return Request(_latest(times), len(spans), tuple(of_traces(request)))


def _logs(found: dict[str, Any]) -> Request:
    for resource in found["resourceLogs"]:
        for scope in resource.get("scopeLogs", ()):
            for record in scope.get("logRecords", ()):
                _ids_to_base64(record)
    request = json_format.ParseDict(found, ExportLogsServiceRequest(), ignore_unknown_fields=True)
    records = [r for resource in request.resource_logs for scope in resource.scope_logs for r in scope.log_records]
    times = (max(record.time_unix_nano, record.observed_time_unix_nano) for record in records)
    return Request(_latest(times), len(records), tuple(of_logs(request)))


def _latest(nanoseconds: Iterable[int]) -> float:
    return max(nanoseconds, default=0) / 1e9


def _ids_to_base64(item: dict[str, Any]) -> None:
    """OTLP's JSON writes ids in hex, protobuf's reads base64. What is no hex is no id, as for the receiver."""
    for key in _IDS:
        if key in item:
            try:
                item[key] = b64encode(bytes.fromhex(item[key])).decode()
            except ValueError:
                item[key] = ""
