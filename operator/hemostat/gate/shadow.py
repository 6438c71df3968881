"""What would have been done, and what people did instead (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hemostat.action.effects import still_ours
from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import FINISHED, WOULD_HAVE, CheckOutcome, GateDecision, Plan, Remediation, Verb
from hemostat.gate.input import Edit
from hemostat.gate.target import edits_of

Live = Mapping[str, Any]


def would_have(decision: GateDecision, plan: Plan) -> str:
    """Say what would have happened without the shadow."""
    asked = [c.message for c in decision.checks if c.outcome is CheckOutcome.ASK]
    policies = ", ".join(decision.policies)
    if asked:
        return f"a person would have been asked whether to {plan.summary} ({'; '.join(asked)})"
    return f"without a person ({policies}): {plan.summary}"


def asks(remediation: Remediation) -> bool:
    """Tell whether a person would have been asked, by what the gate said last."""
    decision = remediation.status.decision
    return decision is None or any(c.outcome is CheckOutcome.ASK for c in decision.checks)


class Afterwards(StrEnum):
    """What people did to the same target after Hemostat had only said what it would do."""

    SAME = "SameAction"
    OTHER = "OtherAction"
    NOTHING = "Nothing"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Compared:
    """What would have been done beside what was done."""

    remediation: Remediation
    afterwards: Afterwards
    message: str
    """By whom and when, and how it ended."""


def in_shadow(remediation: Remediation) -> bool:
    """Tell whether it ended with what it would have done."""
    finished = find(remediation.status.conditions, FINISHED)
    return finished is not None and finished.reason == WOULD_HAVE


def compared(
    remediation: Remediation, target: Live | None, written: Sequence[Live | None], incident: Incident | None
) -> Compared:
    """Compare one Remediation in shadow with what its target shows now: what was done since, and undone since, is not
    told apart from what was never done.

    :param target: the live target; None: it is gone, or another one of that name is.
    :param written: the live objects that would have been written to, one for each step; None: there is none.
    """
    finished, plan = find(remediation.status.conditions, FINISHED), remediation.status.plan
    if finished is None or plan is None:
        return Compared(remediation, Afterwards.UNKNOWN, "it is not finished, or has no plan")
    ended = _ended(incident)
    if target is None:
        return Compared(remediation, Afterwards.OTHER, f"the target was deleted; {ended}")
    edits = [*_edits(target), *(edit for live in written for edit in _edits(live))]
    since = sorted({e for e in edits if e.time > finished.last_transition_time}, key=lambda e: e.time)
    if _is_so(plan, written, since):
        return Compared(remediation, Afterwards.SAME, f"{_by(since)}; {ended}")
    if since:
        return Compared(remediation, Afterwards.OTHER, f"{_by(since)}; {ended}")
    if any(e.verb is Verb.CALL for e in plan.effects):
        return Compared(remediation, Afterwards.UNKNOWN, f"what other services were asked is not looked up; {ended}")
    return Compared(remediation, Afterwards.NOTHING, ended)


def _edits(live: Live | None) -> tuple[Edit, ...]:
    try:
        return edits_of(live) if live is not None else ()
    except (TypeError, ValueError):
        return ()


def _is_so(plan: Plan, written: Sequence[Live | None], since: Sequence[Edit]) -> bool:
    """Tell whether the objects are as the plan would have left them; a patch only by somebody's hand."""
    if len(written) != len(plan.steps):
        return False
    by_hand = bool(since) or all(e.verb is Verb.DELETE for e in plan.effects)
    told = all(e.verb in (Verb.PATCH, Verb.DELETE) for e in plan.effects)
    return told and by_hand and all(still_ours(e, live) for e, live in zip(plan.effects, written, strict=True))


def _by(edits: Sequence[Edit]) -> str:
    if not edits:
        return "it is gone"
    people = ", ".join(dict.fromkeys(e.manager for e in edits))
    return f"by {people}, last at {edits[-1].time:%Y-%m-%dT%H:%M:%SZ}"


def _ended(incident: Incident | None) -> str:
    if incident is None:
        return "the Incident is gone"
    resolved = find(incident.status.conditions, RESOLVED)
    if resolved is None or not is_true(incident.status.conditions, RESOLVED):
        return "the Incident is still open"
    minutes = (resolved.last_transition_time - incident.spec.opened_time).total_seconds() / 60
    return f"the Incident ended after {minutes:.0f} min ({resolved.reason})"
