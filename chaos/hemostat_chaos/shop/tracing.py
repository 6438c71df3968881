"""Spans and their way out: OTLP over HTTP, in batches, never in the way of a request."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hemostat_chaos.shop.roles import Call, Route
from hemostat_chaos.shop.settings import Settings

_EXPORT_SECONDS = 3.0
_DELAY_MILLIS = 1000
_QUIET_SECONDS = 30.0


class Tracing:
    """Opens the two kinds of span the shop has, and closes the exporter in bounded time."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("hemostat_chaos.shop")
        self._context = TraceContextTextMapPropagator()

    @contextmanager
    def server_span(self, route: Route, headers: Mapping[str, str]) -> Iterator[Span]:
        """Open the span of one incoming request, as a child of the caller's span if it sent one."""
        with self._tracer.start_as_current_span(
            f"{route.method} {route.path}",
            context=self._context.extract({name.lower(): value for name, value in headers.items()}),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": route.method,
                "http.route": route.path,
                "url.path": route.path,
                "url.scheme": "http",
            },
        ) as span:
            yield span

    @contextmanager
    def client_span(self, call: Call, base_url: str, headers: MutableMapping[str, str]) -> Iterator[Span]:
        """Open the span of one outgoing call and write its context into the headers.

        `server.address` is the Service's name even where the address is another one, because the name is
        what makes an edge of the call graph.
        """
        with self._tracer.start_as_current_span(
            f"{call.method} {call.path}",
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": call.method,
                "http.route": call.path,
                "server.address": call.peer,
                "server.port": urlsplit(base_url).port or 80,
                "url.full": base_url + call.path,
            },
        ) as span:
            self._context.inject(headers)
            yield span

    def close(self, seconds: float) -> bool:
        """Send what is left and return whether that was done within the time given."""
        # The SDK's own shutdown may wait out a whole export; a thread lets us walk away from it.
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(seconds)
        return not closing.is_alive()


def answered(span: Span, code: int, *, error_from: int) -> None:
    """Put the HTTP status on the span; from `error_from` on it is an error."""
    span.set_attribute("http.response.status_code", code)
    if code >= error_from:
        failed(span, str(code))


def failed(span: Span, kind: str) -> None:
    """Mark the span as an error of this kind."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR, kind)


def provider(settings: Settings) -> TracerProvider:
    """Build the provider for one process; without an OTLP endpoint spans are made but sent nowhere."""
    made = TracerProvider(resource=resource(settings), shutdown_on_exit=False)
    if settings.otlp_endpoint:
        # Imported here: it costs a tenth of a second that a process without a receiver need not spend.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        logging.getLogger("opentelemetry").addHandler(_seldom())
        logging.getLogger("opentelemetry").propagate = False
        made.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(timeout=_EXPORT_SECONDS),
                max_queue_size=2048,
                max_export_batch_size=256,
                schedule_delay_millis=_DELAY_MILLIS,
            )
        )
    return made


def resource(settings: Settings) -> Resource:
    """Say who sends the spans."""
    return Resource.create(
        {
            "service.name": settings.role.name,
            "service.namespace": settings.namespace,
            "service.version": settings.version,
            "k8s.namespace.name": settings.namespace,
            "k8s.pod.name": settings.pod,
        }
    )


class Seldom(logging.Filter):
    """Lets one record through per interval: a receiver that is away is news once, not every second."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the interval since the last record shown is over."""
        now = time.monotonic()
        if record.levelno < logging.WARNING or now < self._next:
            return False
        self._next = now + self._seconds
        return True


def _seldom() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.addFilter(Seldom(_QUIET_SECONDS))
    return handler
