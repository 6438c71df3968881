"""`set-resources`: raise or lower what a container requests and is limited to, of cpu or memory, by percent.

Requests and limits move together, so that the quality of service stays what it is and the scheduler knows. It is done
in the template: every pod is replaced. Of what is done in place (the pods' `resize` subresource) the next pod knows
nothing.
"""

from collections.abc import Mapping
from copy import deepcopy
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, effect, once, replace, unified_diff
from hemostat.errors import Refused
from hemostat.signals.workload.surroundings import amount
from hemostat_remediations.revisions import KINDS, rolls, size

MI = 1024 * 1024
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
Json = Mapping[str, Any]


class ResourceParams(Params):
    """What to change, how far, and within which bounds."""

    resource: Literal["cpu", "memory"] = "memory"
    """Which of them."""
    most: Annotated[str, Field(max_length=20, pattern=f"^$|{QUANTITY}")] = ""
    """Never more than this, for example 1500m or 4Gi; empty: 2 cpus, 2Gi of memory."""
    least: Annotated[str, Field(max_length=20, pattern=QUANTITY)] = "1m"
    """Never less than this."""
    factor_percent: Annotated[int, Field(ge=10, le=400)] = 150
    """New amount as a percentage of the present one, rounded towards that; below 100 less."""
    container: Annotated[str, Field(max_length=63)] = ""
    """Name of the container; empty: the only one."""

    @property
    def limit(self) -> str:
        """The most, where it is not said: what suits most containers."""
        return self.most or {"cpu": "2", "memory": "2Gi"}[self.resource]


def plan(world: World, params: ResourceParams) -> Draft:
    """Plan to give one container of every pod more or less. Raises `Refused` where that changes nothing."""
    target = world.target
    rolls(target)
    present = target["spec"]["template"]
    template = deepcopy(dict(present))
    container = _container(template, params.container)
    before = _stated(container, params.resource)
    after = {part: _moved(found, params) for part, found in before.items()}
    if after == before:
        raise Refused(
            "AtMaximum" if params.factor_percent >= 100 else "AtMinimum",
            f"container {container['name']} has {_said(before)} of {params.resource} already "
            f"(least {params.least}, most {params.limit})",
        )
    for part, value in after.items():
        container["resources"][part][params.resource] = value
    what = f"{target['kind']} {target['metadata']['name']}"
    return Draft(
        summary=f"Give container {container['name']} of {what} {_said(after)} of {params.resource} instead of "
        f"{_said(before)}; its {size(target)} pods are replaced",
        steps=once(*(effect(target, (replace("/spec/template", t),)) for t in (template, present))),
        diff=unified_diff(present, template, f"{what.replace(' ', '/')} spec.template"),
        replaced_pods=size(target),
        replicas_after=size(target),
        reads={"template": present},
    )


def _container(template: Json, name: str) -> dict[str, Any]:
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    found = [c for c in containers if name in ("", c["name"])]
    if len(found) == 1:
        return found[0]
    names = ", ".join(c["name"] for c in containers)
    raise Refused("WhichContainer", f"there are containers {names}: the parameter container must name one of them")


def _stated(container: Json, resource: str) -> dict[str, str]:
    """Return what the container requests and is limited to, as far as it says so."""
    found = container.get("resources") or {}
    stated = {part: found[part][resource] for part in ("requests", "limits") if resource in (found.get(part) or {})}
    if not stated:
        raise Refused("NotStated", f"container {container['name']} states no {resource}: there is nothing to multiply")
    return stated


def _moved(text: str, params: ResourceParams) -> str:
    """Return the new amount; what lies outside the bounds already moves no further out, and not back either."""
    now, least, most = (amount(t) for t in (text, params.least, params.limit))
    if now is None or least is None or most is None:
        raise Refused("BadQuantity", f"{text} of {params.resource} cannot be understood")
    wanted = now * params.factor_percent / 100
    bounded = min(wanted, max(most, now)) if wanted > now else max(wanted, min(least, now))
    moved = canonical(bounded, params.resource, ROUND_FLOOR if bounded > now else ROUND_CEILING)
    reached = amount(moved)
    assert reached is not None
    return moved if (reached > now) == (wanted > now) and reached != now else text


def canonical(value: Decimal, resource: str, rounding: str) -> str:
    """Return an amount as the API server writes it: whole thousandths of a cpu, whole MiB, the largest unit that fits.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    if resource == "cpu":
        step, units, number = 1000, ("m", "", "k", "M"), value * 1000
    else:
        step, units, number = 1024, ("Mi", "Gi", "Ti", "Pi"), value / MI
    whole = max(1, int(number.to_integral_value(rounding)))
    unit = 0
    while whole % step == 0 and unit < len(units) - 1:
        whole, unit = whole // step, unit + 1
    return f"{whole}{units[unit]}"


def _said(stated: Mapping[str, str]) -> str:
    return " and ".join(f"{part} {value}" for part, value in stated.items())


SET_RESOURCES = Action(
    name="set-resources",
    summary="Raise or lower a container's cpu or memory within bounds",
    kinds=KINDS,
    params=ResourceParams,
    rules=(Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("patch",)),),
    plan=plan,
    on_ineffective="Undo",
)
