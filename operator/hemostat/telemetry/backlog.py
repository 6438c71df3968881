"""What may tell of AI agents, waiting to be read: counting does not wait for it (shell).

One thread reads, so steps come in the order in which they arrived. What waits is bounded; when it is too much, senders
are asked to come again.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hemostat.metrics import AGENT_STEPS
from hemostat.telemetry.otlp import Kind
from hemostat.telemetry.steps import Identity, Step, identities, of_logs, of_traces
from hemostat.telemetry.window import REFUSED_SECONDS

LOG = logging.getLogger(__name__)
MAX_BYTES = 16 << 20
"""Requests that wait: some seconds of work. Those under way may come on top."""
Sink = Callable[[Sequence[Step], Sequence[Identity], float], None]
"""Takes steps, all spans that came with them, and when they arrived, in seconds since 1970."""


class Backlog:
    """Reads requests one after the other and hands their steps on.

    :param sink: called by this thread only.
    """

    def __init__(self, sink: Sink, max_bytes: int = MAX_BYTES) -> None:
        self._sink = sink
        self._max_bytes = max_bytes
        self._waiting = 0
        self._queue: queue.SimpleQueue[tuple[Kind, bytes, float] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._refused = -math.inf
        self.unreadable = 0
        """Requests whose messages could not be read though they could be counted."""

    def admits(self, now: float) -> bool:
        """Tell whether a request may come in at `now`; one that may not is told of for a while."""
        if self._waiting < self._max_bytes:
            return True
        self._refused = now
        return False

    def refuses(self, now: float) -> bool:
        """Tell whether requests were refused lately because too many wait."""
        return now - self._refused < REFUSED_SECONDS

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name="agent-steps", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Read what has arrived, and end."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def put(self, kind: Kind, body: bytes) -> None:
        """Take in a request that was counted already."""
        with self._lock:
            self._waiting += len(body)
        self._queue.put((kind, body, time.time()))

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            kind, body, arrived = item
            try:
                self.read(kind, body, arrived)
            except Exception:
                LOG.exception("steps of agents could not be taken in; the next request will be tried")
            finally:
                with self._lock:
                    self._waiting -= len(body)

    def read(self, kind: Kind, body: bytes, arrived: float) -> None:
        """Read one request now."""
        spans: list[Identity] = []
        try:
            if kind is Kind.TRACES:
                request = ExportTraceServiceRequest.FromString(body)
                steps, spans = list(of_traces(request)), list(identities(request))
            else:
                steps = list(of_logs(ExportLogsServiceRequest.FromString(body)))
        except DecodeError:
            self.unreadable += 1
            return
        for step in steps:
            AGENT_STEPS.labels(step.source).inc()
        if steps:
            self._sink(steps, spans, arrived)
