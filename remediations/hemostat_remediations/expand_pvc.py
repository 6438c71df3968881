"""`expand-pvc`: the claims of one volume of the target's pods are grown, before the disk is full.

Of each pod the claim that it mounts under that name. Only where the StorageClass allows it, and never while a claim is
being resized. A StatefulSet's template cannot be changed: pods that it makes later claim as little as before. No
volume can be shrunk, by Kubernetes or by anybody: nothing undoes it, so a person always decides.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any

from pydantic import Field

from hemostat.action.contract import Action, Draft, Params, Rule, World, effect, replace
from hemostat.api.remediation import MAX_STEPS, PlanStep
from hemostat.errors import Refused
from hemostat.signals.workload.surroundings import amount
from hemostat_remediations.pods import own_pods

Claim = Mapping[str, Any]
CLAIM, CLASS = ("v1", "PersistentVolumeClaim"), ("storage.k8s.io/v1", "StorageClass")
GIB = 2**30
_STORAGE = "/spec/resources/requests/storage"


class ExpandPvcParams(Params):
    """Which volume, and how far."""

    volume: Annotated[str, Field(max_length=63)] = ""
    """Name of the volume in the pod template, or of the volumeClaimTemplate; needed where the pods have several."""
    factor_percent: Annotated[int, Field(ge=110, le=300)] = 150
    """New size as a percentage of the present one, rounded up to whole GiB."""
    max_gib: Annotated[int, Field(ge=1, le=65536)] = 100
    """No claim is made larger than this."""


def plan(world: World, params: ExpandPvcParams) -> Draft:
    """Plan to grow the claims."""
    volume, names = _volume(world, params.volume)
    known = {claim["metadata"]["name"]: claim for claim in world.others.get("PersistentVolumeClaim", ())}
    claims = [known[name] for name in names if name in known]
    for claim in claims:
        _check(claim, world)
    sizes = {claim["metadata"]["name"]: (_size(claim), _wanted(claim, params)) for claim in claims}
    grown = [claim for claim in claims if sizes[claim["metadata"]["name"]][1] > sizes[claim["metadata"]["name"]][0]]
    if not grown:
        raise Refused(
            "AtMaximum", f"no claim of volume {volume} can be made larger than it is (maxGib {params.max_gib})"
        )
    if len(grown) > MAX_STEPS:
        raise Refused("TooMany", f"{len(grown)} claims are too many for a plan: grow them by hand")
    told = {name: f"{Decimal(now) / GIB:.4g}Gi -> {then // GIB}Gi" for name, (now, then) in sizes.items()}
    lines = [f"{c['metadata']['name']} {told[c['metadata']['name']]}" for c in grown]
    return Draft(
        summary=f"Grow {len(grown)} claims of volume {volume}, for good: {', '.join(lines)}"[:1000],
        steps=tuple(_step(claim, sizes[claim["metadata"]["name"]][1]) for claim in grown),
        diff="\n".join(f"~ PersistentVolumeClaim/{line}" for line in lines),
        replaced_pods=0,
        replicas_after=world.replicas,
        reads={"volume": volume, "sizes": {name: str(now) for name, (now, _) in sizes.items()}},
    )


def _volume(world: World, wanted: str) -> tuple[str, list[str]]:
    """Return the volume's name and the claims that stand behind it. Raises `Refused` (NoClaim, WhichVolume)."""
    found: dict[str, set[str]] = {}
    for volume, claim in _mounted(world):
        found.setdefault(volume, set()).add(claim)
    if (wanted and wanted not in found) or not found:
        raise Refused("NoClaim", f"no pod of the target mounts a claim{f' as {wanted}' if wanted else ''}")
    if not wanted and len(found) > 1:
        raise Refused("WhichVolume", f"its pods mount several claims: volume must be one of {', '.join(sorted(found))}")
    name = wanted or next(iter(found))
    return name, sorted(found[name])


def _mounted(world: World) -> Iterator[tuple[str, str]]:
    for pod in own_pods(world):
        for volume in pod["spec"].get("volumes") or ():
            if "persistentVolumeClaim" in volume:
                yield volume["name"], volume["persistentVolumeClaim"]["claimName"]


def _check(claim: Claim, world: World) -> None:
    """Raise `Refused` (NotBound, NotExpandable, Resizing) where it cannot be grown now."""
    name, spec, status = claim["metadata"]["name"], claim["spec"], claim.get("status", {})
    if status.get("phase") != "Bound":
        raise Refused("NotBound", f"PersistentVolumeClaim {name} is not bound")
    wanted = spec.get("storageClassName")
    classes = {c["metadata"]["name"]: c for c in world.others.get("StorageClass", ())}
    if not wanted or not classes.get(wanted, {}).get("allowVolumeExpansion"):
        raise Refused("NotExpandable", f"StorageClass {wanted or 'of no name'} of claim {name} allows no expansion")
    has = amount((status.get("capacity") or {}).get("storage", "x"))
    if has is None or has < _size(claim):
        raise Refused("Resizing", f"PersistentVolumeClaim {name} is being resized already: kubectl describe pvc {name}")


def _size(claim: Claim) -> int:
    """Return how many bytes are asked for."""
    size = amount(claim["spec"]["resources"]["requests"]["storage"])
    if size is None:
        raise Refused("NotExpandable", f"the size of claim {claim['metadata']['name']} cannot be read")
    return int(size)


def _wanted(claim: Claim, params: ExpandPvcParams) -> int:
    gib = (Decimal(_size(claim)) * params.factor_percent / 100 / GIB).to_integral_value(ROUND_CEILING)
    return min(int(gib), params.max_gib) * GIB


def _step(claim: Claim, wanted: int) -> PlanStep:
    live = {"apiVersion": CLAIM[0], "kind": CLAIM[1], **claim}
    return PlanStep(forward=effect(live, (replace(_STORAGE, f"{wanted // GIB}Gi"),)))


EXPAND_PVC = Action(
    name="expand-pvc",
    summary="Grow the claims of one volume of a workload's pods (irreversible)",
    kinds=frozenset({"Deployment", "StatefulSet"}),
    params=ExpandPvcParams,
    rules=(
        Rule("", ("persistentvolumeclaims",), ("get", "list", "patch")),
        Rule("", ("pods",), ("get", "list")),
        Rule("apps", ("replicasets", "controllerrevisions"), ("list",)),
    ),
    plan=plan,
    on_ineffective="Keep",
    irreversible="the size of the claims: no volume can be shrunk",
    looks_at=(CLAIM, CLASS),
)
