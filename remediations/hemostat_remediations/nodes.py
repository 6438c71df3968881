"""What the actions on nodes have in common: that a node takes new pods or none, and whom they may be about."""

from collections.abc import Mapping
from typing import Any

from hemostat.action.contract import Rule, World, add, effect, remove
from hemostat.api.identity import ACT, NODES_ROLE
from hemostat.api.remediation import PlanStep
from hemostat.errors import Refused

Node = Mapping[str, Any]
RULES = (Rule("", ("nodes",), ("get", "list", "patch")),)
"""Bound apart, by a ClusterRoleBinding; an admission policy holds it to spec.unschedulable."""
_UNSCHEDULABLE = "/spec/unschedulable"


def live_node(world: World, name: str) -> Node:
    """Return the node of that name. Raises `Refused` (NodesNotGranted, NodeGone)."""
    if world.nodes is None:
        raise Refused("NodesNotGranted", f"bind ClusterRole {NODES_ROLE} to {ACT} by a ClusterRoleBinding")
    for node in world.nodes:
        if node["metadata"]["name"] == name:
            return {"apiVersion": "v1", "kind": "Node", **node}
    raise Refused("NodeGone", f"node {name} is gone")


def is_cordoned(node: Node) -> bool:
    """Tell whether the node takes no new pods."""
    return bool(node.get("spec", {}).get("unschedulable"))


def cordoning(node: Node) -> PlanStep:
    """Return the step after which the node takes no new pods, and what undoes it."""
    cordon, uncordon = (effect(node, (op,)) for op in (add(_UNSCHEDULABLE, True), remove(_UNSCHEDULABLE)))
    return PlanStep(forward=cordon, inverse=uncordon)


def uncordoning(node: Node) -> PlanStep:
    """Return the step after which the node takes new pods again, and what undoes it."""
    step = cordoning(node)
    assert step.inverse is not None
    return PlanStep(forward=step.inverse, inverse=step.forward)
