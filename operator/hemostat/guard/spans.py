"""The span processor that makes open spans visible: OTLP itself sends a span only when it has ended.

Per span of an agent, a tool, a model or a declared wait: `hemostat.span.start` as soon as it is recognised,
`hemostat.span.heartbeat` every five seconds while it stays open (with the attributes it has by then), and
`hemostat.span.end` when it really ends. An end is never made up: who stops hearing heartbeats knows no more than that.
"""

import time
from collections.abc import Callable

from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind

from hemostat.guard import names
from hemostat.guard.clock import Clock
from hemostat.guard.forks import in_child
from hemostat.guard.report import Reporter, attributes_of
from hemostat.guard.ticker import Ticker
from hemostat.guard.tracked import OpenSpans

HEARTBEAT_SECONDS = 5.0
MAX_OPEN = 10_000
_MAY_GROW = (SpanKind.INTERNAL, SpanKind.CLIENT)
"""Kinds of span that agent instrumentations use; servers' and queues' spans have their attributes from the start."""
_SHUTDOWN_SECONDS = 2.0


class GuardSpanProcessor(SpanProcessor):
    """Reports open spans as OTLP log events. Add it to the tracer provider of the application.

    :param provider: where the events go; the global logger provider unless given. Its resource is the events' resource.
    :param heartbeat_seconds: how often a span that stays open is told of.
    :param max_open: how many spans are followed; what is beyond is counted in `hemostat.guard.untracked_spans`.
    :param ended: told of every span that ends, for counting; must be quick.
    :param ticker: clockwork to share; its own daemon thread, started with the first span, unless given.
    """

    def __init__(
        self,
        provider: LoggerProvider | None = None,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        max_open: int = MAX_OPEN,
        clock: Clock = time,
        ticker: Ticker | None = None,
        ended: Callable[[ReadableSpan], None] | None = None,
    ) -> None:
        self._clock = clock
        self._report = Reporter(provider or get_logger_provider(), clock)
        self._open = OpenSpans(heartbeat_seconds, max_open)
        self._ticker = ticker or Ticker()
        self._ticker.add(self.tick)
        self._ended = ended
        self._closed = False
        in_child(self._open.renew)

    @property
    def open_spans(self) -> int:
        """How many spans are open and told of."""
        return len(self._open)

    @property
    def untracked(self) -> int:
        """How many spans were not followed, for want of room."""
        return self._open.untracked

    @property
    def failures(self) -> int:
        """How many events could not be emitted."""
        return self._report.failures

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        """Tell of a span that begins, if it can be seen already what it is."""
        if self._closed:
            return
        try:
            self._begin(span)
        except Exception:  # noqa: BLE001 - telemetry never breaks what it watches
            self._report.failed()

    def on_end(self, span: ReadableSpan) -> None:
        """Tell of the end, if the start was told."""
        if self._closed:
            return
        try:
            context = span.get_span_context()
            if context is not None and self._open.end(context.span_id):
                self._report.span(names.END, span, self._open.untracked)
            if self._ended is not None:
                self._ended(span)
        except Exception:  # noqa: BLE001 - telemetry never breaks what it watches
            self._report.failed()

    def _begin(self, span: Span) -> None:
        context = span.get_span_context()
        told = names.is_watched(attributes_of(span))
        if not told and span.kind not in _MAY_GROW:
            return
        if self._open.begin(context.span_id, span, self._clock.monotonic(), told=told) and told:
            self._report.span(names.START, span, self._open.untracked)
        self._ticker.start()

    def tick(self) -> None:
        """Tell what is due: starts of spans recognised late, then heartbeats."""
        if self._closed:
            return
        now = self._clock.monotonic()
        for key, span in self._open.candidates():
            if names.is_watched(attributes_of(span)) and self._open.recognise(key, span, now):
                self._tell(names.START, span)
        for span in self._open.due(now):
            self._tell(names.HEARTBEAT, span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Tell what is due and have it sent; False when that took longer than the time."""
        self.tick()
        return self._report.flush(timeout_millis)

    def shutdown(self) -> None:
        """Stop, within two seconds. Spans still open are left as they are: no end is made up."""
        self._closed = True
        self._ticker.stop(_SHUTDOWN_SECONDS)

    def _tell(self, event: str, span: Span) -> None:
        if span.is_recording():
            self._report.span(event, span, self._open.untracked)
