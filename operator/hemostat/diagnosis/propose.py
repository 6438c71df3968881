"""From a diagnosis to the next Remediation of the Runbook (pure)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hemostat.api.incident import Incident, Ranking
from hemostat.api.meta import LocalRef, find, is_true
from hemostat.api.remediation import FINISHED, Calibration, Remediation, RemediationSpec
from hemostat.api.runbook import Runbook
from hemostat.diagnosis.outcomes import Tried, tried
from hemostat.signals.correlate import MAX_RETURNS, openings

MAX_ATTEMPTS = 5
"""How often one step is proposed again after the target drifted."""
AGAIN = frozenset({"Drifted"})


class Confidence(NamedTuple):
    """How sure a diagnosis is, and what that was worth in the past."""

    percent: int
    calibration: Calibration | None = None
    ranking: Ranking = Ranking.TIED
    """Whether the matcher could order the Runbooks that match."""


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
    incident: Incident, runbook: Runbook, sure: Confidence, done: Sequence[Remediation], requester: str
) -> Proposal | NothingToPropose:
    """Return the next remediation of the runbook, given those that were already proposed for the incident.

    What was denied or in vain since the Incident was opened is left out, whichever Runbook it was proposed from. After
    a reopening the next one after that which seemed to heal it, and after too many of them a person. A Runbook that
    names none is a person's at once.
    """
    opening = openings(incident)
    if opening > MAX_RETURNS:
        return NothingToPropose("Flapping", f"the trouble came back {opening} times; what was done does not last")
    at_work = next((r for r in done if r.spec.opening == opening and not is_true(r.status.conditions, FINISHED)), None)
    if at_work is not None:
        return NothingToPropose("InProgress", f"{at_work.metadata.name} is not finished")
    if not runbook.spec.remediations:
        message = f"Runbook {runbook.metadata.name} names no remediation; its guidance says what to look at"
        return NothingToPropose("PersonNeeded", message)
    own = [r for r in done if r.spec.runbook_ref.name == runbook.metadata.name]
    new = _Next(incident, runbook, sure, requester, _suffix(runbook) if len(own) < len(done) else "")
    ordered = sorted(own, key=lambda r: (r.spec.opening, r.spec.step, r.spec.attempt))
    known = tried(incident, done)
    if not ordered or ordered[-1].spec.opening < opening:
        return _step_from(_first_step(runbook, ordered), known, new)
    last = ordered[-1]
    finished = find(last.status.conditions, FINISHED)
    assert finished is not None  # else it is at work
    if finished.reason in AGAIN and last.spec.attempt < MAX_ATTEMPTS:
        return new.proposal(last.spec.step, last.spec.attempt + 1)
    if last in known.over:
        return _step_from(last.spec.step + 1, known, new)
    if finished.reason == "Healed":
        return NothingToPropose("Healed", f"{last.metadata.name} healed it")
    return NothingToPropose("PersonNeeded", f"{last.metadata.name} ended as {finished.reason}: {finished.message}")


def _step_from(first: int, known: Tried, new: "_Next") -> Proposal | NothingToPropose:
    runbook = new.runbook
    steps = (i for i in range(first, len(runbook.spec.remediations)) if known.allows(runbook, i))
    step = next(steps, None)
    if step is None or runbook.metadata.name in known.spent([runbook]):
        return NothingToPropose("Exhausted", f"every remediation of {runbook.metadata.name} was tried")
    return new.proposal(step, 1)


def _suffix(runbook: Runbook) -> str:
    """Keep the names of one Runbook's remediations apart from another's of the same Incident."""
    return "-" + hashlib.sha256(runbook.metadata.name.encode()).hexdigest()[:5]


def _first_step(runbook: Runbook, before: Sequence[Remediation]) -> int:
    """Return where to begin: after what healed only for a while, if there is more to try."""
    healed = [r.spec.step for r in before if (f := find(r.status.conditions, FINISHED)) and f.reason == "Healed"]
    return min(max(healed, default=-1) + 1, len(runbook.spec.remediations) - 1)


@dataclass(frozen=True, slots=True)
class _Next:
    """What all proposals of one moment have in common."""

    incident: Incident
    runbook: Runbook
    sure: Confidence
    requester: str
    suffix: str

    def proposal(self, step: int, attempt: int) -> Proposal:
        incident, runbook = self.incident, self.runbook
        chosen, opening = runbook.spec.remediations[step], openings(incident)
        end = f"{chosen.action}-{step}-{attempt}" + (f"-o{opening}" if opening else "") + self.suffix
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
                requested_by=self.requester,
                confidence_percent=self.sure.percent,
                calibration=self.sure.calibration,
                ranking=self.sure.ranking,
            ),
        )
