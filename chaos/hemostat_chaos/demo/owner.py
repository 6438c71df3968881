"""The proof that Hemostat lets go: the owner's next apply needs no force (shell around a pure check)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat.errors import Refused
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.owned import OWNER, managers
from hemostat_chaos.experiment.world import World

EXPECTED = frozenset({OWNER, "kube-controller-manager"})
"""Who may have a say in a Deployment of the shop: its owner, and the controller for the status."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of the owner's apply."""

    workload: str
    ok: bool
    message: str

    def report(self) -> dict[str, object]:
        """Return it for report.json."""
        return {"workload": self.workload, "ok": self.ok, "message": self.message}


def left_behind(live: Mapping[str, Any]) -> Sequence[str]:
    """Return field managers that should have gone (pure)."""
    return [name for name in managers(live) if name not in EXPECTED]


def prove(kubectl: Kubectl, world: World, shop: str, workload: str) -> Proof:
    """Apply the shop as its owner does, without --force-conflicts, and look at who owns the workload's fields."""
    before = world.deployment(workload)
    try:
        kubectl("apply", "--server-side", "-k", shop)
    except Refused as error:
        return Proof(workload, ok=False, message=f"the owner's apply was refused: {error}")
    after = world.deployment(workload)
    rest = left_behind(after)
    if rest:
        return Proof(workload, ok=False, message=f"{', '.join(rest)} still own(s) fields of {workload}")
    old, new = (d["spec"].get("replicas", 1) for d in (before, after))
    said = f"; it puts the replicas back from {old} to {new}" if old != new else "; nothing changes by it"
    return Proof(workload, ok=True, message=f"needs no --force-conflicts{said}")
