"""Where spans and the guard's events go: OTLP over HTTP to OTEL_EXPORTER_OTLP_ENDPOINT, if that is set."""

from __future__ import annotations

import logging
import os

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from hemostat_chaos.agents.settings import Settings
from hemostat_chaos.shop.tracing import Seldom

_TIMEOUT = 3.0
_QUIET_SECONDS = 30.0
# A request must stay under the 4 MiB that receivers take: a context window is in several attributes of a span.
_MOST_TEXT = 32_768
_MOST_SPANS = 32


def providers(name: str, settings: Settings) -> tuple[TracerProvider, LoggerProvider]:
    """Build the providers of one process; whoever makes them shuts them down."""
    resource = Resource.create(
        {
            "service.name": name,
            "service.namespace": settings.namespace,
            "k8s.namespace.name": settings.namespace,
            "k8s.pod.name": settings.pod,
        }
    )
    limits = SpanLimits(max_span_attribute_length=_MOST_TEXT)
    traces = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    logs = LoggerProvider(resource, shutdown_on_exit=False)
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        _export(traces, logs, int(settings.export_seconds * 1000))
    return traces, logs


def _export(traces: TracerProvider, logs: LoggerProvider, millis: int) -> None:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    handler = logging.StreamHandler()
    handler.addFilter(Seldom(_QUIET_SECONDS))
    logging.getLogger("opentelemetry").addHandler(handler)
    logging.getLogger("opentelemetry").propagate = False
    traces.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(timeout=_TIMEOUT), schedule_delay_millis=millis, max_export_batch_size=_MOST_SPANS
        )
    )
    logs.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(timeout=_TIMEOUT), schedule_delay_millis=millis)
    )
