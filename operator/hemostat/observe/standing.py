"""What a Watch's status says after a look (pure)."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from hemostat.api.incident import SignalSource, SignalState, SignalStatus
from hemostat.api.meta import Conditions, set_condition
from hemostat.api.watch import HealthyRevision, Watch, WatchSignal, WatchStatus, effective_signals
from hemostat.observe.gather import Problem
from hemostat.observe.memory import Memory
from hemostat.observe.summary import summaries
from hemostat.signals.detectors.blocks import RING
from hemostat.signals.detectors.forecast import MIN_BLOCKS
from hemostat.signals.evaluate import Inputs, Look
from hemostat.signals.rules import Rule, one_line
from hemostat.signals.sentence import brief, named
from hemostat.signals.words import duration
from hemostat.signals.workload import KINDS, idle, state_of

MAX_REVISIONS = 10
BEHIND_SHARE = 1.0
"""A Watch that is looked at this many intervals too late, on average, falls behind."""
Verdict = tuple[bool | Literal["Unknown"], str, str]


def status_after(
    watch: Watch, memory: Memory, seen: Look, inputs: Inputs, problems: Sequence[Problem], now: datetime
) -> WatchStatus:
    """Return the status to publish; notes in `memory` since when the target has been healthy."""
    generation = watch.metadata.generation
    healthy = _healthy(watch, inputs, seen)
    conditions: Conditions = memory.status.conditions
    for kind, verdict in (
        ("Ready", _ready(watch, memory, inputs, problems)),
        ("DataFresh", _fresh(watch, inputs, problems)),
        ("Healthy", healthy),
    ):
        conditions = set_condition(conditions, kind, *verdict, now, generation)
    newest = max(seen.firing, key=lambda s: s.first_fired_time, default=None)
    listed = summaries(watch, inputs, seen)
    return WatchStatus(
        observed_generation=generation,
        conditions=conditions,
        watching=len(listed),
        firing=len(seen.firing),
        last_signal=brief(newest) if newest is not None else memory.status.last_signal,
        last_signal_time=newest.first_fired_time if newest is not None else memory.status.last_signal_time,
        series=_series(inputs),
        edges=len({(e.caller, e.callee) for edges in inputs.edges.values() for e in edges}),
        objects=_objects(inputs),
        signals=listed,
        present=memory.present,
        revisions=_revisions(watch, memory, healthy=healthy[0] is True, now=now),
        baselines=memory.status.baselines,
    )


def essence(status: WatchStatus) -> WatchStatus:
    """Return the status without what changes at every look: a difference in the rest is worth a write at once."""
    kept = tuple(s.model_copy(update={"message": "", "subjects": 0}) for s in status.signals)
    return status.model_copy(update={"signals": kept, "series": 0, "edges": 0, "objects": 0, "baselines": ()})


def _ready(watch: Watch, memory: Memory, inputs: Inputs, problems: Sequence[Problem]) -> Verdict:
    target = watch.spec.target
    if unsupported := _unsupported(watch):
        return False, "UnsupportedKind", unsupported
    if inputs.scene.unknown:
        return False, "NotUpToDate", inputs.scene.unknown
    if inputs.deployment is None:
        return False, "TargetMissing", f"{target.kind} {target.name} does not exist"
    for reason in ("BadQuery", "TooManyQueries", "ForeignService"):
        messages = [message for found, message in problems if found == reason]
        if messages:  # each is named, however long the first is
            room = max(100, 1000 // len(messages) - 2)
            return False, reason, "; ".join(one_line(m, room) for m in messages)[:1000]
    interval = watch.spec.interval_seconds
    if memory.late_seconds > BEHIND_SHARE * interval:
        every = interval + round(memory.late_seconds)
        words = f"looked at every {every} s instead of {interval} s: raise HEMOSTAT_WORKERS or intervalSeconds"
        return True, "FallingBehind", words
    short = "; ".join(_short_histories(inputs.rules))
    return (True, "HistoryTooShort", short[:1000]) if short else (True, "Watching", "")


def _short_histories(rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the forecasts that look back further than was asked for, because their samples are too far apart."""
    for rule in rules:
        least = RING * rule.every_seconds
        if rule.expected and rule.forecast is not None and rule.forecast.history_seconds < least:
            yield (
                f"signal {rule.name}: historySeconds {rule.forecast.history_seconds} is less than {RING} times"
                f" intervalSeconds, so its trend looks back {least:.0f} s and is judged after"
                f" {duration(MIN_BLOCKS * rule.every_seconds)} of samples: ask more often, or say {least:.0f}"
            )


def _unsupported(watch: Watch) -> str:
    target = watch.spec.target
    right = KINDS.get(target.kind)
    if right is None:
        return f"a {target.kind} cannot be watched; there are {', '.join(KINDS)}"
    if right != target.api_version:
        return (
            f"there is no {target.kind} in {target.api_version}: set spec.target.apiVersion to {right}, or leave it out"
        )
    return ""


def _fresh(watch: Watch, inputs: Inputs, problems: Sequence[Problem]) -> Verdict:
    """Objects of the API server alone are no telemetry: who relies on the rest must see that it is silent."""
    said = dict(reversed(problems))
    signals = effective_signals(watch.spec)
    silent = [words for words in (_no_traces(watch, signals, inputs), _no_metrics(signals, inputs)) if words]
    arriving = any(inputs.edges.values()) or any(inputs.agents.values()) or _series(inputs) > 0
    for reason in ("PrometheusUnavailable", "QueryFailed"):
        if reason in said:
            return False, reason, "; ".join([said[reason], *silent[:1]])
    refused = [inputs.refused] if inputs.refused else []
    partial = [*([said["PartialData"]] if "PartialData" in said else []), *refused]
    if partial and (arriving or not silent):
        return True, "PartialData", "; ".join([*partial, *silent])
    if not silent:
        return True, "Arriving", ""
    if arriving:
        return True, "PartlySilent", "; ".join(silent)
    return False, "NoTelemetry", "; ".join([*silent, *refused])


def _no_traces(watch: Watch, signals: Sequence[WatchSignal], inputs: Inputs) -> str:
    if not any(s.trace for s in signals) or any(inputs.edges.values()):
        return ""
    service = watch.spec.service or watch.spec.target.name
    if inputs.refused:
        return f"no traces that were taken say that anybody calls {service}"
    return f"no traces say that anybody calls {service} (set spec.service if it bears another name in traces)"


def _no_metrics(signals: Sequence[WatchSignal], inputs: Inputs) -> str:
    wanted = any(s.metric or s.slo or s.queue or s.workflow or s.standard for s in signals)
    return "Prometheus has no series of any metric signal" if wanted and not _series(inputs) else ""


def _healthy(watch: Watch, inputs: Inputs, seen: Look) -> Verdict:
    target = watch.spec.target
    if inputs.scene.unknown:
        return "Unknown", "NotUpToDate", inputs.scene.unknown
    if inputs.deployment is None:
        reason = "UnsupportedKind" if _unsupported(watch) else "TargetMissing"
        return "Unknown", reason, _unsupported(watch) or f"{target.kind} {target.name} does not exist"
    nothing_runs = idle(inputs.deployment)
    if seen.firing:
        return False, "SignalsFiring", "; ".join([_told(seen.firing), *(nothing_runs or ())[1:]])
    if nothing_runs is not None:
        return "Unknown", *nothing_runs
    if not state_of(inputs.deployment).complete:
        return False, "RolloutIncomplete", "not every pod is of the newest template and available"
    if not seen.fresh:
        return False, "NoTelemetry", "no signal rests on fresh data"
    only = all(s.source is SignalSource.WORKLOAD for s in seen.signals if s.state is SignalState.CLEAR and s.samples)
    return True, "Quiet", "as far as its objects say; no telemetry rests on fresh data" if only else ""


def _told(firing: Sequence[SignalStatus]) -> str:
    first = named(firing[0])
    return first if len(firing) == 1 else f"{first} and {len(firing) - 1} more"


def _series(inputs: Inputs) -> int:
    return sum(len(vector.series) for vector in inputs.vectors.values() if vector is not None)


def _objects(inputs: Inputs) -> int:
    scene = inputs.scene
    around = (scene.pods, scene.owned, scene.nodes, scene.autoscalers, scene.claims, scene.quotas)
    return (scene.target is not None) + sum(len(objects) for objects in around)


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
