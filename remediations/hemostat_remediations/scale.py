"""`scale`: change a Deployment's number of replicas, by the knob that owns it.

Where a HorizontalPodAutoscaler owns the replicas they are not fought over: the plan is refused and a person decides
(moving minReplicas belongs to an action of its own).
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, effect, once, replace, unified_diff
from hemostat.errors import Refused


class ScaleParams(Params):
    """How far to scale."""

    factor_percent: Annotated[int, Field(ge=110, le=400)] = 200
    """New number of replicas as a percentage of the present one, rounded up."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 10
    """Never more than this."""


def plan(world: World, params: ScaleParams) -> Draft:
    """Plan to multiply the replicas."""
    target = world.target
    name = target["metadata"]["name"]
    if world.scalers:
        owner = world.scalers[0]["metadata"]["name"]
        raise Refused("OwnedByAutoscaler", f"HorizontalPodAutoscaler {owner} owns the replicas of {name}")
    now = int(target["spec"].get("replicas", 1))
    if now == 0:
        raise Refused("ScaledToZero", f"Deployment {name} has 0 replicas: somebody turned it off")
    wanted = min(params.max_replicas, -(-now * params.factor_percent // 100))
    if wanted <= now:
        raise Refused("AtMaximum", f"Deployment {name} already has {now} replicas (maxReplicas {params.max_replicas})")
    return _draft(target, now, wanted)


def _draft(target: Mapping[str, Any], now: int, wanted: int) -> Draft:
    name = target["metadata"]["name"]
    return Draft(
        summary=f"Scale Deployment {name} from {now} to {wanted} replicas",
        steps=once(*(effect(target, (replace("/spec/replicas", n),), "scale") for n in (wanted, now))),
        diff=unified_diff({"replicas": now}, {"replicas": wanted}, f"Deployment/{name} spec"),
        replaced_pods=0,
        replicas_after=wanted,
        reads={"replicas": now},
    )


SCALE = Action(
    name="scale",
    summary="Multiply a Deployment's replicas",
    kinds=frozenset({"Deployment"}),
    params=ScaleParams,
    rules=(
        Rule("apps", ("deployments/scale",), ("get", "patch")),
        Rule("autoscaling", ("horizontalpodautoscalers",), ("list",)),
    ),
    plan=plan,
    on_ineffective="Undo",
)
