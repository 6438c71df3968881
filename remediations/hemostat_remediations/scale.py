"""`scale`: change how many replicas a workload has, out or in, by the knob that owns them.

Where an autoscaler (HorizontalPodAutoscaler, or KEDA's ScaledObject) owns the replicas, its bounds move instead. Out:
the most, where it is at its most already and would go on by itself; else the least, for its metrics do not show the
trouble. In: the most, and the least with it where that is higher.
"""

from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, World, effect, once, replace, unified_diff
from hemostat.errors import Refused
from hemostat_remediations.knobs import RULES, SCALED_OBJECT, Autoscaler, autoscaler_of


class ScaleParams(Params):
    """How far to scale."""

    factor_percent: Annotated[int, Field(ge=10, le=400)] = 200
    """New number of replicas as a percentage of the present one; below 100 fewer. Rounded up, and down for fewer."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 10
    """Never more than this."""
    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Never fewer than this."""


def plan(world: World, params: ScaleParams) -> Draft:
    """Plan to multiply the replicas."""
    target = world.target
    what = f"{target['kind']} {target['metadata']['name']}"
    now = int(target["spec"].get("replicas", 1))
    if now == 0:
        raise Refused("ScaledToZero", f"{what} has 0 replicas: somebody turned it off")
    wanted = _wanted(what, now, params)
    kept = (target["spec"].get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled", "Retain")
    if wanted < now and kept == "Delete":
        raise Refused("DeletesVolumes", f"{what} deletes the volumes of pods that it scales away (whenScaled: Delete)")
    scaler = autoscaler_of(world)
    return _directly(world, now, wanted) if scaler is None else _by_bounds(scaler, what, now, wanted)


def _wanted(what: str, now: int, params: ScaleParams) -> int:
    if params.factor_percent < 100:
        wanted = max(params.min_replicas, now * params.factor_percent // 100)
        if wanted >= now:
            raise Refused("AtMinimum", f"{what} already has {now} replicas (minReplicas {params.min_replicas})")
        return wanted
    wanted = min(params.max_replicas, -(-now * params.factor_percent // 100))
    if wanted <= now:
        raise Refused("AtMaximum", f"{what} already has {now} replicas (maxReplicas {params.max_replicas})")
    return wanted


def _directly(world: World, now: int, wanted: int) -> Draft:
    target = world.target
    what = f"{target['kind']} {target['metadata']['name']}"
    return Draft(
        summary=f"Scale {what} from {now} to {wanted} replicas",
        steps=once(*(effect(target, (replace("/spec/replicas", n),), "scale") for n in (wanted, now))),
        diff=unified_diff({"replicas": now}, {"replicas": wanted}, f"{what.replace(' ', '/')} spec"),
        replaced_pods=max(0, now - wanted),
        replicas_after=wanted,
        reads={"replicas": now},
    )


def _by_bounds(scaler: Autoscaler, what: str, now: int, wanted: int) -> Draft:
    least, most = scaler.bounds
    after = _bounds(least, most, now, wanted)
    if after == (least, most):
        raise Refused("WithinBounds", f"{scaler.name} may scale {what} from {least} to {most}: that is enough already")
    before: dict[str, Any] = {scaler.least: least, scaler.most: most}
    return Draft(
        summary=f"Let {scaler.name} scale {what}, which has {now} replicas, from {after[0]} to {after[1]} instead of "
        f"from {least} to {most}",
        steps=once(*scaler.moved(*after)),
        diff=unified_diff(before, {scaler.least: after[0], scaler.most: after[1]}, f"{scaler.name} spec"),
        replaced_pods=max(0, now - wanted),
        replicas_after=wanted,
        reads={"replicas": now, "bounds": before},
    )


def _bounds(least: int, most: int, now: int, wanted: int) -> tuple[int, int]:
    if wanted < now:
        return min(least, wanted), min(most, wanted)
    if now >= most:
        return least, wanted
    return max(least, wanted), max(most, wanted)


SCALE = Action(
    name="scale",
    summary="Multiply a workload's replicas, out or in, by the knob that owns them",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=ScaleParams,
    rules=RULES,
    plan=plan,
    on_ineffective="Undo",
    looks_at=(SCALED_OBJECT,),
)
