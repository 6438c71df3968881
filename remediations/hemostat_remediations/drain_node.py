"""`drain-node`: cordon a node and evict everything that runs there and can run elsewhere, as `kubectl drain` does it.

One pod after another by the Eviction API, so that disruption budgets hold: one that forbids an eviction is waited for,
until the deadline. DaemonSet and mirror pods stay, as there is no elsewhere for them; so do those of protected
namespaces (`act` acts nowhere there: drain the rest by hand) and those that have ended. Refused, unless the Runbook
says so, are bare pods, which nobody makes again, and emptyDir volumes, which are lost. Pods of other namespaces are
evicted only where `act` was let act (RoleBinding), and by the word of people who may evict there themselves. On a node
that does not answer, evicted pods stay Terminating until it is back or deleted. Nothing undoes an eviction: a person
always decides.
https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, deletion
from hemostat.api.identity import PROTECTED_NAMESPACES
from hemostat.api.remediation import MAX_STEPS, Effect, PlanStep
from hemostat.errors import Refused
from hemostat_remediations.nodes import RULES, cordoning, is_cordoned
from hemostat_remediations.pods import Pod, controller, has_empty_dir, is_over, pod_name

MIRROR = "kubernetes.io/config.mirror"


class DrainNodeParams(Params):
    """What may be lost, and how long it may take."""

    delete_empty_dir_data: bool = False
    """Pods with emptyDir volumes may be evicted too: what is in them is lost."""
    evict_bare_pods: bool = False
    """Pods without a controller may be evicted too: nobody makes them again."""
    deadline_seconds: Annotated[int, Field(ge=60, le=3600)] = 900
    """If it is not through so long after its first step, it is given up and the node made schedulable again."""


def plan(world: World, params: DrainNodeParams) -> Draft:
    """Plan to cordon the node and to evict its pods."""
    node, here = world.target, world.namespace
    name, cordoned = str(node["metadata"]["name"]), is_cordoned(world.target)
    there = sorted((p for p in world.pods if _can_leave(p)), key=lambda p: (p["metadata"]["namespace"], pod_name(p)))
    leave = [p for p in there if p["metadata"]["namespace"] not in PROTECTED_NAMESPACES]
    stay = [p for p in there if p not in leave]
    _check(leave, params)
    steps = (*(() if cordoned else (cordoning(node),)), *(PlanStep(forward=_eviction(p, here)) for p in leave))
    if not leave:
        raise Refused("NothingToMove", f"nothing runs on Node {name} that could leave it")
    if len(steps) > MAX_STEPS:
        raise Refused("TooMany", f"{len(leave)} pods are on Node {name}, too many for a plan: kubectl drain {name}")
    first = "" if cordoned else f"Cordon Node {name}, which stays so if it helps, and e"
    kept = f"; {len(stay)} of protected namespaces stay: {_listed(stay)}" if stay else ""
    return Draft(
        summary=f"{first or f'On Node {name} e'}vict its {len(leave)} pods one after another{kept}"[:1000],
        steps=steps,
        diff="\n".join(_diff(name, leave, stay, cordoned=cordoned)),
        replaced_pods=len(leave),
        replicas_after=0,
        reads={"node": node["metadata"]["uid"], "cordoned": cordoned},
        deadline_seconds=params.deadline_seconds,
    )


def _can_leave(pod: Pod) -> bool:
    mirror = MIRROR in (pod["metadata"].get("annotations") or {})
    return not (is_over(pod) or mirror or controller(pod).get("kind") == "DaemonSet")


def _check(pods: Sequence[Pod], params: DrainNodeParams) -> None:
    bare = [pod for pod in pods if not controller(pod)]
    if bare and not params.evict_bare_pods:
        raise Refused("BarePods", f"{_listed(bare)}: nobody makes them again (evictBarePods)")
    local = [pod for pod in pods if has_empty_dir(pod)]
    if local and not params.delete_empty_dir_data:
        raise Refused("LocalStorage", f"{_listed(local)}: emptyDir volumes are lost (deleteEmptyDirData)")


def _eviction(pod: Pod, here: str) -> Effect:
    evicted, where = deletion({"apiVersion": "v1", "kind": "Pod", **pod}, "eviction"), pod["metadata"]["namespace"]
    return evicted.model_copy(update={"namespace": where}) if where != here else evicted


def _diff(node: str, leave: Sequence[Pod], stay: Sequence[Pod], *, cordoned: bool) -> Iterator[str]:
    if not cordoned:
        yield f"+ Node/{node} spec.unschedulable: true"
    for pod in leave:
        owner = controller(pod).get("kind")
        then = f"its {owner} makes another one" if owner else "nobody makes another one"
        yield f"- Pod/{_told(pod)} on {node} ({then})"
    for pod in stay:
        yield f"  Pod/{_told(pod)} stays: its namespace is protected"


def _told(pod: Pod) -> str:
    return f"{pod['metadata']['namespace']}/{pod_name(pod)}"


def _listed(pods: Sequence[Pod]) -> str:
    return ", ".join(map(_told, pods))[:500]


DRAIN_NODE = Action(
    name="drain-node",
    summary="Cordon a node and evict the pods that run there, as disruption budgets allow (evictions are irreversible)",
    kinds=frozenset({"Node"}),
    params=DrainNodeParams,
    rules=(Rule("", ("pods",), ("get",)), Rule("", ("pods/eviction",), ("create",))),
    plan=plan,
    on_ineffective="Keep",
    irreversible="the evictions: what the pods had in memory is lost",
    cluster_rules=(*RULES, Rule("", ("pods",), ("list",))),
)
