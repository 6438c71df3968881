"""From a diagnosis to the next Remediation of the Runbook (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hemostat.api.incident import Incident
from hemostat.api.meta import LocalRef, find, is_true
from hemostat.api.remediation import FINISHED, Remediation, RemediationSpec
from hemostat.api.runbook import Runbook

MAX_ATTEMPTS = 5
"""How often one step is proposed again after the target drifted."""
AGAIN = frozenset({"Drifted"})
NEXT = frozenset({"Ineffective"})
"""Outcomes after which the Runbook's next remediation is proposed. After every other one a person decides."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A Remediation that should exist. Its name is a function of what it says, so creating it is idempotent."""

    name: str
    spec: RemediationSpec


@dataclass(frozen=True, slots=True)
class NothingToPropose:
    """Why there is nothing (more) to propose."""

    reason: str
    """InProgress, Healed, Exhausted, PersonNeeded."""
    message: str


def propose(
    incident: Incident, runbook: Runbook, confidence: int, done: Sequence[Remediation], requester: str
) -> Proposal | NothingToPropose:
    """Return the next remediation of the runbook, given those that were already proposed for the incident."""
    ordered = sorted(done, key=lambda r: (r.spec.step, r.spec.attempt))
    if not ordered:
        return _proposal(incident, runbook, confidence, 0, 1, requester)
    last = ordered[-1]
    finished = find(last.status.conditions, FINISHED)
    if finished is None or not is_true(last.status.conditions, FINISHED):
        return NothingToPropose("InProgress", f"{last.metadata.name} is not finished")
    if finished.reason in AGAIN and last.spec.attempt < MAX_ATTEMPTS:
        return _proposal(incident, runbook, confidence, last.spec.step, last.spec.attempt + 1, requester)
    if finished.reason in NEXT:
        if last.spec.step + 1 < len(runbook.spec.remediations):
            return _proposal(incident, runbook, confidence, last.spec.step + 1, 1, requester)
        return NothingToPropose("Exhausted", f"every remediation of {runbook.metadata.name} was tried")
    if finished.reason == "Healed":
        return NothingToPropose("Healed", f"{last.metadata.name} healed it")
    return NothingToPropose("PersonNeeded", f"{last.metadata.name} ended as {finished.reason}: {finished.message}")


def _proposal(
    incident: Incident, runbook: Runbook, confidence: int, step: int, attempt: int, requester: str
) -> Proposal:
    chosen = runbook.spec.remediations[step]
    suffix = f"{chosen.action}-{step}-{attempt}"
    return Proposal(
        name=f"{incident.metadata.name[: 252 - len(suffix)]}-{suffix}",
        spec=RemediationSpec(
            incident_ref=LocalRef(name=incident.metadata.name, uid=incident.metadata.uid),
            runbook_ref=LocalRef(name=runbook.metadata.name, uid=runbook.metadata.uid),
            step=step,
            attempt=attempt,
            action=chosen.action,
            target_ref=incident.spec.target_ref,
            parameters=chosen.parameters,
            requested_by=requester,
            confidence_percent=confidence,
        ),
    )
