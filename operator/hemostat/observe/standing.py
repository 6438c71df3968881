"""What a Watch's status says after a look (pure)."""

from datetime import datetime, timedelta

from hemostat.api.meta import Conditions, set_condition
from hemostat.api.watch import HealthyRevision, Watch, WatchStatus
from hemostat.observe.gather import APPS, KIND, Problem
from hemostat.observe.memory import Memory
from hemostat.signals.evaluate import Inputs, Look
from hemostat.signals.workload import state_of

MAX_REVISIONS = 10


def status_after(
    watch: Watch, memory: Memory, seen: Look, inputs: Inputs, problem: Problem | None, now: datetime
) -> WatchStatus:
    """Return the status to publish; notes in `memory` since when the target has been healthy."""
    generation = watch.metadata.generation
    complete = inputs.deployment is not None and state_of(inputs.deployment).complete
    healthy = (True, "Quiet", "") if complete and not seen.firing and seen.fresh else _unhealthy(seen, complete)
    conditions: Conditions = memory.status.conditions
    for kind, verdict in (
        ("Ready", _ready(watch, inputs, problem)),
        ("DataFresh", _fresh(seen, problem)),
        ("Healthy", healthy),
    ):
        conditions = set_condition(conditions, kind, *verdict, now, generation)
    return WatchStatus(
        observed_generation=generation,
        conditions=conditions,
        watching=len(seen.signals),
        firing=len(seen.firing),
        last_signal=_last(seen) or memory.status.last_signal,
        present=memory.present,
        revisions=_revisions(watch, memory, healthy=healthy[0], now=now),
        baselines=memory.status.baselines,
    )


Verdict = tuple[bool, str, str]


def _ready(watch: Watch, inputs: Inputs, problem: Problem | None) -> Verdict:
    target = watch.spec.target
    if (target.api_version, target.kind) != (APPS, KIND):
        words = f"{target.api_version} {target.kind} cannot be watched yet; there is {APPS} {KIND}"
        return False, "UnsupportedKind", words
    if inputs.deployment is None:
        return False, "TargetMissing", f"{target.kind} {target.name} does not exist"
    if problem is not None and problem[0] == "BadQuery":
        return False, *problem
    return True, "Watching", ""


def _fresh(seen: Look, problem: Problem | None) -> Verdict:
    if problem is not None and problem[0] == "PrometheusUnavailable":
        return False, *problem
    return (True, "Arriving", "") if seen.fresh else (False, "NoTelemetry", "no signal rests on fresh data")


def _revisions(watch: Watch, memory: Memory, *, healthy: bool, now: datetime) -> tuple[HealthyRevision, ...]:
    """Add the present revision once it ran healthy for long enough; a new healthy streak makes it the youngest."""
    old = memory.status.revisions
    if not healthy or memory.present is None:
        memory.healthy_since = None
        return old
    if memory.healthy_since is None:
        memory.healthy_since = now
    uid, template = memory.present.target_uid, memory.present.template_hash
    due = now - memory.healthy_since >= timedelta(seconds=watch.spec.healthy_after_seconds)
    last = old[-1] if old else None
    if not due or (last is not None and (last.template_hash, last.target_uid) == (template, uid)):
        return old
    kept = tuple(r for r in old if r.template_hash != template and r.target_uid == uid)
    return (*kept, HealthyRevision(template_hash=template, target_uid=uid, observed_time=now))[-MAX_REVISIONS:]


def _unhealthy(seen: Look, complete: bool) -> Verdict:  # noqa: FBT001
    if seen.firing:
        return False, "SignalsFiring", f"{seen.firing[0].kind} of {seen.firing[0].subject}"
    return (
        (False, "NoTelemetry", "no signal rests on fresh data")
        if complete
        else (
            False,
            "RolloutIncomplete",
            "not every pod is of the newest template and available",
        )
    )


def _last(seen: Look) -> str | None:
    newest = max(seen.firing, key=lambda s: s.first_fired_time, default=None)
    return f"{newest.kind} {newest.subject}"[:256] if newest is not None else None
