"""`Watch`: what to watch and what counts as wrong."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hemostat.api.meta import (
    ATOMIC,
    SET,
    Conditions,
    Count,
    Decimal,
    Label,
    Model,
    Name,
    ObjectMeta,
    Percent,
    Seconds,
    Short,
    TargetRef,
    Time,
    Uid,
    exactly_one,
    keyed,
    rules,
)
from hemostat.api.standard import CHECKS


class SignalKind(StrEnum):
    """What a signal says is wrong; Runbook symptoms test this word."""

    ERROR_RATE = "ErrorRate"
    LATENCY = "Latency"
    SATURATION = "Saturation"
    TRAFFIC = "Traffic"
    WORKLOAD = "Workload"
    EXHAUSTION = "Exhaustion"
    QUEUE = "Queue"
    WORKFLOW = "Workflow"
    AGENT = "Agent"
    REPEATED_STEP = "RepeatedStep"
    CYCLE = "Cycle"
    PARAPHRASE_LOOP = "ParaphraseLoop"
    DEADLOCK = "Deadlock"
    RECURSION = "Recursion"
    TURN_BUDGET = "TurnBudget"
    TOKEN_BURN = "TokenBurn"  # noqa: S105
    RETRY_STORM = "RetryStorm"
    CONTEXT_GROWTH = "ContextGrowth"
    WAITING_FOR_PERSON = "WaitingForPerson"
    BUDGET = "Budget"
    ALERT = "Alert"
    OTHER = "Other"


class Direction(StrEnum):
    """Which way a value must leave its usual range to be wrong."""

    UP = "Up"
    DOWN = "Down"
    BOTH = "Both"


class Sensitivity(StrEnum):
    """How unusual a value must be to be wrong: a trade of missed faults against false alarms."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class Unusual(Model):
    """Wrong when a value is unusual for its own series: learned on line, robust, seasons included."""

    direction: Direction = Direction.BOTH
    """Which way is wrong."""
    sensitivity: Sensitivity = Sensitivity.MEDIUM
    """How unusual it must be."""


class ChangePoint(Model):
    """Wrong when the level of a series shifts and stays; it becomes the new usual level after a while."""

    direction: Direction = Direction.BOTH
    """Which way is wrong."""
    min_change_percent: Annotated[int, Field(ge=1, le=10000)] = 20
    """Smaller shifts, as a share of the level before, are never wrong."""


class Forecast(Model):
    """Wrong when a series, going on as it does, reaches its limit within the given time."""

    limit: Decimal
    """The value at which it is exhausted, in the query's unit: 0 for what remains, 1 for a share used."""
    within_seconds: Annotated[int, Field(ge=60, le=7776000)] = 14400
    """Less time left than this is wrong."""
    history_seconds: Annotated[int, Field(ge=60, le=86400)] = 3600
    """How far the trend looks back. It is made of 64 points and known from 24 of them on, so less than 64 times
    intervalSeconds is raised to that, and status says so."""


class MetricSignal(Model):
    """A PromQL expression and the rule its series are judged by. Each series is judged on its own.

    The message names the worst series. Missing samples are no evidence, neither of trouble nor of health.
    """

    model_config = {
        "json_schema_extra": rules(
            exactly_one("above", "below", "unusual", "changePoint", "forecast"),
        )
    }

    kind: SignalKind = SignalKind.OTHER
    """What the query measures."""
    query: Annotated[str, Field(min_length=1, max_length=2048)]
    """PromQL that yields a scalar or an instant vector. A counter goes in as `rate(...)` or `increase(...)`."""
    above: Decimal | None = None
    """Wrong when the value is greater than this number."""
    below: Decimal | None = None
    """Wrong when the value is less than this number."""
    unusual: Unusual | None = None
    """Wrong when the value is unusual for its series."""
    change_point: ChangePoint | None = None
    """Wrong when the level shifts."""
    forecast: Forecast | None = None
    """Wrong when the series is about to reach its limit."""
    unit: Annotated[str, Field(max_length=16)] = ""
    """Unit of the values, for people."""
    for_seconds: Seconds = 10
    """How long it must be wrong before the signal fires."""
    clear_seconds: Seconds = 10
    """How long it must be right before the signal clears."""


class TraceSignal(Model):
    """Calls to the target as its callers see them (client spans), per caller -> callee edge."""

    error_percent_above: Annotated[int, Field(ge=1, le=100)] = 5
    """Wrong when more than this share of calls fails."""
    latency_percent_of_baseline: Annotated[int, Field(ge=110, le=10000)] = 300
    """Wrong when the 95th percentile exceeds this share of the learned baseline: up to ten times the baseline
    where that swings widely by itself, and more where the calls are few."""
    latency_floor_milliseconds: Annotated[int, Field(ge=1, le=600000)] = 50
    """Latency below this is never wrong, whatever the baseline."""
    min_requests: Annotated[int, Field(ge=1, le=100000)] = 10
    """Windows with fewer calls are no evidence."""
    window_seconds: Annotated[int, Field(ge=5, le=600)] = 15
    """Length of the sliding window."""


class WorkloadSignal(Model):
    """The target and what it depends on, as the API server sees it.

    Pods that crash, cannot start, are not ready, cannot be scheduled or were evicted; rollouts that are stuck; Jobs
    that failed; nodes that are not ready or under pressure; autoscalers at their maximum; claims and quotas.
    """

    for_seconds: Seconds = 5
    """How long it must be in trouble before the signal fires."""


class SloSignal(Model):
    """A service level objective by multi-window multi-burn-rate (Google SRE workbook, chapter 5).

    Wrong when the error budget burns 14.4 times too fast over 1 h and 5 min, 6 times over 6 h and 30 min, or at the
    rate that empties it over 3 d and 6 h: both windows of a pair must agree.
    """

    model_config = {
        "json_schema_extra": rules(
            ("self.errorRatio.contains('$window')", "errorRatio must contain $window where the range stands"),
            (
                "double(self.objectivePercent) > 0.0 && double(self.objectivePercent) < 100.0",
                "objectivePercent must be more than 0 and less than 100",
            ),
        )
    }

    objective_percent: Decimal
    """The share of good events that is promised, for example "99.9"."""
    error_ratio: Annotated[str, Field(min_length=1, max_length=2048)]
    """PromQL for the share of bad events (0 to 1) with `$window` as the range: `sum(rate(e[$window])) / ...`."""
    period_days: Annotated[int, Field(ge=1, le=90)] = 30
    """The period that the error budget is for."""


class QueueSystem(StrEnum):
    """Queues whose exporters' metrics are known."""

    KAFKA = "Kafka"
    RABBITMQ = "RabbitMQ"


class QueueSignal(Model):
    """A queue: lag that grows, messages delivered again and again, dead letters."""

    system: QueueSystem
    """Whose metrics to read. Kafka: those of kafka_exporter, or of the OpenTelemetry Collector's kafkametrics receiver
    (with or without `_ratio` at the end of their names). RabbitMQ: those of its Prometheus plugin.
    """
    name: Annotated[str, Field(min_length=1, max_length=249)]
    """The consumer group (Kafka) or queue (RabbitMQ)."""
    dead_letter: Annotated[str, Field(max_length=249)] | None = None
    """The topic or queue that dead letters go to; any growth is wrong."""
    max_lag: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10000
    """More messages waiting than this is wrong, whatever the trend."""
    redelivered_percent_above: Annotated[int, Field(ge=1, le=100)] = 20
    """Wrong when more of the deliveries are repetitions (RabbitMQ)."""


class WorkflowSystem(StrEnum):
    """Workflow engines whose metrics are known."""

    ARGO = "Argo"
    TEMPORAL = "Temporal"


class WorkflowSignal(Model):
    """A workflow engine: workflows that fail, and tasks that nobody takes up."""

    system: WorkflowSystem
    """Whose metrics to read."""
    name: Annotated[str, Field(max_length=249)] = ""
    """The workflow type or task queue; all of the namespace when empty."""
    failed_percent_above: Annotated[int, Field(ge=0, le=100)] = 20
    """Wrong when more of the workflows that ended in the last ten minutes failed."""
    stuck_after_seconds: Annotated[int, Field(ge=10, le=86400)] = 300
    """Work that waits longer than this without progress is wrong."""


class AlertSignal(Model):
    """Alerts that Prometheus' Alertmanager sends to our webhook: rules that people already have keep working."""

    names: Annotated[tuple[Short, ...], Field(max_length=64, json_schema_extra=SET)] = ()
    """Names of alerts (`alertname`). When empty, every alert whose labels name the target."""


class AgentSignal(Model):
    """Service levels of AI agents, from GenAI spans of the target (OpenTelemetry semantic conventions)."""

    agent: Annotated[str, Field(max_length=253)] = ""
    """`gen_ai.agent.name`; every agent of the target when empty."""
    task_success_percent_below: Annotated[int, Field(ge=0, le=100)] = 80
    """Wrong when fewer of the agent's finished tasks succeed."""
    tokens_per_success_above: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Wrong when a successful task costs more tokens than this; three times the learned cost when not set."""
    invalid_output_percent_above: Annotated[int, Field(ge=0, le=100)] = 20
    """Wrong when more of the model's outputs cannot be parsed."""
    unknown_tool_percent_above: Annotated[int, Field(ge=0, le=100)] = 10
    """Wrong when more of the tool calls name a tool that does not exist."""
    truncated_percent_above: Annotated[int, Field(ge=0, le=100)] = 20
    """Wrong when more of the model's outputs end at the token limit."""
    min_samples: Annotated[int, Field(ge=1, le=100000)] = 5
    """Windows with fewer tasks or outputs are no evidence."""
    window_seconds: Annotated[int, Field(ge=10, le=600)] = 120
    """Length of the sliding window."""


class ConversationTrouble(StrEnum):
    """What can be wrong in a conversation of AI agents."""

    REPEATED_STEP = "RepeatedStep"
    """One step again and again, with the same result."""
    CYCLE = "Cycle"
    """Several steps or agents in turn."""
    PARAPHRASE_LOOP = "ParaphraseLoop"
    """One step in ever other words."""
    DEADLOCK = "Deadlock"
    """Each waits for the other."""
    RECURSION = "Recursion"
    """An agent calls itself without end."""
    TURN_BUDGET = "TurnBudget"
    """More turns than a conversation may take."""
    TOKEN_BURN = "TokenBurn"  # noqa: S105
    """Far more tokens than usual, or words without deeds."""
    RETRY_STORM = "RetryStorm"
    """What is overloaded is tried again at once."""
    CONTEXT_GROWTH = "ContextGrowth"
    """The context is about to be full."""
    WAITING_FOR_PERSON = "WaitingForPerson"
    """A person has not answered for long."""
    BUDGET = "Budget"
    """More money than may be spent."""


class Legitimate(Model):
    """What a person said is no trouble."""

    kind: ConversationTrouble
    """What it was told as."""
    caller: Annotated[str, Field(max_length=253)] = ""
    """Who calls, by its name in spans; anyone when empty."""
    callee: Annotated[str, Field(max_length=253)] = ""
    """Whom: an agent, a tool or a model; anyone when empty."""
    until_time: Time
    """Until then."""


class Budget(Model):
    """What may be spent on models, at list prices, by one agent or tenant in any time of this length."""

    model_config = {
        "json_schema_extra": rules(
            exactly_one("agent", "tenant"),
            ("double(self.usd) > 0.0", "usd must be more than 0"),
        )
    }

    agent: Annotated[str, Field(max_length=253)] | None = None
    """Name of the agent in spans; each of the target's agents by itself when empty."""
    tenant: Annotated[str, Field(max_length=253)] | None = None
    """Name of the tenant in spans (`tenant.id`, `enduser.id`, `user.id`; else the namespace of the service), as far as
    the target works for it; each tenant by itself when empty."""
    usd: Decimal
    """US dollars, for example "5.00". Prices: `HEMOSTAT_PRICES_FILE`."""
    window_seconds: Annotated[int, Field(ge=60, le=86400)] = 3600
    """How long the time is. Up to an hour it is measured in minutes, beyond that in quarters of an hour."""

    @property
    def name(self) -> str:
        """Whose it is; empty: each one's."""
        return self.agent or self.tenant or ""


class ConversationSignal(Model):
    """Conversations of AI agents that cannot, or will not, come to an end: loops, deadlocks, storms, burnt tokens.

    From spans of any framework that the target takes part in, and from events of `hemostat.guard`; without the guard
    deadlocks are invisible, and without content fewer loops are sure (`visibility` in the message).
    """

    kinds: Annotated[tuple[ConversationTrouble, ...], Field(max_length=16, json_schema_extra=SET)] = ()
    """Which trouble to tell of; every kind when empty."""
    min_confidence_percent: Percent = 50
    """What is less sure than this is not told."""
    legitimate: Annotated[tuple[Legitimate, ...], Field(max_length=64, json_schema_extra=ATOMIC)] = ()
    """What is no trouble here, though it looks like some."""
    budgets: Annotated[tuple[Budget, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What agents and tenants may spend."""


class StandardCheck(StrEnum):
    """What can be asked of metrics that nearly every cluster has."""

    MEMORY_EXHAUSTION = "MemoryExhaustion"
    CPU_SATURATION = "CpuSaturation"
    VOLUME_EXHAUSTION = "VolumeExhaustion"
    RESTARTS = "Restarts"
    CERTIFICATE_EXPIRY = "CertificateExpiry"
    CONNECTION_POOL = "ConnectionPool"
    REQUEST_ERRORS = "RequestErrors"
    REQUEST_LATENCY = "RequestLatency"


class StandardSignal(Model):
    """The target's pods by the metrics of well-known exporters; what is not in Prometheus is silent.

    They are found by the labels `namespace` and `pod` that Prometheus' Kubernetes discovery and these exporters give.
    """

    checks: Annotated[tuple[StandardCheck, ...], Field(max_length=16, json_schema_extra=SET)] = Field(
        default=(), description=f"Which of them; all when empty. {CHECKS}"
    )


class WatchSignal(Model):
    """One thing to look at: exactly one of its fields."""

    model_config = {
        "json_schema_extra": rules(
            exactly_one(
                "metric", "slo", "trace", "workload", "queue", "workflow", "alert", "agent", "conversation", "standard"
            ),
        )
    }

    name: Label
    """Name of the signal, unique in the Watch."""
    metric: MetricSignal | None = None
    """Judge the series of a PromQL expression."""
    slo: SloSignal | None = None
    """Judge how fast an error budget burns."""
    trace: TraceSignal | None = None
    """Judge the share of failures and the latency of incoming calls."""
    workload: WorkloadSignal | None = None
    """Look at the target's objects in the API server."""
    queue: QueueSignal | None = None
    """Judge a queue by its exporter's metrics."""
    workflow: WorkflowSignal | None = None
    """Judge a workflow engine by its metrics."""
    alert: AlertSignal | None = None
    """Take alerts from Alertmanager."""
    agent: AgentSignal | None = None
    """Judge AI agents by their spans."""
    conversation: ConversationSignal | None = None
    """Look for loops and deadlocks in conversations of AI agents."""
    standard: StandardSignal | None = None
    """Judge the target by metrics that well-known exporters have of it."""


DEFAULT_SIGNALS = (
    WatchSignal(name="calls", trace=TraceSignal()),
    WatchSignal(name="pods", workload=WorkloadSignal()),
    WatchSignal(name="metrics", standard=StandardSignal()),
    WatchSignal(name="alerts", alert=AlertSignal()),
    WatchSignal(name="agents", agent=AgentSignal()),
    WatchSignal(name="conversations", conversation=ConversationSignal()),
)


def _default_signals() -> str:
    names = (f"{s.name} ({field})" for s in DEFAULT_SIGNALS for field in s.model_fields_set - {"name"})
    return ", ".join(names)


class WatchSpec(Model):
    """A target and its signals."""

    target: TargetRef
    """The workload to watch."""
    service: Name | None = None
    """`service.name` of the target's own spans, or the Service's host name that callers use. Default: the target's
    name."""
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How often the signals are evaluated."""
    healthy_after_seconds: Annotated[int, Field(ge=5, le=3600)] = 20
    """How long a revision must run complete, with no signal firing, before it counts as observed healthy."""
    signals: Annotated[tuple[WatchSignal, ...], Field(max_length=32, json_schema_extra=keyed("name"))] = Field(
        default=(), description=f"What to look at. When empty: {_default_signals()}, with the defaults of their fields."
    )


class HealthyRevision(Model):
    """A revision of the target that was seen working: what a rollback may return to."""

    template_hash: Annotated[str, Field(min_length=1, max_length=63)]
    """`pod-template-hash` of its ReplicaSet, or the hash at the end of its ControllerRevision's name."""
    target_uid: Uid
    """uid of the target it belongs to."""
    observed_time: Time
    """When it was last seen healthy."""


class PresentRevision(Model):
    """The revision that the target has now, kept so that a restart knows when it began."""

    target_uid: Uid
    """uid of the target."""
    number: Annotated[str, Field(max_length=20)]
    """Revision number that its controller wrote."""
    template_hash: Annotated[str, Field(max_length=63)]
    """`pod-template-hash` of its ReplicaSet, or the hash at the end of its ControllerRevision's name."""
    since_time: Time | None = None
    """When it was seen to begin; absent if it was there at the first look."""


class Baseline(Model):
    """What is normal for a signal, kept so that a restart during an incident does not learn the fault."""

    signal: Annotated[str, Field(min_length=1, max_length=512)]
    """Signal and subject."""
    value: Decimal
    """What is normal: the 95th percentile in milliseconds; of an agent's cost, thousandths of a token."""
    spread_percent: Count = 0
    """How far it usually swings."""
    observed_time: Time
    """When it was learned."""


class SignalStanding(StrEnum):
    """Where a signal of a Watch stands."""

    FIRING = "Firing"
    PENDING = "Pending"
    CLEAR = "Clear"
    NO_DATA = "NoData"


class SignalSummary(Model):
    """One signal that is being evaluated, and where it stands."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    """Name of the signal in the Watch, and what of it: `metrics/MemoryExhaustion`."""
    state: SignalStanding
    """Firing, Pending (wrong, but not for long enough), Clear, or NoData."""
    subjects: Count = 0
    """How many series, edges, objects or agents it judges."""
    message: Short = ""
    """The worst of them, or why there is no data."""


class WatchStatus(Model):
    """What the watching says."""

    observed_generation: Count = 0
    """The generation of the spec that is being watched."""
    conditions: Conditions = ()
    """Ready (the spec is understood, the target exists and what is known of it is up to date), DataFresh (telemetry
    arrives), Healthy (nothing fires; Unknown while nothing can be judged, as of a target that is scaled to zero)."""
    watching: Count = 0
    """How many signals are being evaluated."""
    firing: Count = 0
    """How many of them fire now."""
    last_signal: Short | None = None
    """The signal that fired last."""
    last_signal_time: Time | None = None
    """When it began to fire."""
    series: Count = 0
    """How many series of Prometheus are being judged."""
    edges: Count = 0
    """How many caller -> callee edges are being judged."""
    objects: Count = 0
    """How many objects of the API server are being judged."""
    signals: Annotated[tuple[SignalSummary, ...], Field(max_length=64, json_schema_extra=keyed("name"))] = ()
    """Every signal that is evaluated, defaults included: those that fire first, at most 64."""
    revisions: Annotated[
        tuple[HealthyRevision, ...], Field(max_length=10, json_schema_extra=keyed("templateHash"))
    ] = ()
    """Revisions of the target that were observed healthy, oldest first."""
    present: PresentRevision | None = None
    """The revision that the target has now."""
    baselines: Annotated[tuple[Baseline, ...], Field(max_length=64, json_schema_extra=keyed("signal"))] = ()
    """What is normal for the signals that learn."""


class Watch(Model):
    """What to watch and what counts as wrong."""

    metadata: ObjectMeta
    spec: WatchSpec
    status: WatchStatus = WatchStatus()


def effective_signals(spec: WatchSpec) -> tuple[WatchSignal, ...]:
    """Return the signals to evaluate: those of the spec, or the defaults when it names none."""
    return spec.signals or DEFAULT_SIGNALS
