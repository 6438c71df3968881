"""Every metric that Hemostat exposes about itself, named once. Dashboards are checked against this module."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
Row = tuple[tuple[str, ...], float]
"""Values of the labels, and the number."""


class Table(Collector):
    """A gauge that is read whenever it is asked for: what is not there any more is gone at once, and the rest stays.

    A `Gauge` can only be cleared and filled again, and who reads it in between sees nothing.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._documentation, self._labels = name, documentation, tuple(labels)
        self._read: Callable[[], Iterable[Row]] = tuple
        registry.register(self)

    def follow(self, read: Callable[[], Iterable[Row]]) -> None:
        """Have it say what `read` returns; until then it says nothing. `read` must not wait."""
        self._read = read

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield its name, without numbers."""
        yield GaugeMetricFamily(self._name, self._documentation, labels=self._labels)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what it says now."""
        for family in self.describe():
            for labels, value in self._read():
                family.add_metric(labels, value)
            yield family


def name(metric: MetricWrapperBase | Table) -> str:
    """Return the name under which Prometheus stores a metric."""
    (family,) = metric.describe()
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


BUILD = Gauge(
    "hemostat_build_info", "1, and which process of which version says so", ["process", "version"], registry=REGISTRY
)
API_ANSWERED = Gauge(
    "hemostat_api_answered_timestamp_seconds",
    "When the API server last answered what a process asks it regularly, in Unix seconds",
    ["process"],
    registry=REGISTRY,
)
QUEUE_STUCK = Gauge(
    "hemostat_queue_stuck_seconds",
    "For how long a queue has had work and finished none",
    ["queue"],
    registry=REGISTRY,
)
WAITING = Table(
    "hemostat_approvals_waiting",
    "Remediations that wait for a person's word, by their namespace",
    ["target_namespace"],
    registry=REGISTRY,
)
WAITING_SINCE = Table(
    "hemostat_approval_waiting_since_timestamp_seconds",
    "Since when the Remediation of a namespace has waited that waits longest, in Unix seconds, where nobody has "
    "acknowledged its Incident",
    ["target_namespace", "remediation", "incident"],
    registry=REGISTRY,
)
STOPPED = Gauge(
    "hemostat_stopped",
    "The stop switch, as the API server applies it: 0 is not stopped, 1 begins nothing, 2 undoes nothing either",
    registry=REGISTRY,
)

SPANS = Counter("hemostat_otlp_spans_total", "Spans counted from OTLP export requests", registry=REGISTRY)
OTLP_REQUESTS = Counter(
    "hemostat_otlp_requests_total",
    "OTLP export requests by transport and HTTP or gRPC status code",
    ["transport", "code"],
    registry=REGISTRY,
)
AGENT_STEPS = Counter(
    "hemostat_agent_steps_total",
    "Steps of AI agents, by the convention they were told in",
    ["source"],
    registry=REGISTRY,
)
AGENT_VERDICTS = Counter(
    "hemostat_agent_verdicts_total",
    "Loops, deadlocks and other trouble found in conversations of AI agents, by kind and advice (Notify or Cut)",
    ["kind", "advice"],
    registry=REGISTRY,
)
AGENT_LEGITIMATE = Counter(
    "hemostat_agent_legitimate_total",
    "What people called legitimate that was told of AI agents, by kind: of the verdicts, those that were wrong",
    ["kind"],
    registry=REGISTRY,
)
AGENT_COST = Counter(
    "hemostat_agent_cost_usd_total", "US dollars that inferences of AI agents cost, at list prices", registry=REGISTRY
)
AGENT_UNPRICED = Counter(
    "hemostat_agent_unpriced_inferences_total",
    "Inferences that are not in the cost: their model has no price, or they told no tokens",
    registry=REGISTRY,
)
OTLP_DROPPED = Gauge(
    "hemostat_otlp_dropped", "Spans, edges and links not counted as they came, by reason", ["reason"], registry=REGISTRY
)
ALERT_REQUESTS = Counter(
    "hemostat_alertmanager_requests_total",
    "Notifications of Alertmanager by HTTP status code",
    ["code"],
    registry=REGISTRY,
)
ALERTS = Gauge("hemostat_alerts", "Alerts of Alertmanager that are kept", registry=REGISTRY)
ALERTS_DROPPED = Gauge(
    "hemostat_alerts_dropped",
    "Alerts not taken, or left out by Alertmanager, because there were too many",
    registry=REGISTRY,
)
LOOKS = Counter("hemostat_looks_total", "Evaluations of a Watch by outcome", ["outcome"], registry=REGISTRY)
LOOK_SECONDS = Histogram(
    "hemostat_look_duration_seconds",
    "How long one evaluation of a Watch took",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10),
    registry=REGISTRY,
)
LOOK_LATE_SECONDS = Histogram(
    "hemostat_look_late_seconds",
    "How much later than wanted a Watch was looked at",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100),
    registry=REGISTRY,
)
QUERIES = Counter(
    "hemostat_prometheus_queries_total", "Queries to Prometheus by outcome", ["outcome"], registry=REGISTRY
)
QUERY_SECONDS = Histogram(
    "hemostat_prometheus_query_duration_seconds",
    "How long a query to Prometheus took",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10),
    registry=REGISTRY,
)
QUERY_LATE_SECONDS = Histogram(
    "hemostat_prometheus_query_late_seconds",
    "How much later than wanted a query was asked",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100),
    registry=REGISTRY,
)
WORLD_OBJECTS = Gauge(
    "hemostat_world_objects", "Objects of the API server that are kept in memory, by kind", ["kind"], registry=REGISTRY
)
WORLD_DROPPED = Counter(
    "hemostat_world_dropped_total", "Objects there was no room for, by kind", ["kind"], registry=REGISTRY
)
WORLD_REPAIRS = Counter(
    "hemostat_world_repairs_total",
    "Times a watch stream was behind and its objects were read",
    ["kind"],
    registry=REGISTRY,
)
FIRING = Gauge("hemostat_signals_firing", "Signals that fire now", ["target_namespace", "watch"], registry=REGISTRY)
INCIDENTS = Counter("hemostat_incidents_total", "Incidents opened by severity", ["severity"], registry=REGISTRY)
DIAGNOSES = Counter("hemostat_diagnoses_total", "Diagnoses by reason", ["reason"], registry=REGISTRY)
GATE = Counter("hemostat_gate_decisions_total", "Gate decisions that changed", ["outcome"], registry=REGISTRY)
EFFECTS = Counter("hemostat_effects_total", "Writes to targets", ["action", "effect"], registry=REGISTRY)
AUDIT_BYTES = Gauge("hemostat_audit_bytes", "Bytes of the audit log", registry=REGISTRY)
AUDIT_VOLUME = Gauge(
    "hemostat_audit_volume_bytes",
    "Of the volume with the audit log, its size and what is free (0 when it is read-only)",
    ["kind"],
    registry=REGISTRY,
)
AUDIT_REFUSED = Gauge(
    "hemostat_audit_refused",
    "1 while the audit log is not known to be the one that was published, so that nothing is done",
    registry=REGISTRY,
)
LEADER = Gauge("hemostat_leader", "1 at the replica of act that acts", registry=REGISTRY)
UNRECORDED = Counter(
    "hemostat_unrecorded_total", "Steps that wait because the audit log did not take them", registry=REGISTRY
)
FINISHED = Counter(
    "hemostat_remediations_finished_total",
    "Remediations by action and outcome",
    ["action", "reason"],
    registry=REGISTRY,
)
MODEL_REQUESTS = Counter(
    "hemostat_model_requests_total",
    "Requests to models for diagnosis by provider and outcome: Answered, or why not",
    ["provider", "outcome"],
    registry=REGISTRY,
)
MODEL_SECONDS = Histogram(
    "hemostat_model_request_duration_seconds",
    "How long a request to a model took",
    ["provider"],
    buckets=(0.3, 1, 3, 10, 30, 100),
    registry=REGISTRY,
)
MODEL_BREAKER_OPEN = Gauge(
    "hemostat_model_breaker_open",
    "1 while a model is left alone because it failed repeatedly",
    ["provider", "model"],
    registry=REGISTRY,
)
MODEL_TOKENS = Counter(
    "hemostat_model_tokens_total",
    "Tokens that diagnosis used, by model and kind (input, output)",
    ["model", "kind"],
    registry=REGISTRY,
)
MODEL_COST = Counter(
    "hemostat_model_cost_usd_total",
    "US dollars that diagnosis cost, by model, at list prices",
    ["model"],
    registry=REGISTRY,
)
MODEL_DAY_SPENT = Counter(
    "hemostat_model_day_budget_spent_total",
    "Requests to models that were not sent: the namespace has used what it may on one day",
    ["target_namespace"],
    registry=REGISTRY,
)
MODEL_DROPPED = Counter(
    "hemostat_model_statements_dropped_total",
    "Statements of models that no evidence bears, by reason",
    ["reason"],
    registry=REGISTRY,
)
RETRIES = Counter("hemostat_retries_total", "Steps put off, by queue", ["queue"], registry=REGISTRY)
CONNECTED = Gauge("hemostat_connected", "1 while the connection stands by which clicks come", ["to"], registry=REGISTRY)
STREAMS = Gauge("hemostat_streams", "Streams of Incidents that are open", registry=REGISTRY)
VIEW_REQUESTS = Counter(
    "hemostat_view_requests_total",
    "Requests for what people and assistants may look at, by view (stream, mcp) and HTTP status",
    ["view", "code"],
    registry=REGISTRY,
)
