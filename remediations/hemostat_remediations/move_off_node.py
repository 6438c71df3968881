"""`move-off-node`: take a Deployment's pods off the one node on which they do not get ready, while they do elsewhere.

As `kubectl drain` does it, of one workload: the node is cordoned, which is undone if it did not help, then the pods are
evicted one by one, as disruption budgets allow, each once the one before is replaced and available. Pods of others stay
where they are: their owners did not ask. Nothing undoes an eviction, so a person decides, and one who may cordon nodes.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, deletion
from hemostat.api.remediation import MAX_STEPS, PlanStep
from hemostat.errors import Refused
from hemostat_remediations.nodes import RULES, cordoning, is_cordoned, live_node
from hemostat_remediations.pods import Pod, has_empty_dir, is_ready, own_pods, pod_name

HASH = "pod-template-hash"


class MoveOffNodeParams(Params):
    """What may be lost, and how long it may take."""

    delete_empty_dir_data: bool = False
    """Pods with emptyDir volumes may be evicted too: what is in them is lost."""
    deadline_seconds: Annotated[int, Field(ge=60, le=3600)] = 600
    """If it is not through so long after the node was cordoned, it is given up and the node made schedulable again."""


def plan(world: World, params: MoveOffNodeParams) -> Draft:
    """Plan to cordon the node and to evict the target's pods there."""
    pods = [pod for pod in own_pods(world) if pod["spec"].get("nodeName")]
    name, there = _node(pods)
    if len(there) > MAX_STEPS - 1:
        raise Refused("TooMany", f"{len(there)} pods are on node {name}; at most {MAX_STEPS - 1} are moved at once")
    if not params.delete_empty_dir_data and (local := [pod_name(p) for p in there if has_empty_dir(p)]):
        raise Refused("LocalStorage", f"{', '.join(local)[:500]}: emptyDir volumes are lost (deleteEmptyDirData)")
    node = live_node(world, name)
    cordoned = is_cordoned(node)
    target = world.target["metadata"]["name"]
    moved = f"vict {len(there)} pods of Deployment {target} that do not get ready there, one by one"
    stays = f"Cordon node {name}, which stays cordoned if it helps, and e" if not cordoned else f"On node {name} e"
    return Draft(
        summary=f"{stays}{moved}"[:1000],
        steps=(*(() if cordoned else (cordoning(node),)), *_evictions(there, world.replicas)),
        diff="\n".join(_diff(name, there, cordoned=cordoned)),
        replaced_pods=len(there),
        replicas_after=world.replicas,
        reads={"node": node["metadata"]["uid"], "cordoned": cordoned, "replicas": world.replicas},
        deadline_seconds=params.deadline_seconds,
    )


def _node(pods: Sequence[Pod]) -> tuple[str, list[Pod]]:
    """Return the node on which none of the pods is ready, and these. Raises `Refused` where it is not the node."""
    placed = sorted(pods, key=lambda p: (p["spec"]["nodeName"], pod_name(p)))
    on = {node: list(group) for node, group in groupby(placed, key=lambda p: str(p["spec"]["nodeName"]))}
    sick = sorted(((len(ps), node) for node, ps in on.items() if not any(map(is_ready, ps))), reverse=True)
    if not sick:
        raise Refused("NothingToMove", "there is no node on which none of its pods is ready")
    if len(sick) > 1 and sick[0][0] == sick[1][0]:
        raise Refused("WhichNode", f"its pods are ready neither on {sick[0][1]} nor on {sick[1][1]}")
    node = sick[0][1]
    elsewhere = [pod for pod in placed if pod["spec"]["nodeName"] != node]
    ready = [pod for pod in elsewhere if is_ready(pod)]
    if 2 * len(ready) <= len(elsewhere) or not {_hash(p) for p in on[node]} <= {_hash(p) for p in ready}:
        raise Refused("NotTheNode", f"pods of the same template are not ready elsewhere either: it is not node {node}")
    return node, on[node]


def _evictions(pods: Sequence[Pod], replicas: int) -> Iterator[PlanStep]:
    """Each waits until all replicas are available but those that are still to be moved."""
    for left, pod in zip(range(len(pods), 0, -1), pods, strict=True):
        evicted = deletion({"apiVersion": "v1", "kind": "Pod", **pod}, "eviction")
        yield PlanStep(forward=evicted, awaits_available=max(0, replicas - left))


def _diff(node: str, pods: Sequence[Pod], *, cordoned: bool) -> Iterator[str]:
    if not cordoned:
        yield f"+ Node/{node} spec.unschedulable: true"
    for pod in pods:
        yield f"- Pod/{pod_name(pod)} on {node} (its ReplicaSet makes another one)"


def _hash(pod: Pod) -> str:
    return str(pod["metadata"].get("labels", {}).get(HASH, ""))


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
    cluster_rules=RULES,
)
