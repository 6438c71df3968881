"""Puts together what a Watch's target depends on, out of the cache (shell: reads memory only)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hemostat.observe.world import World
from hemostat.signals.changes import (
    JOINED,
    RECENT,
    ChangeKind,
    Noted,
    Ref,
    config_maps,
    revision_of,
    revision_template,
    rollouts,
)
from hemostat.signals.workload import KINDS, Scene
from hemostat.signals.workload.scene import age
from hemostat.signals.workload.state import condition, holds

Json = Mapping[str, Any]
RELIED_ON = ("Pod", "Node")
"""Kinds that every verdict rests on, next to that of the target."""
MAX_NODES = 64
_OWNED = {
    "Deployment": "ReplicaSet",
    "StatefulSet": "ControllerRevision",
    "DaemonSet": "ControllerRevision",
    "CronJob": "Job",
    "Job": "Job",
}
"""Of a Job those that run it again."""


def scene_of(world: World, namespace: str, kind: str, name: str) -> Scene:
    """Return the scene of a target. A kind that cannot be watched has no target."""
    if kind not in KINDS:
        return Scene()
    owned_kind = _OWNED.get(kind)
    relied = (kind, *RELIED_ON, *((owned_kind,) if owned_kind else ()))
    unknown = world.doubt(relied)
    target = world.find(kind, "" if kind == "Node" else namespace, name)
    if target is None:
        lacking = world.dropped(kind) and f"there are too many {kind}s to keep"
        return Scene(unknown=unknown or lacking or "")
    if kind == "Node":
        return Scene(target, unknown, nodes=[target])
    uid = target["metadata"]["uid"]
    owned = world.owned(uid, owned_kind) if owned_kind else []
    pods = [pod for o in (target, *owned) for pod in world.owned(o["metadata"]["uid"], "Pod")]
    claims = _claims(world, namespace, pods)
    return Scene(
        target=target,
        unknown=unknown,
        pods=pods,
        owned=owned,
        nodes=_nodes(world, pods),
        autoscalers=[s for s in world.within("HorizontalPodAutoscaler", namespace) if _scales(s, kind, name)],
        claims=claims,
        quotas=world.within("ResourceQuota", namespace),
        events=_events(world, (target, *owned, *pods, *claims)),
    )


def related(world: World, namespace: str, kind: str, name: str) -> set[Ref]:
    """Return what a change at may have changed the target: itself, its configuration, autoscalers, nodes, quotas."""
    scene = scene_of(world, namespace, kind, name)
    refs = {Ref(kind, "" if kind == "Node" else namespace, name)}
    if scene.target is None or kind == "Node":
        return refs
    template = template_of(scene)
    refs |= {Ref("ConfigMap", namespace, n) for n in config_maps(template)}
    refs |= {Ref("HorizontalPodAutoscaler", namespace, s["metadata"]["name"]) for s in scene.autoscalers}
    refs |= {Ref("ResourceQuota", namespace, q["metadata"]["name"]) for q in scene.quotas}
    return refs | {Ref("Node", "", n["metadata"]["name"]) for n in scene.nodes}


def changes_around(world: World, namespace: str, kind: str, name: str, now: datetime) -> list[Noted]:
    """Return what was changed at a workload and around it, newest first; rollouts apart.

    That one of its nodes joined is a change only for what was there before: on a young cluster all else came later.
    """
    target = world.find(kind, "" if kind == "Node" else namespace, name) or {"metadata": {}}
    young = age(target["metadata"].get("creationTimestamp"), now)
    noted = world.changes(related(world, namespace, kind, name), now)
    return [c for c in noted if c.detail != JOINED or (now - c.time).total_seconds() <= young]


def service_changes(world: World, namespace: str, kind: str, name: str, now: datetime) -> list[Noted]:
    """Return what was changed at a workload and around it, newest first, with its rollouts."""
    ref = Ref(kind, namespace, name)
    scene = scene_of(world, namespace, kind, name)
    rolled = [Noted(ChangeKind.ROLLOUT, ref, t, f"revision {n}: {said}") for n, t, said in rollouts(scene.revisions)]
    recent = [r for r in rolled if now - r.time <= RECENT]
    noted = [*changes_around(world, namespace, kind, name, now), *recent]
    return sorted(noted, key=lambda c: c.time, reverse=True)


def template_of(scene: Scene) -> Json:
    """Return the newest pod template of the target."""
    found: Json = ((scene.target or {}).get("spec") or {}).get("template") or {}
    return found or revision_template(max(scene.owned, key=revision_of, default={"metadata": {}}))


def _nodes(world: World, pods: Iterable[Json]) -> Sequence[Json]:
    """Return the nodes under the pods, and, where a pod finds none, those that take none: not ready, or cordoned."""
    live = [p for p in pods if not p["metadata"].get("deletionTimestamp")]
    names = dict.fromkeys(p.get("spec", {}).get("nodeName") for p in live)
    found = [n for name in names if name and (n := world.find("Node", "", name)) is not None]
    if any(condition(p, "PodScheduled").get("status") == "False" for p in live):
        known = {n["metadata"]["name"] for n in found}
        others = (n for n in world.within("Node", "") if n["metadata"]["name"] not in known)
        found += [n for n in others if not holds(n, "Ready") or n["spec"].get("unschedulable")]
    return found[:MAX_NODES]


def _scales(scaler: Json, kind: str, name: str) -> bool:
    ref = scaler.get("spec", {}).get("scaleTargetRef") or {}
    return (ref.get("kind"), ref.get("name")) == (kind, name)


def _claims(world: World, namespace: str, pods: Iterable[Json]) -> list[Json]:
    volumes = [v for p in pods for v in p.get("spec", {}).get("volumes") or ()]
    names = dict.fromkeys((v.get("persistentVolumeClaim") or {}).get("claimName") for v in volumes)
    return [c for name in names if name and (c := world.find("PersistentVolumeClaim", namespace, name)) is not None]


def _events(world: World, about: Iterable[Json]) -> list[Json]:
    return [event for o in about for event in world.owned(o["metadata"]["uid"], "Event")]
