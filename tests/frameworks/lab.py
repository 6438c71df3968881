"""What every script of this folder begins with; it runs in the framework's own environment, not in ours.

Spans leave by the framework's instrumentation and OpenTelemetry's own OTLP exporter, to one address per scenario,
so that the test knows what each of them looked like:

    LAB_MODEL=http://127.0.0.1:1234 LAB_OTLP=http://127.0.0.1:1235 python run_strands.py own/with

asks the model at http://127.0.0.1:1234/own/with/v1 and sends the spans of its scenario `tools` to
http://127.0.0.1:1235/own/with/tools/v1/traces.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

MODEL_URL = ""
"""Where the model is, with /v1."""
VARIANT = ""
"""Which instrumentation, or which of its formats."""
CONTENT = True
"""Whether prompts, arguments and results may be in the spans."""
_SECONDS = 180


class _Exporter(SpanExporter):
    """The real exporter, a new one for each scenario."""

    def __init__(self) -> None:
        self._now: OTLPSpanExporter | None = None

    def aim(self, address: str) -> None:
        self._now = OTLPSpanExporter(endpoint=address)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._now is None:
            raise RuntimeError("spans outside a scenario")
        return self._now.export(spans)

    def shutdown(self) -> None:
        pass


_EXPORTER = _Exporter()


def begin() -> None:
    """Go on as one process per variation (`VARIANT/with` or `VARIANT/without` content), one after the other.

    Called once the framework is imported, which takes longer than everything else, and before it is configured.
    """
    failed = False
    for variation in sys.argv[1:]:
        child = os.fork()
        if child == 0:
            signal.alarm(_SECONDS)
            _become(variation)
            return
        failed |= os.waitpid(child, 0)[1] != 0
    sys.exit(failed)


def _become(variation: str) -> None:
    global MODEL_URL, VARIANT, CONTENT
    VARIANT, content = variation.split("/")
    MODEL_URL = f"{os.environ['LAB_MODEL']}/{variation}/v1"
    CONTENT = content == "with"
    # What some instrumentations call this switch, which they read when they need it.
    os.environ["TRACELOOP_TRACE_CONTENT"] = str(CONTENT).lower()
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY" if CONTENT else "NO_CONTENT"
    os.environ["ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS"] = str(CONTENT).lower()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_EXPORTER))
    trace.set_tracer_provider(provider)
    logging.basicConfig(level=logging.ERROR)


@contextmanager
def _scenario(name: str) -> Iterator[None]:
    _EXPORTER.aim(f"{os.environ['LAB_OTLP']}/{VARIANT}/{'with' if CONTENT else 'without'}/{name}/v1/traces")
    try:
        yield
    except Exception as error:  # noqa: BLE001 - that it fails is part of some scenarios: whatever becomes of a 429
        logging.info("scenario %s ends with %r", name, error)
    finally:
        trace.get_tracer_provider().force_flush()


def run(**scenarios: Callable[[], Awaitable[object]]) -> None:
    """Run the scenarios one after the other, each with its own address to send spans to."""

    async def all_of_them() -> None:
        for name, play in scenarios.items():
            with _scenario(name):
                await play()

    asyncio.run(all_of_them())


def prompt(script: str) -> str:
    """Return an agent's instructions that make the model follow a script."""
    return f"Be brief. [script: {script}]"


def search(query: str, limit: int) -> str:
    """Search the shop."""
    return f"{limit} kinds of {query}"


def price(item: str, currency: str) -> str:
    """Look up a price."""
    return f"{item}: 12 {currency}"


def status(job: str) -> str:
    """Say how a job is."""
    return f"job {job} is queued"


def lookup(key: str) -> str:
    """Find a record, in vain."""
    raise ConnectionError(f"503 from the records of {key}")
