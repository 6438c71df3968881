"""Whom a recording is about, and the scene around it, as the judges of a live cluster take it (pure)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hemostat.api.meta import DNS_NAME
from hemostat.clock import parse_time
from hemostat.replay.diagnosis.case import Recording
from hemostat.replay.diagnosis.objects import Found, event, read
from hemostat.signals.workload import KINDS, Scene

Json = Mapping[str, Any]
NOBODY = ("Unknown", "", "unknown")
UNKNOWN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Taken where a recording tells no time at all."""
_KIND = {kind.lower(): kind for kind in (*KINDS, "Pod")} | {"persistentvolumeclaim": "PersistentVolumeClaim"}
_PODS_OF = re.compile(r"(?P<name>.+)-[0-9a-f]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""A pod of a Deployment, by the letters that Kubernetes makes names of."""
_TIMES = ("startedAt", "finishedAt", "lastTransitionTime", "lastHeartbeatTime")

Key = tuple[str, str, str]
"""Kind, namespace, name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a recording shows."""

    target: Key
    scene: Scene
    recorded: bool
    """Whether the target itself was recorded; else it is known by its pods only, or by its name."""
    revisions: bool
    """Whether it was recorded what rollouts there were."""
    now: datetime
    timed: bool
    """Whether a time was recorded; `now` is the earliest that it can have been."""
    read_as: Mapping[str, str]


def setting(recording: Recording) -> Setting:
    """Return the scene of what a recording is about."""
    found = read(recording.outputs)
    target = _target(recording, found)
    kind, _, name = target
    own = _object(found, target)
    pods = [o for k, o in found.objects.items() if k[0] == "Pod" and (k == target or _owner(o, found) == target)]
    owned = [o for o in found.objects.values() if _controlled(o) == (kind, name) and o["kind"] != "Pod"]
    claimed = {c for pod in pods for c in _claims(pod)}
    claims = [o for k, o in found.objects.items() if k[0] == "PersistentVolumeClaim" and k[2] in claimed]
    about = [o for o in (own, *pods, *owned, *claims) if o is not None]
    now = _now(found, about)
    mine = {(o["kind"].lower(), o["metadata"]["name"]) for o in about} | {(kind.lower(), name)}
    told = [event(e, found, now or UNKNOWN_TIME) for e in found.events if (e.kind.lower(), e.name) in mine]
    scene = Scene(
        target=own or _stub(target),
        pods=[] if kind == "Node" else pods,
        owned=owned,
        nodes=_nodes(found, target, pods),
        claims=claims,
        events=[e for e in _once([*told, *found.recorded]) if e.get("type") == "Warning"],
    )
    revisions = any(o["kind"] in ("ReplicaSet", "ControllerRevision") for o in owned)
    return Setting(target, scene, own is not None, revisions, now or UNKNOWN_TIME, now is not None, found.read_as)


def _target(recording: Recording, found: Found) -> Key:
    """Return whom the alert names, or whom most outputs are about; of a pod whoever controls it."""
    subject = recording.subject
    if subject is not None and subject.kind in _KIND:
        asked: Key | None = (_KIND[subject.kind], subject.namespace, subject.name)
    else:
        named = Counter(found.alone) or Counter(_asked(recording))
        asked = min(named, key=lambda key: (-named[key], key), default=None)
    if asked is None or re.fullmatch(DNS_NAME, asked[2]) is None:
        return NOBODY
    pod = _object(found, asked)
    if asked[0] != "Pod":
        return _as_used(asked, found)
    return _owner(pod, found) if pod is not None else _guessed(asked)


def _asked(recording: Recording) -> Iterator[Key]:
    """Yield what tools were asked about, by the names of their parameters."""
    for output in recording.outputs:
        given = output.parameters
        kind = _KIND.get(given.get("kind", "pod").lower())
        name = given.get("pod_name") or given.get("name")
        if kind and name and not output.failed:
            yield kind, given.get("namespace", ""), name


def _as_used(asked: Key, found: Found) -> Key:
    """A claim is what some pod waits for: the pod's owner is whom it is about."""
    if asked[0] in KINDS:
        return asked
    users = [o for k, o in found.objects.items() if k[0] == "Pod" and asked[2] in _claims(o)]
    return _owner(users[0], found) if users else asked


def _object(found: Found, key: Key) -> Json | None:
    """Return an object; its namespace may be unknown to who asks, or left out where it was printed."""
    exact = found.objects.get(key)
    alike = (o for k, o in found.objects.items() if (k[0], k[2]) == (key[0], key[2]) and not (k[1] and key[1]))
    return exact if exact is not None else next(alike, None)


def _owner(pod: Json, found: Found) -> Key:
    """Return the workload of a pod: as its owner says, and by its name where only a table told of it."""
    meta = pod["metadata"]
    namespace = str(meta.get("namespace") or "")
    kind, name = _controlled(pod)
    if kind == "ReplicaSet":
        template = str((meta.get("labels") or {}).get("pod-template-hash") or name.rpartition("-")[2])
        return "Deployment", namespace, name.removesuffix(f"-{template}")
    if kind == "Job":
        job = found.objects.get(("Job", namespace, name), {})
        above = _controlled(job)
        return (above[0], namespace, above[1]) if above[0] == "CronJob" else (kind, namespace, name)
    if kind:
        return kind, namespace, name
    labels = meta.get("labels") or {}
    begins, template, _ = meta["name"].rpartition(f"-{labels.get('pod-template-hash') or ' '}-")
    if template:
        return "Deployment", namespace, begins
    if labels.get("job-name"):
        return "Job", namespace, str(labels["job-name"])
    return "Pod", namespace, meta["name"]


def _guessed(pod: Key) -> Key:
    made = _PODS_OF.fullmatch(pod[2])
    return ("Deployment", pod[1], made["name"]) if made is not None else pod


def _controlled(of: Json) -> tuple[str, str]:
    """Return kind and name of who controls an object; empty where nobody does."""
    owners = (of.get("metadata") or {}).get("ownerReferences") or ()
    return next(((str(o["kind"]), str(o["name"])) for o in owners if o.get("controller")), ("", ""))


def _claims(pod: Json) -> set[str]:
    volumes = pod.get("spec", {}).get("volumes") or ()
    return {str((v.get("persistentVolumeClaim") or {}).get("claimName")) for v in volumes} - {"None"}


def _nodes(found: Found, target: Key, pods: Iterable[Json]) -> list[Json]:
    """Return the nodes that the pods run on; all where one of them is not placed, as in a live cluster."""
    nodes = {k[2]: o for k, o in found.objects.items() if k[0] == "Node"}
    if target[0] == "Node":
        return [o for name, o in nodes.items() if name == target[2]]
    on = {p.get("spec", {}).get("nodeName") for p in pods if p.get("status", {}).get("phase") in ("Running", "Pending")}
    return list(nodes.values()) if None in on else [o for name, o in nodes.items() if name in on]


def _stub(target: Key) -> Json | None:
    """Return an object in place of a target that was not recorded: what its pods show is judged all the same."""
    kind, namespace, name = target
    if target == NOBODY:
        return None
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "uid": "/".join(target)}}


def _once(told: Iterable[Json]) -> list[Json]:
    """Return each Event once: what several outputs tell of it, as the last of them does."""
    found: dict[tuple[str, str, str], Json] = {}
    for e in told:
        about = str((e.get("involvedObject") or {}).get("name"))
        found[(about, str(e.get("reason")), str(e.get("message")))] = e
    return list(found.values())


def _now(found: Found, about: Iterable[Json]) -> datetime | None:
    """Return the earliest time that it can have been when this was recorded: after all that is told."""
    known: list[datetime] = []
    for o in about:
        meta, status = o["metadata"], o.get("status") or {}
        known += filter(None, map(_parsed, _stamps(status)))
        born = _parsed(meta.get("creationTimestamp") or status.get("startTime"))
        ages = [e.first_seconds for e in found.events if (e.kind, e.name) == (o["kind"], meta["name"])]
        ages += [found.ages[meta["name"]]] if o["kind"] == "Pod" and meta["name"] in found.ages else []
        known += [born + timedelta(seconds=max(ages, default=0.0))] if born is not None else []
    return max(known, default=None)


def _stamps(status: Json) -> Iterator[str]:
    for part in (*(status.get("conditions") or ()), *_states(status)):
        yield from (str(part[key]) for key in _TIMES if part.get(key))


def _states(status: Json) -> Iterator[Json]:
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        for when in ("state", "lastState"):
            yield from (container.get(when) or {}).values()


def _parsed(text: Any) -> datetime | None:
    try:
        return parse_time(str(text)) if text else None
    except ValueError:
        return None
