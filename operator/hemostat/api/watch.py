"""`Watch`: what to watch and what counts as wrong."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hemostat.api.meta import (
    Conditions,
    Count,
    Decimal,
    Label,
    Model,
    Name,
    ObjectMeta,
    Seconds,
    Short,
    TargetRef,
    Time,
    Uid,
    keyed,
    rules,
)


class SignalKind(StrEnum):
    """What a signal says is wrong; Runbook symptoms test this word."""

    ERROR_RATE = "ErrorRate"
    LATENCY = "Latency"
    SATURATION = "Saturation"
    TRAFFIC = "Traffic"
    WORKLOAD = "Workload"
    OTHER = "Other"


class MetricSignal(Model):
    """A PromQL expression compared with a fixed bound; of several series the worst one counts."""

    model_config = {
        "json_schema_extra": rules(("has(self.above) != has(self.below)", "must set exactly one of above and below"))
    }

    kind: SignalKind = SignalKind.OTHER
    """What the query measures."""
    query: Annotated[str, Field(min_length=1, max_length=2048)]
    """PromQL that yields a scalar or an instant vector. Keep it an aggregate: of many series only the worst is kept."""
    above: Decimal | None = None
    """Wrong when the value is greater than this number."""
    below: Decimal | None = None
    """Wrong when the value is less than this number."""
    for_seconds: Seconds = 10
    """How long it must be wrong before the signal fires."""
    clear_seconds: Seconds = 10
    """How long it must be right before the signal clears."""


class TraceSignal(Model):
    """Calls to the target as its callers see them (client spans), per caller -> callee edge."""

    error_percent_above: Annotated[int, Field(ge=1, le=100)] = 5
    """Wrong when more than this share of calls fails."""
    latency_percent_of_baseline: Annotated[int, Field(ge=110, le=10000)] = 300
    """Wrong when the 95th percentile exceeds this share of the learned baseline."""
    latency_floor_milliseconds: Annotated[int, Field(ge=1, le=600000)] = 50
    """Latency below this is never wrong, whatever the baseline."""
    min_requests: Annotated[int, Field(ge=1, le=100000)] = 10
    """Windows with fewer calls are no evidence."""
    window_seconds: Annotated[int, Field(ge=5, le=600)] = 15
    """Length of the sliding window."""


class WorkloadSignal(Model):
    """The target as the API server sees it: crash loops, image pulls that fail, kills for memory."""

    for_seconds: Seconds = 5
    """How long a pod must be in trouble before the signal fires."""


class WatchSignal(Model):
    """One thing to look at. Exactly one of `metric`, `trace`, `workload`."""

    model_config = {
        "json_schema_extra": rules(
            (
                "[has(self.metric), has(self.trace), has(self.workload)].filter(x, x).size() == 1",
                "must set exactly one of metric, trace and workload",
            )
        )
    }

    name: Label
    """Name of the signal, unique in the Watch."""
    metric: MetricSignal | None = None
    """Compare a PromQL expression with a bound."""
    trace: TraceSignal | None = None
    """Compare error share and latency of incoming calls with bounds."""
    workload: WorkloadSignal | None = None
    """Look at the state of the target's pods."""


class WatchSpec(Model):
    """A target and its signals. With no signals the defaults apply: one trace and one workload signal."""

    target: TargetRef
    """The workload to watch."""
    service: Name | None = None
    """`service.name` (or Service host name) of the target in traces; the target's name by default."""
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How often the signals are evaluated."""
    healthy_after_seconds: Annotated[int, Field(ge=5, le=3600)] = 20
    """How long a revision must run complete, with no signal firing, before it counts as observed healthy."""
    signals: Annotated[tuple[WatchSignal, ...], Field(max_length=32, json_schema_extra=keyed("name"))] = ()
    """What to look at."""


class HealthyRevision(Model):
    """A revision of the target that was seen working: what a rollback may return to."""

    template_hash: Annotated[str, Field(min_length=1, max_length=63)]
    """`pod-template-hash` of its ReplicaSet."""
    target_uid: Uid
    """uid of the target it belongs to."""
    observed_time: Time
    """When it was last seen healthy."""


class PresentRevision(Model):
    """The revision that the target has now, kept so that a restart knows when it began."""

    target_uid: Uid
    """uid of the target."""
    number: Annotated[str, Field(max_length=20)]
    """Revision number that the Deployment controller wrote."""
    template_hash: Annotated[str, Field(max_length=63)]
    """`pod-template-hash` of its ReplicaSet."""
    since_time: Time | None = None
    """When it was seen to begin; absent if it was there at the first look."""


class Baseline(Model):
    """What is normal for a signal, kept so that a restart during an incident does not learn the fault."""

    signal: Annotated[str, Field(min_length=1, max_length=512)]
    """Signal and subject."""
    value: Decimal
    """The normal 95th percentile, in milliseconds."""
    observed_time: Time
    """When it was learned."""


class WatchStatus(Model):
    """What the watching says."""

    observed_generation: Count = 0
    """The generation of the spec that is being watched."""
    conditions: Conditions = ()
    """Ready (the spec is understood, the target exists), DataFresh (telemetry arrives), Healthy (nothing fires)."""
    watching: Count = 0
    """How many signals are being evaluated."""
    firing: Count = 0
    """How many of them fire now."""
    last_signal: Short | None = None
    """The signal that fired last."""
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


DEFAULT_SIGNALS = (
    WatchSignal(name="calls", trace=TraceSignal()),
    WatchSignal(name="pods", workload=WorkloadSignal()),
)


def effective_signals(spec: WatchSpec) -> tuple[WatchSignal, ...]:
    """Return the signals to evaluate: those of the spec, or the defaults when it names none."""
    return spec.signals or DEFAULT_SIGNALS
