"""What AI agents do, from every convention there is: spans and log events to `Step`s (pure)."""

from collections.abc import Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hemostat.telemetry.steps.normalise import step
from hemostat.telemetry.steps.raw import Identity, identities, logs, spans
from hemostat.telemetry.steps.step import RECEIPT, Basis, Failure, Operation, Source, Step, WaitMode

__all__ = [
    "RECEIPT",
    "Basis",
    "Failure",
    "Identity",
    "Operation",
    "Source",
    "Step",
    "WaitMode",
    "identities",
    "of_logs",
    "of_traces",
]


def of_traces(request: ExportTraceServiceRequest) -> Iterator[Step]:
    """Yield the steps that the spans of an export request tell of, in its order."""
    return (found for raw in spans(request) if (found := step(raw)) is not None)


def of_logs(request: ExportLogsServiceRequest) -> Iterator[Step]:
    """Yield the steps that log events tell of: the guard's, and G-Research's heartbeats."""
    return (found for raw in logs(request) if (found := step(raw)) is not None)
