"""Kafka and RabbitMQ by their well-known exporters: lag, standstill, repetitions, dead letters (pure)."""

from collections.abc import Iterator

from hemostat.api.watch import QueueSignal, QueueSystem, SignalKind
from hemostat.signals.presets.target import preset
from hemostat.signals.rules import Rule, fill, quoted

_Preset = tuple[str, str, str, float, str]
"""Aspect, query, subject, bound, unit."""


def queue(name: str, signal: QueueSignal) -> Iterator[Rule]:
    """Yield the rules of a queue."""
    makers = {QueueSystem.KAFKA: _kafka, QueueSystem.RABBITMQ: _rabbitmq}
    for aspect, query, subject, above, unit in makers[signal.system](signal):
        backlog = aspect == "Backlog"
        yield preset(name, aspect, SignalKind.QUEUE, query, subject, above=above, unit=unit, expected=backlog)


_KAFKA_EXPORTERS = (
    {
        "group": "consumergroup",
        "lag": "kafka_consumergroup_lag",
        "committed": "kafka_consumergroup_current_offset",
        "end": "kafka_topic_partition_current_offset",
    },
    *(
        {
            "group": "group",
            "lag": f"kafka_consumer_group_lag{suffix}",
            "committed": f"kafka_consumer_group_offset{suffix}",
            "end": f"kafka_partition_current_offset{suffix}",
        }
        for suffix in ("_ratio", "")
    ),
)
"""What kafka_exporter and the OpenTelemetry Collector call the same four things. The unit of the Collector's gauges is
1, which becomes `_ratio` on the way to Prometheus unless suffixes are turned off.
"""


def _kafka_any(query: str, name: str) -> str:
    """Ask in the words of each exporter; where two say something of a topic, the first counts."""
    return " or ".join(fill(query, name=quoted(name), **words) for words in _KAFKA_EXPORTERS)


def _kafka(signal: QueueSignal) -> Iterator[_Preset]:
    """Lag is -1 (kafka_exporter) or absent (Collector) while a group has committed nothing: that is no lag."""
    lag = _kafka_any("sum by (topic) (clamp_min($lag{$group=$name}, 0))", signal.name)
    yield "Backlog", lag, "lag of topic $topic", float(signal.max_lag), ""
    stalled = _kafka_any(
        """sum by (topic) (delta($lag{$group=$name}[2m]))
           * (sum by (topic) (changes($committed{$group=$name}[2m])) == bool 0)""",
        signal.name,
    )
    words = "growth of the lag in two minutes, nothing consumed, of topic $topic"
    yield "Stalled", stalled, words, 0.0, ""
    if signal.dead_letter:
        dead = _kafka_any("sum(delta($end{topic=$name}[5m]))", signal.dead_letter)
        yield "DeadLetters", dead, "dead letters in five minutes", 0.0, ""


def _rabbit(metric: str, queue: str, function: str = "", window: str = "") -> str:
    """Select a queue's series. `/metrics/detailed` gives the same as `/metrics/per-object` under longer names."""
    names = (f"rabbitmq_{metric}", f"rabbitmq_detailed_{metric}")
    return " or ".join(f"{function}({n}{{queue={queue}}}{window})" for n in names)


def _rabbit_rate(word: str, queue: str) -> str:
    """Return how often it happens; channels counted deliveries before queues did (4.0)."""
    both = " or ".join(_rabbit(f"{by}_{word}_total", queue, "rate", "[2m]") for by in ("channel", "queue"))
    return f"sum({both})"


def _rabbitmq(signal: QueueSignal) -> Iterator[_Preset]:
    name = quoted(signal.name)
    ready = _rabbit("queue_messages_ready", name)
    yield "Backlog", f"sum by (vhost) ({ready})", "messages ready", float(signal.max_lag), ""
    growth, consumers = _rabbit("queue_messages_ready", name, "delta", "[2m]"), _rabbit("queue_consumers", name)
    yield (
        "Stalled",
        f"sum by (vhost) ({growth}) * (sum by (vhost) ({consumers}) == bool 0)",
        "growth of the queue in two minutes, nobody consuming",
        0.0,
        "",
    )
    words = ("messages_delivered", "messages_delivered_ack", "get", "get_ack")
    given = " + ".join(f"({_rabbit_rate(word, name)} or vector(0))" for word in words)
    share = f"100 * {_rabbit_rate('messages_redelivered', name)} / ({given} > 0)"
    yield "Redelivered", share, "deliveries that are repetitions", float(signal.redelivered_percent_above), "%"
    if signal.dead_letter:
        dead = _rabbit("queue_messages_ready", quoted(signal.dead_letter), "delta", "[5m]")
        yield "DeadLetters", f"sum({dead})", "dead letters in five minutes", 0.0, ""
