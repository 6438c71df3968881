"""What else points at a cause: services nobody watches, and what targets share (pure)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hemostat.api.incident import SignalStatus
from hemostat.signals.changes import Noted
from hemostat.signals.rootcause import Sign, Trouble
from hemostat.signals.rules import one_line
from hemostat.signals.workload import Aspect, Scene, troubles
from hemostat.telemetry.graph import EdgeStats

MIN_CALLS = 10
MIN_SHARE = 0.05
"""Fewer failures of calls to a service nobody watches point at nothing."""
MAX_SHARES = 16
SHARED = (Aspect.NODE_NOT_READY, Aspect.NODE_PRESSURE, Aspect.CLAIM)
"""Trouble of things that several targets may depend on; of quotas see `quota`."""


def unwatched_troubles(edges: Iterable[EdgeStats], watched: Collection[str]) -> list[Trouble]:
    """Return the edges to services nobody watches on which calls fail."""
    found = []
    for edge in edges:
        share = edge.failures / edge.calls if edge.calls else 0.0
        if edge.callee in watched or edge.calls < MIN_CALLS or share < MIN_SHARE:
            continue
        reason = f"{100 * share:.0f} % of {edge.calls} calls of {edge.caller} to {edge.callee} fail; nobody watches it"
        found.append(Trouble(Sign.ERRORS, edge.callee, min(1.0, 0.5 + share), reason, edge.caller))
    return found


def shares(scene: Scene, changes: Iterable[Noted]) -> frozenset[str]:
    """Return in words what others may share too: the nodes of the pods, and what was changed around the target."""
    nodes = {p.get("spec", {}).get("nodeName") for p in scene.live_pods()}
    found = [one_line(f"{c.ref.kind} {c.ref.name} ({c})", 256) for c in changes]
    return frozenset([*found, *(f"node {n}" for n in sorted(n for n in nodes if n))][:MAX_SHARES])


def ties(target: Mapping[str, Any], scene: Scene, firing: Sequence[SignalStatus], now: datetime) -> frozenset[str]:
    """Return what the target shares with others that explains trouble of all: its owner, a sick node, a claim."""
    owners = target["metadata"].get("ownerReferences", ())
    found = {f"owner/{o['uid']}" for o in owners if o.get("controller")}
    named = {s.subject.partition(" of ")[0] for s in firing}
    if named & set(SHARED):
        found |= {f"{t.aspect}/{t.subject}" for t in troubles(scene, now) if t.aspect in SHARED and t.aspect in named}
    return frozenset(found)
