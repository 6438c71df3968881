"""How many more pods of a workload there is room for, by quotas and by nodes (pure).

An estimate of what the scheduler will find: sums of what pods request, and no priorities or topology. Where the pods
state more than that (affinity), or what is needed cannot be read, nothing is claimed.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hemostat.gate.input import ASK, PASS, GateInput, Matched, Room, Verdict
from hemostat.signals.workload.surroundings import amount

Json = Mapping[str, Any]
Needs = Mapping[str, Decimal]
"""What one pod requests: cpu, memory, ephemeral-storage, pods."""
MANY = 1_000_000
"""Nothing limits it."""
_REQUESTED = ("cpu", "memory", "ephemeral-storage")
_NAMED = 4
_KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})


def added(live: Json, replicas_after: int) -> int | None:
    """Return how many replicas a plan adds; None where it cannot be told how many there are to be."""
    if live.get("kind") == "DaemonSet":  # nodes say how many
        return 0
    now = live.get("spec", {}).get("replicas", 1)
    return max(0, replicas_after - now) if isinstance(now, int) else None


def needed(live: Json, kind: str = "requests") -> Needs | None:
    """Return what one pod of the template requests, or is limited to; None where that cannot be read.

    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    spec = live.get("spec", {}).get("template", {}).get("spec", {})
    init = spec.get("initContainers") or ()
    sidecars = [c for c in init if c.get("restartPolicy") == "Always"]
    out = {"pods": Decimal(1)}
    for name in _REQUESTED:
        running = [_of(c, name, kind) for c in (*(spec.get("containers") or ()), *sidecars)]
        first = [_of(c, name, kind) for c in init]
        if any(value is None for value in (*running, *first)):
            return None
        total = sum((v for v in running if v is not None), Decimal(0))
        out[name] = max([total, *(v for v in first if v is not None)])
    return out


def _of(container: Json, name: str, kind: str) -> Decimal | None:
    resources = container.get("resources") or {}
    limit = (resources.get("limits") or {}).get(name, "0")
    return amount((resources.get(kind) or {}).get(name, limit))


def fits_in_quotas(live: Json, quotas: Iterable[Json]) -> int | None:
    """Return how many more such pods the namespace's ResourceQuotas leave room for; None where one cannot be read.

    What counts limits is about limits, and the rest about requests; a pod that states none is refused there.
    """
    requested, limited, most = needed(live), needed(live, "limits"), MANY
    if requested is None or limited is None:
        return None
    for quota in quotas:
        status = quota.get("status", {})
        for counted, hard in (status.get("hard") or {}).items():
            needs = limited if counted.startswith("limits.") else requested
            name = counted.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
            if name not in needs:
                continue
            limit, used = amount(hard), amount((status.get("used") or {}).get(counted, "x"))
            if limit is None or used is None:
                return None
            each = needs[name]
            most = min(most, max(0, int((limit - used) / each)) if each else 0)
    return most


def requested(pods: Iterable[Json]) -> dict[str, Needs | None]:
    """Return what the pods on each node request together; None of a node where that cannot be read.

    :param pods: of all namespaces.
    """
    out: dict[str, Needs | None] = {}
    for pod in pods:
        node = pod.get("spec", {}).get("nodeName", "")
        before = out.get(node, {})
        if not node or before is None or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            continue
        needs = needed({"spec": {"template": pod}})
        out[node] = needs and {name: before.get(name, Decimal(0)) + value for name, value in needs.items()}
    return out


def fits_on_nodes(live: Json, nodes: Iterable[Json], taken: Mapping[str, Needs | None]) -> int | None:
    """Return for how many more such pods nodes have room; None where that cannot be told.

    :param taken: what is `requested` on each node.
    """
    needs, spec = needed(live), live.get("spec", {}).get("template", {}).get("spec", {})
    if needs is None or _is_choosy(spec):
        return None
    left = {n["metadata"]["name"]: _allocatable(n) for n in nodes if _takes(n, spec.get("nodeSelector") or {})}
    for node, free in left.items():
        used = taken.get(node, {})
        if used is None:
            return None
        for name, value in used.items():
            free[name] = free.get(name, Decimal(0)) - value
    return sum(_places(needs, free) for free in left.values())


def _is_choosy(spec: Json) -> bool:
    """Tell whether the pods want or shun certain nodes in ways that sums do not show."""
    affinity = spec.get("affinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    spread = (c.get("whenUnsatisfiable") == "DoNotSchedule" for c in spec.get("topologySpreadConstraints") or ())
    return any(required in (part or {}) for part in affinity.values()) or any(spread)


def _takes(node: Json, selector: Mapping[str, str]) -> bool:
    """Tell whether it is ready and takes pods that tolerate nothing."""
    spec, labels = node.get("spec", {}), node.get("metadata", {}).get("labels") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions") or ())
    tainted = any(t.get("effect") in _KEEPS_AWAY for t in spec.get("taints") or ())
    return ready and not tainted and not spec.get("unschedulable") and selector.items() <= labels.items()


def _allocatable(node: Json) -> dict[str, Decimal]:
    told = (node.get("status", {}).get("allocatable") or {}).items()
    return {name: found for name, value in told if (found := amount(value)) is not None}


def _places(needs: Needs, free: Mapping[str, Decimal]) -> int:
    """Return how many fit; what a node does not tell it does not have."""
    return min(max(0, int(free.get(name, Decimal(0)) / each)) for name, each in needs.items() if each)


def room_for_more(facts: GateInput, _: Matched) -> Verdict:
    """Whether what is added can run: pods that are refused or wait for a node heal nothing."""
    more = facts.room.added
    if more is None:
        return ASK, "it cannot be told how many replicas are added"
    if not more:
        return PASS, "it adds no replicas"
    if facts.room.quota is None:
        return ASK, "the ResourceQuotas of the namespace could not be read"
    if facts.room.quota < more:
        return ASK, f"it adds {more} replicas, and ResourceQuotas leave room for {facts.room.quota}"
    if facts.room.nodes is None:
        return ASK, "what nodes have room for cannot be told (bind ClusterRole hemostat-act-room, see README)"
    if facts.room.nodes < more:
        return ASK, f"it adds {more} replicas, and nodes have room for {facts.room.nodes}"
    found, said = _downstream(facts.room)
    return found, f"it adds {more} replicas; nodes have room for {min(facts.room.nodes, facts.room.quota)}; {said}"


def _downstream(room: Room) -> Verdict:
    """Whether what the replicas lean on takes more of them."""
    if room.connections is None:
        return ASK, "how many connections they may hold cannot be told (annotation hemostat.dev/connections)"
    for one in room.connections:
        if one.held > one.limit:
            beside = f", beside {one.others} of other workloads" if one.others else ""
            held = f"{one.replicas} replicas with {one.each} each would hold {one.replicas * one.each}{beside}"
            return ASK, f"{one.name} takes {one.limit} connections, and {held}"
    if room.troubled is None:
        return ASK, "whether what the target calls is in trouble itself could not be read"
    if room.troubled:
        return (
            ASK,
            f"what the target calls is in trouble itself, and more callers make it worse: {_named(room.troubled)}",
        )
    counted = ", ".join(f"{c.held} of {c.limit} connections of {c.name}" for c in room.connections)
    return PASS, counted or "nothing that the target calls is known to be in trouble"


def _named(services: Sequence[str]) -> str:
    return ", ".join(services[:_NAMED]) + (f" and {len(services) - _NAMED} more" if len(services) > _NAMED else "")
