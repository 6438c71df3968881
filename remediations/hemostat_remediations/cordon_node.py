"""`cordon-node` and `uncordon-node`: a node takes no new pods any more, or takes them again. What runs there stays.

Their target is the Node itself, of a Watch that looks at it; a workload whose pods are ready everywhere but on one node
has `move-off-node`. What belongs to the whole cluster is decided by a person, and by one who may do it himself. A
broken node stays cordoned though that alone does not mend it; undone is what made it worse.
"""

from hemostat.action.contract import Action, Draft, Params, World
from hemostat.api.remediation import PlanStep
from hemostat.errors import Refused
from hemostat_remediations.nodes import RULES, Node, cordoning, is_cordoned, uncordoning
from hemostat_remediations.pods import is_ready


class NodeParams(Params):
    """None: the node is the target."""


def plan_cordon(world: World, params: NodeParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to let no new pods onto the node."""
    node = world.target
    if is_cordoned(node):
        raise Refused("AlreadyCordoned", f"Node {_name(node)} takes no new pods already: that is somebody else's doing")
    summary = f"Cordon Node {_name(node)}: it takes no new pods; those that run there stay"
    return _draft(node, cordoning(node), summary, "+ spec.unschedulable: true")


def plan_uncordon(world: World, params: NodeParams) -> Draft:  # noqa: ARG001 - every plan has this form
    """Plan to let pods onto the node again, if it is ready."""
    node = world.target
    if not is_cordoned(node):
        raise Refused("NotCordoned", f"Node {_name(node)} takes new pods already")
    if not is_ready(node):
        raise Refused("NodeNotReady", f"Node {_name(node)} is not ready: it stays cordoned")
    return _draft(
        node,
        uncordoning(node),
        f"Uncordon Node {_name(node)}: it is ready, and takes new pods again",
        "- spec.unschedulable: true",
    )


def _draft(node: Node, step: PlanStep, summary: str, diff: str) -> Draft:
    return Draft(
        summary=summary,
        steps=(step,),
        diff=f"{diff} (Node/{_name(node)})",
        replaced_pods=0,
        replicas_after=0,
        reads={"node": node["metadata"]["uid"], "cordoned": is_cordoned(node)},
    )


def _name(node: Node) -> str:
    return str(node["metadata"]["name"])


CORDON_NODE = Action(
    name="cordon-node",
    summary="Let no new pods onto a node",
    kinds=frozenset({"Node"}),
    params=NodeParams,
    rules=(),
    plan=plan_cordon,
    on_ineffective="Keep",
    cluster_rules=RULES,
)
UNCORDON_NODE = Action(
    name="uncordon-node",
    summary="Let pods onto a cordoned node again that is ready",
    kinds=frozenset({"Node"}),
    params=NodeParams,
    rules=(),
    plan=plan_uncordon,
    on_ineffective="Undo",
    cluster_rules=RULES,
)
