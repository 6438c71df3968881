"""Who says how many replicas a workload has, and by which fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemostat.action.contract import Rule, World, add, effect, remove, replace
from hemostat.api.remediation import Effect, PatchOp
from hemostat.errors import Refused

Json = Mapping[str, Any]
SCALED_OBJECT = ("keda.sh/v1alpha1", "ScaledObject")
PAUSED = ("autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas")
RULES = (
    Rule("apps", ("deployments", "statefulsets"), ("patch",)),  # to let go of the fields, which /scale cannot
    Rule("apps", ("deployments/scale", "statefulsets/scale"), ("get", "patch")),
    Rule("autoscaling", ("horizontalpodautoscalers",), ("get", "list", "patch")),
    Rule("keda.sh", ("scaledobjects",), ("get", "list", "patch")),
)


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """An object that bounds the replicas of a workload."""

    live: Json
    least: str
    most: str
    """Names of its fields."""
    least_unless_told: int
    most_unless_told: int

    @property
    def name(self) -> str:
        """Kind and name."""
        return f"{self.live['kind']} {self.live['metadata']['name']}"

    @property
    def bounds(self) -> tuple[int, int]:
        """Fewest and most replicas."""
        spec = self.live["spec"]
        return int(spec.get(self.least, self.least_unless_told)), int(spec.get(self.most, self.most_unless_told))

    def moved(self, least: int, most: int) -> tuple[Effect, Effect]:
        """Return the write of new bounds, and what undoes it; of a field that is not there, its removal."""
        forward: list[PatchOp] = []
        inverse: list[PatchOp] = []
        spec, before = self.live["spec"], self.bounds
        for name, old, new in ((self.least, before[0], least), (self.most, before[1], most)):
            if new == old:
                continue
            path = f"/spec/{name}"
            forward.append(replace(path, new) if name in spec else add(path, new))
            inverse.append(replace(path, old) if name in spec else remove(path))
        return effect(self.live, tuple(forward)), effect(self.live, tuple(inverse))


def autoscaler_of(world: World) -> Autoscaler | None:
    """Return what owns the target's replicas; None: the target itself.

    Where KEDA made the HorizontalPodAutoscaler, its ScaledObject is the knob: the other would be put back. Raises
    `Refused` (AutoscalerPaused, ManyAutoscalers).
    """
    wanted = (world.target["kind"], world.target["metadata"]["name"])
    scaled = [o for o in world.others.get(SCALED_OBJECT[1], ()) if _scales(o) == wanted]
    known = {o["metadata"]["uid"] for o in scaled}
    plain = [
        s
        for s in world.scalers
        if not any(r["uid"] in known for r in s["metadata"].get("ownerReferences") or () if r.get("controller"))
    ]
    if len(scaled) + len(plain) > 1:
        names = ", ".join(sorted(f"{o['kind']} {o['metadata']['name']}" for o in (*scaled, *plain)))
        raise Refused("ManyAutoscalers", f"{wanted[0]} {wanted[1]} is scaled by {names}, which fight: leave it one")
    if plain:
        return Autoscaler(plain[0], "minReplicas", "maxReplicas", 1, 1)
    if not scaled:
        return None
    if any(note in (scaled[0]["metadata"].get("annotations") or {}) for note in PAUSED):
        raise Refused("AutoscalerPaused", f"ScaledObject {scaled[0]['metadata']['name']} is paused by an annotation")
    return Autoscaler(scaled[0], "minReplicaCount", "maxReplicaCount", 0, 100)


def _scales(scaled: Json) -> tuple[str, str]:
    """Return kind and name of what a ScaledObject scales.

    https://keda.sh/docs/latest/reference/scaledobject-spec/#scaletargetref
    """
    ref = scaled.get("spec", {}).get("scaleTargetRef") or {}
    return ref.get("kind") or "Deployment", ref.get("name", "")
