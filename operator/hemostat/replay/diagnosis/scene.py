"""The scene around whom a recording is about, as the judges of a live cluster take it (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hemostat.clock import parse_time
from hemostat.replay.diagnosis.case import Recording
from hemostat.replay.diagnosis.objects import Found, Key, event, read
from hemostat.replay.diagnosis.target import NOBODY, claims_of, controller_of, find, owner_of, same, target_of
from hemostat.signals.workload import Scene
from hemostat.signals.workload.scene import tells_trouble

Json = Mapping[str, Any]
UNKNOWN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Taken where a recording tells no time at all."""
SAME_CHARS = 250
"""Messages of one reason about one object that begin alike for so long are one: a trimmed object has 300 of it."""
_TIMES = ("startedAt", "finishedAt", "lastTransitionTime", "lastHeartbeatTime")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a recording shows."""

    target: Key
    scene: Scene
    recorded: bool
    """Whether it was recorded how the target stands; else it is known by its pods, or by its name only."""
    revisions: bool
    """Whether it was recorded what rollouts there were."""
    now: datetime
    timed: bool
    """Whether a time was recorded; `now` is the earliest that it can have been."""
    read_as: Mapping[str, str]


def setting(recording: Recording) -> Setting:
    """Return the scene of what a recording is about."""
    found = read(recording.outputs)
    target = target_of(recording, found)
    kind, _, name = target
    own = find(found, target)
    pods = [
        o for k, o in found.objects.items() if k[0] == "Pod" and (same(k, target) or same(owner_of(o, found), target))
    ]
    owned = [o for o in found.objects.values() if controller_of(o) == (kind, name) and o["kind"] != "Pod"]
    claimed = {c for pod in pods for c in claims_of(pod)}
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
        events=[e for e in _once([*told, *found.recorded]) if tells_trouble(e)],
    )
    revisions = any(o["kind"] in ("ReplicaSet", "ControllerRevision") for o in owned)
    standing = any(same(key, target) for key in found.standing)
    return Setting(target, scene, standing, revisions, now or UNKNOWN_TIME, now is not None, found.read_as)


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
    """Return each Event once: what several outputs tell of it, as the last of them does.

    What `describe` prints of a message has no spaces at its ends and is no longer cut; a second line is none of it.
    """
    found: dict[tuple[str, str, str], Json] = {}
    for e in told:
        about = str((e.get("involvedObject") or {}).get("name"))
        line = str(e.get("message")).strip().partition("\n")[0].rstrip()[:SAME_CHARS]
        found[(about, str(e.get("reason")), line)] = e
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
