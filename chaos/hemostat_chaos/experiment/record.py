"""What is written down of a run: milestones, conditions, and the result as a report (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from hemostat.api import API_VERSION
from hemostat.api.chaosexperiment import ChaosExperiment, ChaosExperimentStatus, Milestone
from hemostat.api.meta import Condition, set_condition

STEADY, INJECTED, PASSED, CLEANED_UP = "SteadyState", "Injected", "Passed", "CleanedUp"

Json = dict[str, Any]


@dataclass(slots=True)
class Record:
    """The conditions and milestones of one run, as they come."""

    generation: int = 0
    conditions: tuple[Condition, ...] = ()
    milestones: list[Milestone] = field(default_factory=list)
    incident: str | None = None

    def begin(self, now: datetime) -> None:
        """Say that nothing is known yet."""
        for kind in (STEADY, INJECTED, PASSED, CLEANED_UP):
            self.set(kind, "Unknown", "NotYet", "", now)

    def set(self, kind: str, status: bool | Literal["Unknown"], reason: str, message: str, now: datetime) -> None:
        """Set a condition."""
        self.conditions = set_condition(self.conditions, kind, status, reason, message, now, self.generation)

    def reached(self, what: str, message: str, now: datetime) -> None:
        """Add a milestone; each is told once, at most fifty in all."""
        if len(self.milestones) < 50 and all(m.id != what for m in self.milestones):
            self.milestones.append(Milestone(id=what[:63], time=now, message=message[:1024]))

    def status(self, experiment: ChaosExperiment) -> Json:
        """Return the object to apply to the status subresource."""
        status = ChaosExperimentStatus(
            conditions=self.conditions, milestones=tuple(self.milestones), incident=self.incident
        )
        meta = {"name": experiment.metadata.name, "namespace": experiment.metadata.namespace}
        return {
            "apiVersion": API_VERSION,
            "kind": "ChaosExperiment",
            "metadata": meta,
            "status": status.wire(),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    name: str
    started: bool
    passed: bool
    message: str
    incident: str | None = None
    action: str | None = None
    time_to_detect_seconds: float | None = None
    time_to_see_seconds: float | None = None
    """From the injection until the Incident object could be read."""
    time_to_recover_seconds: float | None = None
    approved_by: str | None = None
    refused: str | None = None
    """What the API server told a person who may not approve."""
    clean_up: str = "NotNeeded"
    """Restored, Left, Forced (somebody else owned a field) or Failed."""
    timeline: Sequence[Json] = ()

    def report(self) -> Json:
        """Return it for report.json."""
        return {
            "name": self.name,
            "started": self.started,
            "passed": self.passed,
            "message": self.message,
            "incident": self.incident,
            "action": self.action,
            "time_to_detect_seconds": _rounded(self.time_to_detect_seconds),
            "time_to_see_seconds": _rounded(self.time_to_see_seconds),
            "time_to_recover_seconds": _rounded(self.time_to_recover_seconds),
            "approved_by": self.approved_by,
            "refused": self.refused,
            "clean_up": self.clean_up,
            "timeline": list(self.timeline),
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
