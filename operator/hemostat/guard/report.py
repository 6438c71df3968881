"""Sends the guard's events as OTLP log records, and never lets one of its own troubles reach the application."""

import logging
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from opentelemetry._logs import LoggerProvider, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanKind, StatusCode, format_span_id, set_span_in_context

from hemostat.guard import names
from hemostat.guard.clock import Clock

MAX_VALUE = 8192
"""Characters (about) of an attribute's value; a longer one is left out whole, for half a JSON text has no digest."""
MAX_ATTRIBUTES = 112
"""With ours they stay under the 128 that the SDK keeps of a log record by default."""
_LOG = logging.getLogger(__name__)


class Reporter:
    """Emits log events through the Logs API. `failures` counts what could not be emitted; the first is logged."""

    def __init__(self, provider: LoggerProvider, clock: Clock) -> None:
        self.failures = 0
        self._provider = provider
        self._logger = provider.get_logger("hemostat.guard")
        self._clock = clock

    def span(self, event: str, span: ReadableSpan, untracked: int) -> None:
        """Tell of a span as it is at this moment."""
        try:
            context = span.get_span_context()
            if context is not None:
                attributes = snapshot(span, untracked)
                self._emit(event, attributes, set_span_in_context(NonRecordingSpan(context)))
        except Exception:  # noqa: BLE001 - telemetry never breaks what it watches
            self.failed()

    def guard(self, event: str, attributes: Mapping[str, Any]) -> None:
        """Tell what the guard did, in the trace of the moment."""
        try:
            self._emit(event, {k: v for k, v in attributes.items() if v not in (None, "")}, None)
        except Exception:  # noqa: BLE001 - telemetry never breaks what it watches
            self.failed()

    def flush(self, timeout_millis: int) -> bool:
        """Have the provider send what it holds; False when it did not within the time."""
        flush = getattr(self._provider, "force_flush", None)
        return flush is None or flush(timeout_millis) is not False

    def _emit(self, event: str, attributes: Mapping[str, Any], context: Context | None) -> None:
        self._logger.emit(
            timestamp=self._clock.time_ns(),
            context=context,
            severity_number=SeverityNumber.INFO,
            attributes=attributes,
            event_name=event,
        )

    def failed(self) -> None:
        """Count an exception that is being handled; the first is logged."""
        self.failures += 1
        if self.failures == 1:
            _LOG.exception("an event of the guard could not be emitted; the application is not affected")


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Return a copy of a span's attributes as they are now; those of a live span may change meanwhile.

    A copy, and by the container's own method: a look-up in what `attributes` returns costs ten times one in a dict.
    """
    own = span.attributes or {}
    return own.copy() if isinstance(own, dict | MappingProxyType) else dict(own)


def snapshot(span: ReadableSpan, untracked: int) -> dict[str, Any]:
    """Return the attributes of a span's event: the span's own as they are now, then the guard's."""
    own = attributes_of(span)
    made = {key: value for key, value in islice(own.items(), MAX_ATTRIBUTES) if _size(value) <= MAX_VALUE}
    omitted = len(own) - len(made)
    made[names.SPAN_NAME] = span.name[:MAX_VALUE]
    made[names.SPAN_KIND] = _KINDS[span.kind]
    made[names.START_TIME] = span.start_time or 0
    if span.parent is not None:
        made[names.PARENT_ID] = format_span_id(span.parent.span_id)
    if span.end_time is not None:
        made[names.END_TIME] = span.end_time
        made[names.STATUS] = "error" if span.status.status_code is StatusCode.ERROR else "ok"
        if kind := _exception(span):
            made.setdefault(names.ERROR, kind)
    if omitted:
        made[names.OMITTED] = omitted
    if untracked:
        made[names.UNTRACKED] = untracked
    return made


def _exception(span: ReadableSpan) -> str:
    """Return the type of the exception that ended a span: some instrumentations say it in an event only."""
    if span.status.status_code is not StatusCode.ERROR:
        return ""
    said = (event.attributes or {} for event in reversed(span.events) if event.name == "exception")
    return str(next(said, {}).get("exception.type", ""))[:MAX_VALUE]


_KINDS = {kind: kind.name.lower() for kind in SpanKind}


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _size(item) for key, item in value.items())
    if isinstance(value, tuple | list):
        return sum(map(_size, value)) + len(value)
    return 8
