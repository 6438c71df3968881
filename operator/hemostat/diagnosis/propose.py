"""From a diagnosis to the next Remediation of the Runbook (pure)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hemostat.api.incident import Incident
from hemostat.api.meta import LocalRef, find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, Remediation, RemediationSpec
from hemostat.api.runbook import Runbook
from hemostat.signals.correlate import MAX_RETURNS, openings

MAX_ATTEMPTS = 5
"""How often one step is proposed again after the target drifted."""
AGAIN = frozenset({"Drifted"})
UNFIT = frozenset(
    {
        *("NoGuard", "NotInstalled", "NoWorkload", "SameWorkload", "SharedIdentity", "NoDeadlock", "WhichPod"),
        *("NoService", "NoAdminKey", "NoKey", "NoTask", "WhichTask", "TaskNotCancelable", "Unreachable"),
    }
)
"""The action does not fit this namespace or this trouble: it was refused before anything was done."""
NEXT = frozenset({"Ineffective"}) | UNFIT
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
    """InProgress, Healed, Exhausted, PersonNeeded, Flapping."""
    message: str


def propose(
    incident: Incident, runbook: Runbook, confidence: int, done: Sequence[Remediation], requester: str
) -> Proposal | NothingToPropose:
    """Return the next remediation of the runbook, given those that were already proposed for the incident.

    After a reopening the next one after that which seemed to heal it, and after too many of them a person.
    """
    opening = openings(incident)
    if opening > MAX_RETURNS:
        return NothingToPropose("Flapping", f"the trouble came back {opening} times; what was done does not last")
    at_work = next((r for r in done if r.spec.opening == opening and not is_true(r.status.conditions, FINISHED)), None)
    if at_work is not None:
        return NothingToPropose("InProgress", f"{at_work.metadata.name} is not finished")
    own = [r for r in done if r.spec.runbook_ref.name == runbook.metadata.name]
    suffix = _suffix(runbook) if len(own) < len(done) else ""
    ordered = sorted(own, key=lambda r: (r.spec.opening, r.spec.step, r.spec.attempt))
    if not ordered or ordered[-1].spec.opening < opening:
        return _proposal(incident, runbook, confidence, _first_step(runbook, ordered), 1, requester, suffix)
    last = ordered[-1]
    finished = find(last.status.conditions, FINISHED)
    assert finished is not None  # else it is at work
    if finished.reason in AGAIN and last.spec.attempt < MAX_ATTEMPTS:
        return _proposal(incident, runbook, confidence, last.spec.step, last.spec.attempt + 1, requester, suffix)
    if finished.reason in NEXT:
        if last.spec.step + 1 < len(runbook.spec.remediations):
            return _proposal(incident, runbook, confidence, last.spec.step + 1, 1, requester, suffix)
        return NothingToPropose("Exhausted", f"every remediation of {runbook.metadata.name} was tried")
    if finished.reason == "Healed":
        return NothingToPropose("Healed", f"{last.metadata.name} healed it")
    return NothingToPropose("PersonNeeded", f"{last.metadata.name} ended as {finished.reason}: {finished.message}")


def may_choose_again(incident: Incident, done: Sequence[Remediation]) -> bool:
    """Tell whether another Runbook may be chosen: nothing is at work or was of effect, and no person said no."""
    return all(_in_vain(r) for r in done if r.spec.opening == openings(incident))


def _in_vain(remediation: Remediation) -> bool:
    conditions = remediation.status.conditions
    finished = find(conditions, FINISHED)
    if finished is None or not is_true(conditions, FINISHED) or finished.reason == "DeniedByPerson":
        return False
    return finished.reason == "Ineffective" or not is_true(conditions, APPLIED)


def _suffix(runbook: Runbook) -> str:
    """Keep the names of one Runbook's remediations apart from another's of the same Incident."""
    return "-" + hashlib.sha256(runbook.metadata.name.encode()).hexdigest()[:5]


def _first_step(runbook: Runbook, before: Sequence[Remediation]) -> int:
    """Return where to begin: after what healed only for a while, if there is more to try."""
    healed = [r.spec.step for r in before if (f := find(r.status.conditions, FINISHED)) and f.reason == "Healed"]
    return min(max(healed, default=-1) + 1, len(runbook.spec.remediations) - 1)


def _proposal(
    incident: Incident, runbook: Runbook, confidence: int, step: int, attempt: int, requester: str, suffix: str
) -> Proposal:
    chosen = runbook.spec.remediations[step]
    opening = openings(incident)
    end = f"{chosen.action}-{step}-{attempt}" + (f"-o{opening}" if opening else "") + suffix
    return Proposal(
        name=f"{incident.metadata.name[: 252 - len(end)]}-{end}",
        spec=RemediationSpec(
            incident_ref=LocalRef(name=incident.metadata.name, uid=incident.metadata.uid),
            runbook_ref=LocalRef(name=runbook.metadata.name, uid=runbook.metadata.uid),
            step=step,
            attempt=attempt,
            opening=opening,
            action=chosen.action,
            target_ref=incident.spec.target_ref,
            parameters=chosen.parameters,
            requested_by=requester,
            confidence_percent=confidence,
        ),
    )
