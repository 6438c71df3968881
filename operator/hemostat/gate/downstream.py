"""What a target leans on: connections that are counted, and services that are in trouble themselves (pure).

More replicas of a caller heal nothing where what they call takes no more; they make it worse for whoever else calls it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from hemostat.api.incident import Incident, SignalState
from hemostat.gate.input import Connections
from hemostat.signals.correlate import is_over

Json = Mapping[str, Any]
CONNECTIONS = "hemostat.dev/connections"
"""Annotation of a workload: `orders-db=20/100`, each replica may hold 20 of the 100 connections that orders-db takes;
several are separated by commas. Who says the same name in the namespace shares them, and the least limit counts."""
CALLERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
"""Kinds of workloads that may share connections: what else runs pods holds its own for a while only."""
_SAID = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?)=([0-9]{1,6})/([0-9]{1,7})")
_MOST = 16
"""Names of one workload, and services that a reason tells of."""
_ARROW = " -> "


def stated(live: Json) -> dict[str, tuple[int, int]] | None:
    """Return by name how many connections each replica may hold, and how many there are; None if that is garbled."""
    text = (live.get("metadata", {}).get("annotations") or {}).get(CONNECTIONS)
    if text is None:
        return {}
    found = [_SAID.fullmatch(part.strip()) for part in str(text).split(",")]
    said = {m[1]: (int(m[3]), int(m[4])) for m in found if m is not None}
    return said if len(said) == len(found) <= _MOST else None


def connections(live: Json, replicas_after: int, workloads: Iterable[Json]) -> tuple[Connections, ...] | None:
    """Return how many connections would be held; None where somebody's words cannot be understood.

    :param workloads: all `CALLERS` of the namespace; the target itself is left out.
    """
    mine = stated(live)
    if not mine:
        return None if mine is None else ()
    limits = {name: limit for name, (_, limit) in mine.items()}
    others = dict.fromkeys(mine, 0)
    for other in workloads:
        if other["metadata"]["uid"] == live["metadata"]["uid"] or _of_another(other):
            continue
        theirs = stated(other)
        if theirs is None:
            return None
        for name in theirs.keys() & mine.keys():
            others[name] += theirs[name][0] * _replicas(other)
            limits[name] = min(limits[name], theirs[name][1])
    return tuple(
        Connections(name, limits[name], each, replicas_after, others[name]) for name, (each, _) in sorted(mine.items())
    )


def _of_another(live: Json) -> bool:
    """Tell whether a workload that is counted itself made it: a Deployment's ReplicaSets repeat its annotations."""
    owners = live["metadata"].get("ownerReferences") or ()
    return any(o.get("controller") and o.get("kind") in CALLERS for o in owners)


def _replicas(live: Json) -> int:
    """Return how many pods there are or are to be, the larger; a DaemonSet has one on each node that it is for."""
    spec, status = live.get("spec", {}), live.get("status", {})
    if "replicas" not in spec and "desiredNumberScheduled" in status:
        scheduled = ("desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled")
        wanted, running, besides = (int(status.get(number, 0)) for number in scheduled)
        return max(wanted, running) + besides
    return max(int(spec.get("replicas", 1)), int(status.get("replicas", 0)))


def troubled(names: AbstractSet[str], incident: Incident, others: Iterable[Incident]) -> tuple[str, ...]:
    """Say which services that the target calls are in trouble themselves, by the word of telemetry.

    :param names: of the target, in the API server and in traces.
    :param others: Incidents of the namespace.
    """
    found = dict.fromkeys([*_seen(names, incident), *_unwatched(names, incident), *_told(names, incident, others)])
    return tuple(found)[:_MOST]


def _seen(names: AbstractSet[str], incident: Incident) -> Iterator[str]:
    """Yield whom the Incident's own signals tell of: the edges from the target."""
    for signal in incident.status.signals:
        caller, arrow, callee = signal.subject.partition(_ARROW)
        fires = signal.state is SignalState.FIRING and signal.conversation is None
        if fires and arrow and caller in names and callee not in names:
            yield callee


def _unwatched(names: AbstractSet[str], incident: Incident) -> Iterator[str]:
    """Yield who may be the cause and has no Watch: it is called by the target, or by who suffers with it."""
    yield from (c.service for c in incident.status.causes if c.watch_ref is None and c.service not in names)


def _told(names: AbstractSet[str], incident: Incident, others: Iterable[Incident]) -> Iterator[str]:
    """Yield whose own open Incident says that the target calls it, directly or through others."""
    for other in others:
        callers, uid = other.status.callers, other.metadata.uid
        if callers is None or uid == incident.metadata.uid or is_over(other):
            continue
        fires = any(s.state is SignalState.FIRING and s.watch_ref is None for s in other.status.signals)
        if not fires or other.spec.target_ref.name in names:
            continue
        if names & set(callers.names):
            yield f"{other.spec.target_ref.name} (Incident {other.metadata.name})"
        elif callers.total > len(callers.names):
            said = f"{callers.total} call it, the target maybe too"
            yield f"{other.spec.target_ref.name} (Incident {other.metadata.name}; {said})"
