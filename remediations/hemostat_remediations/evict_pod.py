"""`evict-pod`: evict the one pod of the target that is in trouble while the others are well; its controller makes
another one.

By the Eviction API, so that disruption budgets hold: one that forbids it is waited for. Nothing undoes it, for what the
pod had in memory and in its own volumes is lost; so a person always decides.
https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from hemostat.action.contract import Action, Draft, Params, Rule, World, deletion, once
from hemostat.errors import Refused
from hemostat_remediations.pods import controller, has_empty_dir, in_trouble, pod_name


class EvictPodParams(Params):
    """What may be lost."""

    delete_empty_dir_data: bool = False
    """A pod with emptyDir volumes may be evicted too: what is in them is lost."""


def plan(world: World, params: EvictPodParams) -> Draft:
    """Plan to evict the only pod that is not ready."""
    pod = in_trouble(world)
    if has_empty_dir(pod) and not params.delete_empty_dir_data:
        raise Refused("LocalStorage", f"{pod_name(pod)}: emptyDir volumes are lost (deleteEmptyDirData)")
    target = f"{world.target['kind']} {world.target['metadata']['name']}"
    maker = f"its {controller(pod)['kind']} makes another one"
    return Draft(
        summary=f"Evict pod {pod_name(pod)}, the only one of {target} that is not ready",
        steps=once(deletion({"apiVersion": "v1", "kind": "Pod", **pod}, "eviction")),
        diff=f"- Pod/{pod_name(pod)} on {pod['spec']['nodeName']} ({maker})",
        replaced_pods=1,
        replicas_after=world.replicas,
        reads={"pod": pod["metadata"]["uid"]},
    )


EVICT_POD = Action(
    name="evict-pod",
    summary="Evict the one pod of a workload that is not ready while the others are (irreversible)",
    kinds=frozenset({"DaemonSet", "Deployment", "StatefulSet"}),
    params=EvictPodParams,
    rules=(
        Rule("", ("pods",), ("get", "list")),
        Rule("", ("pods/eviction",), ("create",)),
        Rule("apps", ("replicasets", "controllerrevisions"), ("list",)),
    ),
    plan=plan,
    on_ineffective="Keep",
    irreversible="the pod: what it had in memory and in its own volumes is lost",
)
