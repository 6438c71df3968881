"""What a fault is to the runner, whatever its kind; and the kind that a deploy pipeline would bring about (shell)."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

from hemostat.api.chaosexperiment import ChaosExperiment, Rollout
from hemostat.api.incident import Incident
from hemostat.kube import Conflict
from hemostat_chaos.experiment.fault import changed, describe
from hemostat_chaos.experiment.owned import applied_manifest
from hemostat_chaos.experiment.verdict import Finding
from hemostat_chaos.experiment.world import World

Json = dict[str, Any]
RESTORED = "Restored"


class Injection(Protocol):
    """One fault of one run."""

    def begin(self) -> None:
        """Inject it."""
        ...

    @property
    def said(self) -> str:
        """What was done, as a sentence without a full stop."""
        ...

    def concerns(self, incident: Incident) -> bool:
        """Tell whether an Incident is about it."""
        ...

    def follow(self, applied: bool, /) -> Finding | None:
        """Look at what the fault does to whom it hits; return what must come of that, if anything must.

        :param applied: whether an action was taken already.
        """
        ...

    def end(self) -> tuple[str, str]:
        """Take it back; return a reason, Restored unless somebody was in the way, and what was done."""
        ...


@dataclass(frozen=True, slots=True)
class RolloutInjection:
    """A bad revision of the target, rolled out by its owner."""

    world: World
    watch: str
    rollout: Rollout
    original: Json
    faulty: Json

    @classmethod
    def prepare(cls, world: World, experiment: ChaosExperiment, rollout: Rollout) -> Self:
        """Read what is to be changed. `Refused` when that was not applied by its owner, or nothing would change."""
        original = applied_manifest(world.deployment(experiment.spec.target.name))
        return cls(world, experiment.spec.watch, rollout, original, changed(original, rollout))

    def begin(self) -> None:
        """Apply the faulty manifest."""
        self.world.apply_as_owner(self.faulty)

    @property
    def said(self) -> str:
        """Who rolls out what."""
        return f"the owner rolls out {self._name} with {describe(self.rollout)}"

    @property
    def _name(self) -> str:
        return str(self.original["metadata"]["name"])

    def concerns(self, incident: Incident) -> bool:
        """The Watch of the experiment must notice."""
        return incident.spec.watch_ref.name == self.watch

    def follow(self, _applied: bool, /) -> Finding | None:
        """What must come of it the Incident shows."""
        return None

    def end(self) -> tuple[str, str]:
        """Apply the original manifest, by force only if it must be."""
        try:
            self.world.apply_as_owner(self.original)
        except Conflict as error:
            self.world.apply_as_owner(self.original, force=True)
            return "Forced", f"applies the original {self._name} again, and has to force it: {error}"
        return RESTORED, f"applies the original {self._name} again; no conflict"
