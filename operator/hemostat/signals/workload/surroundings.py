"""What the pods stand on: nodes, autoscalers, claims, quotas (pure)."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation

from hemostat.signals.workload.scene import Aspect, Json, Scene, Trouble, age, short
from hemostat.signals.workload.state import condition, holds

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
PENDING_SECONDS = 15.0
"""A claim may wait so long for its provisioner."""
NEAR_PERCENT = 95.0
POD_QUOTA = ("pods", "count/pods", "cpu", "memory", "requests.", "limits.", "persistentvolumeclaims")
"""Quotas that the pods of a workload use up."""
RESIZE_CONDITIONS = ("ControllerResizeError", "NodeResizeError")


def node_aspects(scene: Scene) -> Iterator[Trouble]:
    """Yield what is wrong with the nodes that the pods run on, or should run on."""
    for node in scene.nodes:
        name, ready = node["metadata"]["name"], condition(node, "Ready")
        if ready.get("status") != "True":
            why = short(ready.get("message")) or "it says nothing any more"
            yield Trouble(Aspect.NODE_NOT_READY, name, f"the node is not ready: {why}")
            continue
        for pressure in PRESSURES:
            if holds(node, pressure):
                why = short(condition(node, pressure).get("message"))
                yield Trouble(Aspect.NODE_PRESSURE, name, f"the node is under {pressure}; it will evict pods: {why}")


def autoscaler_aspects(scene: Scene) -> Iterator[Trouble]:
    """Yield autoscalers that want more than they may (the controller's ScalingLimited / TooManyReplicas)."""
    for scaler in scene.autoscalers:
        limited = condition(scaler, "ScalingLimited")
        if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
            most = scaler.get("spec", {}).get("maxReplicas")
            words = f"the autoscaler is at its maximum of {most} replicas and wants more; raise maxReplicas or cut load"
            yield Trouble(Aspect.AUTOSCALER_MAX, scaler["metadata"]["name"], words)


def claim_aspects(scene: Scene, now: datetime) -> Iterator[Trouble]:
    """Yield claims that are lost, not bound, or could not be resized."""
    for claim in scene.claims:
        words = _claim(claim, now)
        if words:
            yield Trouble(Aspect.CLAIM, claim["metadata"]["name"], words)


def _claim(claim: Json, now: datetime) -> str:
    status = claim.get("status", {})
    if status.get("phase") == "Lost":
        return "the claim lost its volume; the data may be gone"
    if status.get("phase") == "Pending" and age(claim["metadata"].get("creationTimestamp"), now) > PENDING_SECONDS:
        storage = claim.get("spec", {}).get("storageClassName") or "no storage class"
        return f"the claim is not bound ({storage}); kubectl describe pvc says why"
    failed = next((c for c in RESIZE_CONDITIONS if holds(claim, c)), None)
    infeasible = [v for v in (status.get("allocatedResourceStatuses") or {}).values() if v.endswith("Infeasible")]
    if failed or infeasible:
        why = short(condition(claim, failed or "").get("message")) or (failed or infeasible[0])
        return f"the claim could not be resized: {why}"
    return ""


def quota_usage(scene: Scene) -> tuple[float, str]:
    """Return the largest share in percent that the namespace has used up of what its pods need, and of what."""
    worst, what = 0.0, ""
    for quota in scene.quotas:
        status = quota.get("status", {})
        for resource, hard in (status.get("hard") or {}).items():
            limit, used = amount(hard), amount((status.get("used") or {}).get(resource, "0"))
            if not limit or used is None or not resource.startswith(POD_QUOTA):
                continue
            share = min(1e6, float(100 * used / limit))
            if share > worst:
                worst, what = share, f"{quota['metadata']['name']}: {resource} {used_of(status, resource)}"
    return worst, what


def used_of(status: Json, resource: str) -> str:
    """Return `used of hard`."""
    return f"{(status.get('used') or {}).get(resource, '0')} of {(status.get('hard') or {}).get(resource)}"


_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def amount(text: str | float) -> Decimal | None:
    """Read a quantity (`100m`, `1Gi`, `1e3`) as apimachinery's `resource.Quantity` does; None if it is none."""
    raw = str(text).strip()
    try:
        if raw[-2:] in _BINARY:
            return Decimal(raw[:-2]) * Decimal(2) ** _BINARY[raw[-2:]]
        if raw and raw[-1] in _SUFFIXES:
            return Decimal(raw[:-1]).scaleb(_SUFFIXES[raw[-1]])
        return Decimal(raw)
    except InvalidOperation:
        return None
