"""`move-off-node`: take a Deployment's pods off the one node on which they do not get ready, while they do elsewhere.

As `kubectl drain` does it, of one workload: the node is cordoned, which is undone if it did not help, then the pods are
evicted one by one, as disruption budgets allow, each once the one before is replaced and available. Pods of others stay
where they are: their owners did not ask. Nothing undoes an eviction, so a person decides, and one who may cordon nodes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, add, deletion, effect, remove
from hemostat.api.identity import ACT, NODES_ROLE
from hemostat.api.remediation import MAX_STEPS, PlanStep
from hemostat.errors import Refused

Pod = Mapping[str, Any]
HASH = "pod-template-hash"
UNSCHEDULABLE = "/spec/unschedulable"


class MoveOffNodeParams(Params):
    """What may be lost, and how long it may take."""

    delete_empty_dir_data: bool = False
    """Pods with emptyDir volumes may be evicted too: what is in them is lost."""
    deadline_seconds: Annotated[int, Field(ge=60, le=3600)] = 600
    """If it is not through so long after the node was cordoned, it is given up and the node made schedulable again."""


def plan(world: World, params: MoveOffNodeParams) -> Draft:
    """Plan to cordon the node and to evict the target's pods there."""
    pods = [pod for pod in _own(world) if pod["spec"].get("nodeName")]
    name, there = _node(pods)
    if len(there) > MAX_STEPS - 1:
        raise Refused("TooMany", f"{len(there)} pods are on node {name}; at most {MAX_STEPS - 1} are moved at once")
    if not params.delete_empty_dir_data and (local := [_name(p) for p in there if _has_empty_dir(p)]):
        raise Refused("LocalStorage", f"{', '.join(local)[:500]}: emptyDir volumes are lost (deleteEmptyDirData)")
    node = _live(world, name)
    cordoned = bool(node.get("spec", {}).get("unschedulable"))
    target = world.target["metadata"]["name"]
    moved = f"vict {len(there)} pods of Deployment {target} that do not get ready there, one by one"
    stays = f"Cordon node {name}, which stays cordoned if it helps, and e" if not cordoned else f"On node {name} e"
    return Draft(
        summary=f"{stays}{moved}"[:1000],
        steps=(*(() if cordoned else _cordon(node)), *_evictions(there, world.replicas)),
        diff="\n".join(_diff(name, there, cordoned=cordoned)),
        replaced_pods=len(there),
        replicas_after=world.replicas,
        reads={"node": node["metadata"]["uid"], "cordoned": cordoned, "replicas": world.replicas},
        deadline_seconds=params.deadline_seconds,
    )


def _own(world: World) -> Iterator[Pod]:
    sets = {replicaset["metadata"]["uid"] for replicaset in world.revisions}
    for pod in world.pods:
        owners = {o["uid"] for o in pod["metadata"].get("ownerReferences", ()) if o.get("controller")}
        over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if owners & sets and "deletionTimestamp" not in pod["metadata"] and not over:
            yield pod


def _node(pods: Sequence[Pod]) -> tuple[str, list[Pod]]:
    """Return the node on which none of the pods is ready, and these. Raises `Refused` where it is not the node."""
    placed = sorted(pods, key=lambda p: (p["spec"]["nodeName"], _name(p)))
    on = {node: list(group) for node, group in groupby(placed, key=lambda p: str(p["spec"]["nodeName"]))}
    sick = sorted(((len(ps), node) for node, ps in on.items() if not any(map(_ready, ps))), reverse=True)
    if not sick:
        raise Refused("NothingToMove", "there is no node on which none of its pods is ready")
    if len(sick) > 1 and sick[0][0] == sick[1][0]:
        raise Refused("WhichNode", f"its pods are ready neither on {sick[0][1]} nor on {sick[1][1]}")
    node = sick[0][1]
    elsewhere = [pod for pod in placed if pod["spec"]["nodeName"] != node]
    ready = [pod for pod in elsewhere if _ready(pod)]
    if 2 * len(ready) <= len(elsewhere) or not {_hash(p) for p in on[node]} <= {_hash(p) for p in ready}:
        raise Refused("NotTheNode", f"pods of the same template are not ready elsewhere either: it is not node {node}")
    return node, on[node]


def _live(world: World, name: str) -> Mapping[str, Any]:
    if world.nodes is None:
        raise Refused("NodesNotGranted", f"bind ClusterRole {NODES_ROLE} to {ACT} by a ClusterRoleBinding")
    for node in world.nodes:
        if node["metadata"]["name"] == name:
            return {"apiVersion": "v1", "kind": "Node", **node}
    raise Refused("NodeGone", f"node {name} is gone")


def _cordon(node: Mapping[str, Any]) -> tuple[PlanStep]:
    forward, inverse = (effect(node, (op,)) for op in (add(UNSCHEDULABLE, True), remove(UNSCHEDULABLE)))
    return (PlanStep(forward=forward, inverse=inverse),)


def _evictions(pods: Sequence[Pod], replicas: int) -> Iterator[PlanStep]:
    """Each waits until all replicas are available but those that are still to be moved."""
    for left, pod in zip(range(len(pods), 0, -1), pods, strict=True):
        evicted = deletion({"apiVersion": "v1", "kind": "Pod", **pod}, "eviction")
        yield PlanStep(forward=evicted, awaits_available=max(0, replicas - left))


def _diff(node: str, pods: Sequence[Pod], *, cordoned: bool) -> Iterator[str]:
    if not cordoned:
        yield f"+ Node/{node} spec.unschedulable: true"
    for pod in pods:
        yield f"- Pod/{_name(pod)} on {node} (its ReplicaSet makes another one)"


def _name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def _hash(pod: Pod) -> str:
    return str(pod["metadata"].get("labels", {}).get(HASH, ""))


def _ready(pod: Pod) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _has_empty_dir(pod: Pod) -> bool:
    return any("emptyDir" in volume for volume in pod["spec"].get("volumes", ()))


MOVE_OFF_NODE = Action(
    name="move-off-node",
    summary="Cordon the one node on which a Deployment's pods do not get ready, and evict them there one by one",
    kinds=frozenset({"Deployment"}),
    params=MoveOffNodeParams,
    rules=(
        Rule("", ("pods",), ("get", "list")),
        Rule("", ("pods/eviction",), ("create",)),
        Rule("apps", ("replicasets",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Undo",
    irreversible="the evictions: what the pods had in memory is lost",
    cluster_rules=(Rule("", ("nodes",), ("get", "list", "patch")),),
)
