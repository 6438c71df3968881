"""What happened, in order (pure): the Incident's own timeline, or what conditions tell where it has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.incident import DETECTED, DIAGNOSED, Incident
from hemostat.api.meta import Condition, ConditionStatus, find, is_true
from hemostat.api.remediation import ADMITTED, FINISHED, Remediation

NEEDS_APPROVAL = "NeedsApproval"
"""Reason of a Remediation's condition Admitted while a person must decide."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    id: str
    time: datetime
    by: str
    message: str


def timeline(incident: Incident, remediations: Sequence[Remediation]) -> tuple[Line, ...]:
    """Return everything that happened, oldest first; ids are stable from one call to the next."""
    told = [Line(e.id, e.time, e.by, e.message) for e in incident.status.timeline]
    lines = told or _from_conditions(incident, remediations)
    return tuple(sorted(lines, key=lambda line: line.time))


def waiting_for_a_person(remediation: Remediation) -> bool:
    """Tell whether the Remediation stands still until somebody approves or denies it."""
    conditions = remediation.status.conditions
    admitted = find(conditions, ADMITTED)
    return (
        admitted is not None
        and admitted.status is not ConditionStatus.TRUE
        and admitted.reason == NEEDS_APPROVAL
        and not is_true(conditions, FINISHED)
    )


def _from_conditions(incident: Incident, remediations: Sequence[Remediation]) -> list[Line]:
    lines = [Line("opened", incident.spec.opened_time, "observe", f"opened: {incident.spec.title}")]
    for condition in incident.status.conditions:
        by = "observe" if condition.type in (DETECTED, DIAGNOSED) else "act"
        lines += _line(condition, by, "", incident.metadata.name)
    for remediation in remediations:
        name = remediation.metadata.name
        for condition in remediation.status.conditions:
            lines += _line(condition, "act", f"{name}: ", name)
    return lines


def _line(condition: Condition, by: str, prefix: str, owner: str) -> list[Line]:
    if condition.status is ConditionStatus.UNKNOWN and condition.reason != NEEDS_APPROVAL:
        return []
    word = condition.type if condition.status is ConditionStatus.TRUE else f"{condition.type} {condition.status}"
    said = f" ({condition.message})" if condition.message else ""
    ident = f"{owner}/{condition.type}/{condition.status}/{condition.reason}"
    return [Line(ident, condition.last_transition_time, by, f"{prefix}{word}: {condition.reason}{said}")]
