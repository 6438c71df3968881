"""Is everything well before the fault? Without that an experiment proves nothing (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import find, is_false, is_true
from hemostat.api.watch import Watch
from hemostat.signals.changes import revision_name, revision_of
from hemostat.signals.workload import state_of

ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class SteadyInput:
    """What is read before the fault. None means: it does not exist."""

    watch: Watch | None
    watched: Mapping[str, Any] | None
    """The Deployment that the Watch is about."""
    target: Mapping[str, Any] | None
    """The Deployment the fault is for."""
    replicasets: Sequence[Mapping[str, Any]]
    """All ReplicaSets of the namespace."""
    incidents: Sequence[Incident]
    action: str
    """The action that is expected."""


def unsteady(facts: SteadyInput) -> str | None:
    """Return what is not yet as it must be, or None when the fault may be injected."""
    watch = facts.watch
    if watch is None:
        return "the Watch does not exist"
    for deployment, role in ((facts.target, "target"), (facts.watched, "watched workload")):
        if deployment is None:
            return f"the {role} does not exist"
        if not state_of(deployment).complete:
            return f"rollout of {deployment['metadata']['name']} is not complete"
    return _watch(watch) or _incidents(watch, facts.incidents) or _revision(watch, facts)


def _watch(watch: Watch) -> str | None:
    name, conditions = watch.metadata.name, watch.status.conditions
    if is_false(conditions, "DataFresh"):
        fresh = find(conditions, "DataFresh")
        return f"Watch {name} gets no fresh data: {fresh.message if fresh else ''}"
    if is_true(conditions, "Healthy"):
        return None
    healthy = find(conditions, "Healthy")
    if healthy is None:
        return f"Watch {name} does not say yet whether it is healthy"
    return f"Watch {name} is not healthy: {healthy.reason}: {healthy.message}"


def _incidents(watch: Watch, incidents: Sequence[Incident]) -> str | None:
    for incident in incidents:
        if incident.spec.watch_ref.name == watch.metadata.name and not is_true(incident.status.conditions, RESOLVED):
            return f"Incident {incident.metadata.name} is still open"
    return None


def _revision(watch: Watch, facts: SteadyInput) -> str | None:
    """A rollback needs somewhere to return to: the present template, seen healthy."""
    if facts.action != ROLLBACK or facts.watched is None:
        return None
    uid = facts.watched["metadata"]["uid"]
    mine = [r for r in facts.replicasets if any(o["uid"] == uid for o in r["metadata"].get("ownerReferences", ()))]
    if not mine:
        return "the watched workload has no ReplicaSet"
    present = revision_name(max(mine, key=revision_of))
    if any(h.template_hash == present and h.target_uid == uid for h in watch.status.revisions):
        return None
    return f"revision {present} was not yet observed healthy long enough"
