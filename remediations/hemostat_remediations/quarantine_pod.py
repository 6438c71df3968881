"""`quarantine-pod`: the one pod in trouble gets no more traffic and is replaced, and is kept as it is to be looked at.

As people do it by hand: the labels go by which Services and its ReplicaSet select it. `kubectl get pods
-l hemostat.dev/quarantined` finds it. The ReplicaSet makes another pod at once; a StatefulSet could not while this one
bears the name, and would lack a pod: there it is refused. NetworkPolicies that select it by the same labels would hold
it no more: that is refused unless the Runbook says so. The inverse puts the labels back: its ReplicaSet adopts it, then
has a pod too many and deletes one, first of all one that is not ready.
https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#isolating-pods-from-a-replicaset
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hemostat.action.contract import Action, Draft, Params, Rule, World, add, effect, once, remove, unified_diff
from hemostat.api.identity import QUARANTINE_LABEL
from hemostat.errors import Refused
from hemostat_remediations.pods import Pod, controller, in_trouble, pod_name

Labels = Mapping[str, str]
Selector = Mapping[str, Any]
MAX_LABELS = 6
NETWORK_POLICY = ("networking.k8s.io/v1", "NetworkPolicy")
_CAN_BE_BROKEN = ("In", "Exists")


class QuarantinePodParams(Params):
    """What may be lifted."""

    lift_network_policies: bool = False
    """The pod may be taken out of NetworkPolicies too, so that it may reach, and be reached by, more than before."""


def plan(world: World, params: QuarantinePodParams) -> Draft:
    """Plan to take away the fewest labels that set the only pod that is not ready apart."""
    pod = {"apiVersion": "v1", "kind": "Pod", **in_trouble(world)}
    labels: Labels = pod["metadata"].get("labels") or {}
    holder, services = _holder(world, pod), sorted(_services(world, labels), key=_named)
    gone = _fewest([_keys(holder["spec"]["selector"]), *(frozenset(s["spec"]["selector"]) for s in services)])
    if len(gone) > MAX_LABELS:
        raise Refused("TooMany", f"{len(gone)} labels of pod {pod_name(pod)} would have to go, more than {MAX_LABELS}")
    lifted = sorted(_named(p) for p in world.others.get("NetworkPolicy", ()) if _lifts(p, labels, gone))
    if lifted and not params.lift_network_policies:
        raise Refused("WouldLift", f"NetworkPolicy {', '.join(lifted)[:500]} would not hold it (liftNetworkPolicies)")
    after = {key: value for key, value in labels.items() if key not in gone} | {QUARANTINE_LABEL: world.remediation}
    return Draft(
        summary=_summary(world, pod, [_named(s) for s in services], lifted),
        steps=once(*_effects(pod, labels, gone, world.remediation)),
        diff=unified_diff(labels, after, f"Pod/{pod_name(pod)} metadata.labels"),
        replaced_pods=1,
        replicas_after=world.replicas,
        reads={"pod": pod["metadata"]["uid"], "labels": dict(labels), "gone": sorted(gone), "lifted": lifted},
    )


def _holder(world: World, pod: Pod) -> Mapping[str, Any]:
    uid = controller(pod).get("uid")
    return next(o for o in (world.target, *world.revisions) if o["metadata"]["uid"] == uid)  # else it is not its pod


def _services(world: World, labels: Labels) -> Iterator[Mapping[str, Any]]:
    for service in world.services:
        selector = service["spec"].get("selector") or {}
        if selector and selector.items() <= labels.items():
            yield service


def _keys(selector: Selector) -> frozenset[str]:
    """Return the labels of which none may be missing."""
    expressions = selector.get("matchExpressions") or ()
    return frozenset(selector.get("matchLabels") or ()) | {
        e["key"] for e in expressions if e["operator"] in _CAN_BE_BROKEN
    }


def _fewest(selectors: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return labels, few of them, of which every selector misses one. Raises `Refused` (NoLabel)."""
    gone: set[str] = set()
    while left := [keys for keys in selectors if not keys & gone]:
        if not all(left):
            raise Refused("NoLabel", "it is selected by no label that could be taken away")
        counts = Counter(key for keys in left for key in keys)
        gone.add(min(counts, key=lambda key: (-counts[key], key)))
    return frozenset(gone)


def _lifts(policy: Mapping[str, Any], labels: Labels, gone: frozenset[str]) -> bool:
    """Tell whether the policy may hold the pod now, and not without these labels; of expressions the worst is taken."""
    selector = policy["spec"].get("podSelector") or {}
    return (selector.get("matchLabels") or {}).items() <= labels.items() and bool(_keys(selector) & gone)


def _effects(pod: Pod, labels: Labels, gone: frozenset[str], remediation: str) -> tuple[Any, Any]:
    paths = {key: f"/metadata/labels/{key.replace('~', '~0').replace('/', '~1')}" for key in (*gone, QUARANTINE_LABEL)}
    mark = paths[QUARANTINE_LABEL]
    forward = (*(remove(paths[key]) for key in sorted(gone)), add(mark, remediation))
    inverse = (*(add(paths[key], labels[key]) for key in sorted(gone)), remove(mark))
    return effect(pod, forward), effect(pod, inverse)


def _summary(world: World, pod: Pod, services: Sequence[str], lifted: Sequence[str]) -> str:
    out = f"and of Service {', '.join(services)}" if services else "(no Service selects it)"
    held = f"; NetworkPolicy {', '.join(lifted)} holds it no more" if lifted else ""
    back = "if undone it is adopted again, and one pod too many is deleted"
    target = f"{world.target['kind']} {world.target['metadata']['name']}"
    return f"Take pod {pod_name(pod)} out of {target}, which makes another one, {out}, and keep it{held}; {back}"[:1000]


def _named(live: Mapping[str, Any]) -> str:
    return str(live["metadata"]["name"])


QUARANTINE_POD = Action(
    name="quarantine-pod",
    summary="Take the one pod that is not ready out of its Services and its controller, and keep it to be looked at",
    kinds=frozenset({"Deployment"}),
    params=QuarantinePodParams,
    rules=(
        Rule("", ("pods",), ("get", "list", "patch")),
        Rule("", ("services",), ("list",)),
        Rule("apps", ("replicasets", "controllerrevisions"), ("list",)),
        Rule("networking.k8s.io", ("networkpolicies",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Undo",
    looks_at=(NETWORK_POLICY,),
)
