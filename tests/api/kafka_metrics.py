"""What the OpenTelemetry Collector makes of a Kafka: its own Prometheus exporter, fed by OTLP.

Its kafkametricsreceiver is not given out by every Go module proxy. So this says over OTLP what that one documents: the
same three gauges, by name, unit and attributes, of the partitions that a group has committed to. What becomes of names
and labels on the way to Prometheus is the Collector's own doing.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from tests.api.kafka import Kafka, Offsets
from tests.api.programs import answers, free_port, until

from hemostat_chaos.cluster import otelcol, spawn

PARTS = f"""\
receivers: [{{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v{otelcol.VERSION}}}]
exporters: [{{gomod: {otelcol.CONTRIB}/exporter/prometheusexporter v{otelcol.VERSION}}}]
"""
SPELLINGS = {"UnderscoreEscapingWithSuffixes": "_ratio", "UnderscoreEscapingWithoutSuffixes": ""}
"""How the exporter may be told to spell names (first: the default), and what it adds to gauges whose unit is 1."""


@contextmanager
def collected(kafka: Kafka, groups: list[str], topics: list[str], folder: Path) -> Iterator[dict[str, str]]:
    """Have a Collector export what is seen of a Kafka every second; yield its addresses by what names end in."""
    otlp = free_port()
    pages = {suffix: f"127.0.0.1:{free_port()}" for suffix in SPELLINGS.values()}
    config = folder / "otelcol.yaml"
    config.write_text(_config(otlp, pages))
    process = spawn.background([otelcol.otelcol(PARTS), "--config", config], folder / "otelcol.log")
    try:
        until(lambda: all(answers(f"http://{page}/metrics") for page in pages.values()), 30, "the Collector is ready")
        with _saying(kafka, groups, topics, f"http://127.0.0.1:{otlp}/v1/metrics"):
            yield pages
    finally:
        spawn.end(process, grace=10)


def _config(otlp: int, pages: dict[str, str]) -> str:
    exporters = {
        f"prometheus/{spelling}": {"endpoint": pages[suffix], "translation_strategy": spelling}
        for spelling, suffix in SPELLINGS.items()
    }
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
        "exporters": exporters,
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"metrics": {"receivers": ["otlp"], "exporters": list(exporters)}},
        },
    }
    return json.dumps(config)


@contextmanager
def _saying(kafka: Kafka, groups: list[str], topics: list[str], url: str) -> Iterator[None]:
    def committed(offset: bool) -> Iterator[Observation]:
        ends = kafka.ends(*topics)
        for group in groups:
            for (topic, partition), at in kafka.committed(group).items():
                value = at if offset else max(0, ends[topic, partition] - at)
                yield Observation(value, {"group": group, "topic": topic, "partition": partition})

    gauges: dict[str, Callable[[CallbackOptions], Iterator[Observation]]] = {
        "kafka.consumer_group.lag": lambda _: committed(offset=False),
        "kafka.consumer_group.offset": lambda _: committed(offset=True),
        "kafka.partition.current_offset": lambda _: _ends(kafka.ends(*topics)),
    }
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(url), export_interval_millis=1000)
    provider = MeterProvider([reader])
    meter = provider.get_meter("kafkametrics")
    for name, observe in gauges.items():
        meter.create_observable_gauge(name, [observe], unit="1")
    try:
        yield
    finally:
        provider.shutdown()


def _ends(ends: Offsets) -> Iterator[Observation]:
    for (topic, partition), at in ends.items():
        yield Observation(at, {"topic": topic, "partition": partition})
