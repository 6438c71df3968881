"""Facts about an incident, numbered once and never renumbered (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hemostat.api.incident import MAX_EVIDENCE, Evidence, EvidenceKind, SignalStatus
from hemostat.api.watch import PresentRevision
from hemostat.clock import parse_time
from hemostat.signals.workload import WorkloadState, pod_troubles, state_of

RECENT = timedelta(minutes=30)
"""Changes older than this are not evidence."""
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed at the target before the incident."""

    kind: str
    subject: str
    time: datetime
    age_seconds: float
    """How long before the incident opened; negative if after."""
    detail: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a Runbook's symptoms may ask about."""

    target: Mapping[str, str]
    signals: tuple[SignalStatus, ...]
    changes: tuple[Change, ...]
    workload: WorkloadState | None
    troubles: tuple[str, ...]

    def cel(self) -> dict[str, Any]:
        """Return the CEL variables `target`, `signals`, `changes` (before the incident), `workload`."""
        return {
            "target": dict(self.target),
            "signals": [_signal(s) for s in self.signals],
            "changes": [_change(c) for c in self.changes if c.age_seconds >= 0][:32],
            "workload": _workload(self.workload, self.troubles),
        }


CEL_VARIABLES = frozenset({"target", "signals", "changes", "workload"})


def changes(
    replicasets: Sequence[Mapping[str, Any]], opened: datetime, present: PresentRevision | None = None
) -> tuple[Change, ...]:
    """Return the rollouts of the last half hour before `opened`, newest first, with what they changed.

    A ReplicaSet that a rollback reuses keeps its creation time; `present` says when the newest revision was
    really seen to begin, where that is known. Values of environment variables are never told, only their names:
    they may be secrets.
    """
    ordered = sorted(replicasets, key=revision_of)
    found = []
    for before, after in zip([None, *ordered], ordered, strict=False):
        time = parse_time(after["metadata"]["creationTimestamp"])
        if present is not None and revision_of(after) > int(present.number or 0):
            continue  # it has only just begun: the next look knows when
        if present is not None and str(revision_of(after)) == present.number and present.since_time is not None:
            time = max(time, present.since_time)
        if before is None or opened - time > RECENT:
            continue
        found.append(
            Change(
                kind="Rollout",
                subject=f"revision {revision_of(after)}",
                time=time,
                age_seconds=(opened - time).total_seconds(),
                detail=template_difference(before["spec"]["template"], after["spec"]["template"]),
            )
        )
    return tuple(reversed(found))


def revision_of(replicaset: Mapping[str, Any]) -> int:
    """Return the revision number that the Deployment controller wrote."""
    return int(replicaset["metadata"].get("annotations", {}).get(REVISION, 0))


def template_difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say what differs between two pod templates: images with values, environment by name only."""
    old = {c["name"]: c for c in before["spec"].get("containers", ())}
    said = []
    for container in after["spec"].get("containers", ()):
        previous = old.get(container["name"], {})
        if previous.get("image") != container.get("image"):
            said.append(f"image {previous.get('image', 'none')} -> {container.get('image')}")
        was, now = _env(previous), _env(container)
        said += [f"env {name} added" for name in sorted(now.keys() - was.keys())]
        said += [f"env {name} removed" for name in sorted(was.keys() - now.keys())]
        said += [f"env {name} changed" for name in sorted(now.keys() & was.keys()) if was[name] != now[name]]
        if previous.get("resources") != container.get("resources"):
            said.append("resources changed")
    return "; ".join(said)[:900] or "template changed"


def _env(container: Mapping[str, Any]) -> dict[str, Any]:
    return {item["name"]: item for item in container.get("env", ())}


def gather(
    target: Mapping[str, str],
    signals: Sequence[SignalStatus],
    deployment: Mapping[str, Any] | None,
    replicasets: Sequence[Mapping[str, Any]],
    pods: Sequence[Mapping[str, Any]],
    opened: datetime,
    present: PresentRevision | None = None,
) -> Facts:
    """Put together what is known."""
    return Facts(
        target=target,
        signals=tuple(signals),
        changes=changes(replicasets, opened, present),
        workload=state_of(deployment) if deployment is not None else None,
        troubles=tuple(sorted(t for pod in pods for t in pod_troubles(pod)))[:16],
    )


def number(known: Sequence[Evidence], facts: Facts, notes: Mapping[str, str], now: datetime) -> tuple[Evidence, ...]:
    """Append facts that are not listed yet, with the next free numbers. At most 64 in all."""
    listed = {e.key for e in known}
    fresh: dict[str, Item] = {}
    for item in _items(facts, notes):
        key = item[0][:512]
        if key not in listed:
            fresh.setdefault(key, item)
    room = MAX_EVIDENCE - len(known)
    return (
        *known,
        *(
            Evidence(
                id=f"E{len(known) + i}",
                key=key,
                kind=kind,
                subject=subject[:256],
                summary=summary[:1024],
                observed_time=time or now,
            )
            for i, (key, (_, kind, subject, summary, time)) in enumerate(list(fresh.items())[:room], start=1)
        ),
    )


Item = tuple[str, EvidenceKind, str, str, datetime | None]


def _items(facts: Facts, notes: Mapping[str, str]) -> list[Item]:
    items: list[Item] = []
    for s in facts.signals:
        limit = f", limit {s.threshold}{s.unit}" if s.threshold is not None else ""
        text = f"{s.kind} of {s.subject} is {s.value}{s.unit}{limit}, over {s.samples} samples from {s.source}"
        items.append((f"signal/{s.key}", EvidenceKind.SIGNAL, s.subject, text, s.first_fired_time))
        if notes.get(s.key):
            items.append((f"note/{s.key}", EvidenceKind.EXEMPLAR, s.subject, notes[s.key], None))
    for c in facts.changes:
        when = f"{abs(c.age_seconds):.0f} s {'before' if c.age_seconds >= 0 else 'after'} the incident opened"
        text = f"{c.kind} of {c.subject} {when}: {c.detail}"
        items.append((f"change/{c.kind}/{c.subject}", EvidenceKind.CHANGE, c.subject, text, c.time))
    items += [(f"pod/{t}", EvidenceKind.WORKLOAD, t.split(":")[0], t, None) for t in facts.troubles]
    if facts.workload is not None:
        w = facts.workload
        text = f"{w.ready} of {w.desired} replicas ready, {w.updated} of the newest template"
        items.append(("workload", EvidenceKind.WORKLOAD, facts.target["name"], text, None))
    return items


def _signal(s: SignalStatus) -> dict[str, Any]:
    return {
        "name": s.name,
        "kind": s.kind.value,
        "source": s.source.value,
        "subject": s.subject,
        "state": s.state.value,
        "value": float(s.value) if s.value is not None else 0.0,
        "threshold": float(s.threshold) if s.threshold is not None else 0.0,
    }


def _change(c: Change) -> dict[str, Any]:
    return {"kind": c.kind, "subject": c.subject, "ageSeconds": c.age_seconds}


def _workload(state: WorkloadState | None, troubles: tuple[str, ...]) -> dict[str, Any]:
    if state is None:
        return {"desired": 0, "ready": 0, "complete": False, "stuck": False, "troubles": list(troubles)}
    return {
        "desired": state.desired,
        "ready": state.ready,
        "complete": state.complete,
        "stuck": state.stuck,
        "troubles": list(troubles),
    }
