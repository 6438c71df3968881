"""`cut-network`: for a while one agent's pods cannot reach another's (NetworkPolicy). The last resort.

A NetworkPolicy can only allow, and all of them add up: "everybody but these" is the nearest it can come to a denial.
What it cannot do, so that it is refused or must be known: where another policy selects the same pods it would open what
that one closes (refused); traffic from outside the cluster and from nodes is shut out too for the time; connections
that stand may go on, as the network plug-in pleases; without a plug-in that enforces policies nothing happens at all.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Mapping
from typing import Any

from hemostat.action.contract import Action, Draft, Rule, World
from hemostat.errors import Refused
from hemostat_remediations.edges import EdgeParams, drafted, edge, known, pod_labels

KIND = ("networking.k8s.io/v1", "NetworkPolicy")
NAMESPACE_NAME = "kubernetes.io/metadata.name"


def plan(world: World, params: EdgeParams) -> Draft:
    """Plan to let everybody but the callers reach the callee's pods."""
    found = edge(world, params)
    labels = pod_labels(found.callee)
    _alone(world, found.callee)
    if len(found.callers) > 1:
        raise Refused("TooMany", f"a NetworkPolicy cannot leave out several callers: {found.name}")
    namespace = world.target["metadata"]["namespace"]
    elsewhere = {"matchExpressions": [{"key": NAMESPACE_NAME, "operator": "NotIn", "values": [namespace]}]}
    # Not (a and b) is (not a) or (not b): one peer for each label of the caller.
    others = [
        {"podSelector": {"matchExpressions": [{"key": key, "operator": "NotIn", "values": [value]}]}}
        for key, value in sorted(pod_labels(found.callers[0]).items())
    ]
    spec = {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [*others, {"namespaceSelector": elsewhere}]}],
    }
    summary = (
        f"Cut the network {found.name} for {params.hold_seconds} s; meanwhile nobody outside the cluster reaches "
        f"{found.callee['metadata']['name']} ({found.why})"
    )
    return drafted(world, KIND, summary, spec, {"spec": spec}, params.hold_seconds)


def _alone(world: World, callee: Mapping[str, Any]) -> None:
    """Refuse where another policy selects the callee's pods: ours would open what that one closes."""
    labels = callee["spec"]["template"]["metadata"].get("labels", {})
    for policy in known(world, KIND[1], "networking.k8s.io/v1"):
        spec = policy["spec"]
        if "Ingress" in spec.get("policyTypes", ["Ingress"]) and _selects(spec.get("podSelector", {}), labels):
            name = policy["metadata"]["name"]
            raise Refused(
                "AlreadyRestricted",
                f"NetworkPolicy {name} says already who may reach {callee['metadata']['name']}; policies add up, so "
                "one more could only open what it closes: change that one by hand",
            )


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector may select pods with these labels; expressions are taken to."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


CUT_NETWORK = Action(
    name="cut-network",
    summary="Keep one agent's pods from reaching another's for a time (NetworkPolicy; the last resort)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=EdgeParams,
    rules=(
        Rule("networking.k8s.io", ("networkpolicies",), ("get", "list", "create", "delete")),
        Rule("apps", ("deployments",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Undo",
    creates=KIND,
)
