"""What the actions on pods ask of them: whose they are, how they stand, and which one is in trouble."""

from collections.abc import Iterator, Mapping
from typing import Any

from hemostat.action.contract import World
from hemostat.clock import parse_time
from hemostat.errors import Refused

Pod = Mapping[str, Any]
_NAMED = 5
"""Pods that a message names."""


def own_pods(world: World) -> Iterator[Pod]:
    """Yield the target's pods, its own or its ReplicaSets', but those that leave or have ended."""
    owners = {world.target["metadata"]["uid"], *(replicaset["metadata"]["uid"] for replicaset in world.revisions)}
    for pod in world.pods:
        if controller(pod).get("uid") in owners and not is_over(pod):
            yield pod


def in_trouble(world: World) -> Pod:
    """Return the one pod of the target that runs and is not ready, and was not when this was proposed.

    Raises `Refused` (NoSuchPod, WhichPod): several of them have a cause in common, which is not that pod.
    """
    target = world.target
    sick = sorted((pod for pod in own_pods(world) if _unwell(pod, world)), key=pod_name)
    if not sick:
        raise Refused("NoSuchPod", f"every pod of {target['kind']} {target['metadata']['name']} on a node is ready")
    if len(sick) > 1:
        named = ", ".join(pod_name(pod) for pod in sick[:_NAMED])
        raise Refused("WhichPod", f"{len(sick)} pods are not ready ({named}): it is not one pod alone")
    return sick[0]


def _unwell(pod: Pod, world: World) -> bool:
    """One that has just been started is given its time; what no node took is not the pod's own trouble."""
    if not pod["spec"].get("nodeName") or is_ready(pod):
        return False
    since = _condition(pod, "Ready").get("lastTransitionTime")
    return world.proposed is None or not since or parse_time(since) <= world.proposed


def controller(pod: Pod) -> Mapping[str, Any]:
    """Return the reference to the pod's controller; empty of a bare pod."""
    refs = pod["metadata"].get("ownerReferences") or ()
    return next((ref for ref in refs if ref.get("controller")), {})


def is_over(pod: Pod) -> bool:
    """Tell whether the pod leaves or has ended."""
    return "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Pod) -> bool:
    """Tell whether the pod is ready."""
    return _condition(pod, "Ready").get("status") == "True"


def _condition(pod: Pod, kind: str) -> Mapping[str, Any]:
    conditions = pod.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def has_empty_dir(pod: Pod) -> bool:
    """Tell whether something of the pod is lost with it."""
    return any("emptyDir" in volume for volume in pod["spec"].get("volumes") or ())


def pod_name(pod: Pod) -> str:
    """Return the pod's name."""
    return str(pod["metadata"]["name"])
