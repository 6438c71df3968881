"""OTLP JSON lines (one ExportTraceServiceRequest a line, as the Collector's file exporter writes them) -> spans.

Specification: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/. Read by `json`, not by the receiver's
decoder: protobuf's JSON parser takes twenty times as long, and a recording has millions of spans.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hemostat.errors import Refused
from hemostat.replay.lines import lines
from hemostat.signals.rootcause.traces import Span

MAX_LINE = 64 * 1024 * 1024
MAX_NAME = 253
_CALLING = {3, 4, "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER"}
_UNTOLD = {None, 0, "SPAN_KIND_UNSPECIFIED"}
_ERROR = {2, "STATUS_CODE_ERROR"}


def read(path: Path) -> Iterator[Span]:
    """Yield the spans of a file. Raises `Refused` with file and line for what is not OTLP JSON."""
    seen = False
    for number, line in lines(path, MAX_LINE):
        if not line.strip():
            continue
        try:
            for span in _spans(json.loads(line)):
                seen = True
                yield span
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
            raise Refused(
                "BadOtlp", f"{path}, line {number}: not an OTLP JSON trace request: {_told(error)}"
            ) from error
    if not seen:
        raise Refused("Empty", f"{path}: no spans")


def _told(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)[:200] or type(error).__name__


def _spans(request: Mapping[str, Any]) -> Iterator[Span]:
    for resource in request["resourceSpans"]:
        service = _attribute(resource.get("resource", {}).get("attributes", ()), "service.name")
        if not service:
            continue
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield _span(span, service)


def _span(span: Mapping[str, Any], service: str) -> Span:
    kind = span.get("kind")
    calling = None if kind in _UNTOLD else kind in _CALLING
    attributes = span.get("attributes", ())
    peer = ""
    if calling and attributes:
        peer = _attribute(attributes, "peer.service") or _attribute(attributes, "server.address").split(".", 1)[0]
    return Span(
        trace_id=_text(span["traceId"]),
        span_id=_text(span["spanId"]),
        parent_id=_text(span.get("parentSpanId") or ""),
        service=service,
        name=_text(span.get("name") or "?"),
        start=_seconds(span["startTimeUnixNano"]),
        end=_seconds(span["endTimeUnixNano"]),
        failed=span.get("status", {}).get("code") in _ERROR,
        calling=calling,
        peer=peer,
    )


def _seconds(nanoseconds: str | int) -> float:
    number = int(nanoseconds)
    if not 0 < number < 1 << 64:
        raise ValueError(f"not a time in nanoseconds since 1970: {str(nanoseconds)[:40]!r}")
    return number / 1e9


def _attribute(attributes: Any, key: str) -> str:
    for item in attributes:
        if item["key"] == key:
            return _text(item["value"].get("stringValue", ""))
    return ""


def _text(text: str) -> str:
    """Names end up in tables: bounded, on one line."""
    cut = text[:MAX_NAME]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)
