"""The next step of a Remediation and the conditions of an Incident, from what conditions say (pure, level-based)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from hemostat.action.standing import taken_back_by
from hemostat.action.stepping import done, to_undo
from hemostat.api.incident import REMEDIATED, RESOLVED, WATCHED, Incident, SignalState
from hemostat.api.incident import VERIFIED as INCIDENT_VERIFIED
from hemostat.api.meta import Condition, find, is_false, is_true, set_condition
from hemostat.api.remediation import (
    ADMITTED,
    APPLIED,
    FINISHED,
    PLANNED,
    RELEASED,
    UNDONE,
    VERIFIED,
    Remediation,
)
from hemostat.signals.changes import meanwhile
from hemostat.signals.correlate import MAX_RETURNS, began, is_over, openings
from hemostat.signals.over import clear_since, silent

SELF_HEALED_AFTER = timedelta(seconds=30)
"""How long every signal must stay clear before an incident nobody acted on is resolved."""


_NOBODY_ACTED = ("Open", "Reopened", "NotNeeded")
"""Reasons why an Incident is open that say less than that it has no data."""


CLEARED_BY_HAND = "ClearedAfterChange"
"""Reason of Resolved where nothing of ours was applied, and others changed the target before it cleared."""
TAKEN_BACK = "TakenBack"
"""Reason of Undone, and of Finished where nothing was verified before."""


class Step(StrEnum):
    """What `act` does next with a Remediation."""

    PLAN = "Plan"
    DECIDE = "Decide"
    APPLY = "Apply"
    RELEASE = "Release"
    VERIFY = "Verify"
    UNDO = "Undo"
    RESTORE = "Restore"
    """What was meant for a time only ends."""
    FINISH = "Finish"
    LIFTED = "Lifted"
    """A person takes back what it did, after its end."""
    NOTHING = "Nothing"


def next_step(remediation: Remediation, now: datetime) -> Step:
    """Return the first step whose condition is not met. Safe to ask again after a kill at any instruction.

    What is meant for a time only ends with it, verified or not; whether it helped is judged all the same, unless a
    person took it back. Of what was given up between two steps, those that were done are undone. What cannot be undone
    ends it, once the rest is.
    """
    conditions = remediation.status.conditions
    ended = stopped_halfway(remediation)
    for kind, step in ((PLANNED, Step.PLAN), (ADMITTED, Step.DECIDE), (APPLIED, Step.APPLY)):
        if is_true(conditions, FINISHED):
            return _after(remediation)
        if not is_true(conditions, kind) and not ended:
            return step
    if ended and to_undo(remediation) and not is_true(conditions, UNDONE):
        return Step.UNDO
    asked = is_false(conditions, VERIFIED) and needs_undo(remediation)
    if asked and not is_true(conditions, UNDONE) and not is_false(conditions, UNDONE):
        return Step.UNDO
    if not is_true(conditions, RELEASED):
        return Step.RELEASE
    if ended or is_false(conditions, UNDONE):
        return Step.FINISH
    verified, undone = find(conditions, VERIFIED), is_true(conditions, UNDONE)
    until = held_until(remediation) if not undone else None
    if until is not None and now >= until:
        return Step.RESTORE
    if (verified is None or verified.status == "Unknown") and not _taken_back(remediation):
        return Step.VERIFY
    return Step.FINISH if until is None else Step.RESTORE


def stopped_halfway(remediation: Remediation) -> bool:
    """Tell whether it was stopped between two steps."""
    return is_false(remediation.status.conditions, APPLIED) and bool(done(remediation))


def _after(remediation: Remediation) -> Step:
    """Return what is left once it has ended: a person may take back what stands."""
    conditions = remediation.status.conditions
    if taken_back_by(remediation) is None or not is_true(conditions, APPLIED):
        return Step.NOTHING
    if not is_true(conditions, UNDONE):
        return Step.LIFTED
    return Step.NOTHING if is_true(conditions, RELEASED) else Step.RELEASE


def held_until(remediation: Remediation) -> datetime | None:
    """Return when what was done for a time only is over; None for what stays, or was not done."""
    plan = remediation.status.plan
    if plan is None or plan.hold_seconds is None:
        return None
    applied = next((r.time for r in remediation.status.results if r.effect == "Forward"), None)
    return applied + timedelta(seconds=plan.hold_seconds) if applied is not None else None


def _taken_back(remediation: Remediation) -> bool:
    """Tell whether somebody else took it back before its time."""
    undone = find(remediation.status.conditions, UNDONE)
    return undone is not None and undone.status == "True" and undone.reason == TAKEN_BACK


def needs_undo(remediation: Remediation) -> bool:
    """Tell whether the verdict asks for the inverse: Worse always, Ineffective if the action says so."""
    verified = find(remediation.status.conditions, VERIFIED)
    plan = remediation.status.plan
    if verified is None or verified.status != "False" or plan is None or len(plan.for_good) == len(plan.steps):
        return False
    if verified.reason == "Worse":
        return True
    return verified.reason == "Ineffective" and plan.on_ineffective == "Undo"


def all_clear_since(incident: Incident, now: datetime) -> datetime | None:
    """Return since when nothing keeps the Incident from being over, or None."""
    return clear_since(incident.status.signals, now)


def incident_conditions(
    incident: Incident,
    remediations: Sequence[Remediation],
    now: datetime,
    parent: Incident | None = None,
    *,
    unwatched: str = "",
) -> tuple[Condition, ...]:
    """Return the three conditions that `act` owns: Remediated, Verified, Resolved.

    :param parent: the Incident that this one is part of, where there is one.
    :param unwatched: why its Watch does not look any more, if it was deleted.
    """
    kept: tuple[Condition, ...] = tuple(
        c for c in incident.status.conditions if c.type in (REMEDIATED, INCIDENT_VERIFIED, RESOLVED)
    )
    if is_over(incident):
        return kept
    if is_true(kept, RESOLVED):
        kept = _reopened(incident, kept, now)
    if parent is not None and is_over(parent) and not _fires(incident):
        return set_condition(kept, RESOLVED, True, "CauseResolved", f"with {parent.metadata.name}, its cause", now)
    mine = [r for r in remediations if r.spec.opening == openings(incident)]
    why = _abandoned(incident, unwatched)
    if why is not None and not any(_at_work(r) for r in mine):
        return set_condition(kept, RESOLVED, True, *why, now)
    if not mine and parent is not None and not is_over(parent):
        return _without_action(incident, kept, now, *_why_open(incident, parent), waits=True)
    if not mine:
        return _without_action(incident, kept, now, *_why_open(incident, parent))
    return _with_action(incident, kept, max(mine, key=lambda r: _latest(incident, r)), now)


def _latest(incident: Incident, remediation: Remediation) -> tuple[bool, bool, int, int]:
    """Order by what was proposed: what is at work is, and else the Incident names it. Steps are of one Runbook only."""
    named, spec = incident.status.remediation_ref, remediation.spec
    proposed = named is not None and named.name == remediation.metadata.name
    return not is_true(remediation.status.conditions, FINISHED), proposed, spec.step, spec.attempt


def _abandoned(incident: Incident, unwatched: str) -> tuple[str, str] | None:
    """Return why nobody will ever see it clear, if that is so: it would wait for ever."""
    gone = find(incident.status.conditions, WATCHED)
    if gone is not None and gone.status == "False":
        return gone.reason, gone.message
    return ("WatchDeleted", unwatched) if unwatched else None


def _at_work(remediation: Remediation) -> bool:
    """Whether something of ours stands on the target that is not verified yet."""
    conditions = remediation.status.conditions
    return bool(remediation.status.intents) and not is_true(conditions, FINISHED)


def _fires(incident: Incident) -> bool:
    return any(s.state is SignalState.FIRING and s.watch_ref is None for s in incident.status.signals)


def _reopened(incident: Incident, kept: tuple[Condition, ...], now: datetime) -> tuple[Condition, ...]:
    """Begin anew: what was done and verified before did not last."""
    said = f"the trouble came back ({openings(incident)})"
    for kind in (REMEDIATED, INCIDENT_VERIFIED, RESOLVED):
        kept = set_condition(kept, kind, False if kind == RESOLVED else "Unknown", "Reopened", said, now)
    return kept


def _why_open(incident: Incident, parent: Incident | None) -> tuple[str, str]:
    if parent is not None and not is_over(parent):
        return "PartOf", f"Incident {parent.metadata.name} is its cause; it is resolved with that one"
    if openings(incident) > MAX_RETURNS:
        return "Flapping", f"it came back {openings(incident)} times; a person must look for what is behind it"
    if openings(incident):
        return "Reopened", f"it came back {openings(incident)} times; no action has been proposed since"
    return "Open", "no action has been proposed"


def _with_action(
    incident: Incident, kept: tuple[Condition, ...], last: Remediation, now: datetime
) -> tuple[Condition, ...]:
    conditions = last.status.conditions
    applied, verified, finished = (find(conditions, k) for k in (APPLIED, VERIFIED, FINISHED))
    name = last.metadata.name
    if is_true(conditions, APPLIED):
        kept = set_condition(kept, REMEDIATED, True, "Applied", f"{name}: {applied.message if applied else ''}", now)
    elif finished is not None and finished.status == "True":  # nobody waits for what ended without being done
        kept = set_condition(kept, REMEDIATED, False, finished.reason, f"{name}: {finished.message}"[:1024], now)
    else:
        waiting = find(conditions, ADMITTED)
        reason, message = (waiting.reason, waiting.message) if waiting else ("Proposed", "")
        kept = set_condition(kept, REMEDIATED, "Unknown", reason, f"{name}: {message}", now)
    if verified is not None:
        status: bool | str = True if verified.status == "True" else False if verified.status == "False" else "Unknown"
        kept = set_condition(kept, INCIDENT_VERIFIED, status, verified.reason, verified.message, now)  # type: ignore[arg-type]
    else:
        kept = set_condition(kept, INCIDENT_VERIFIED, "Unknown", "NotYet", "", now)
    healed, others = finished is not None and finished.reason == "Healed", last.spec.conversations and _fires(incident)
    if healed and not others:
        return set_condition(kept, RESOLVED, True, "Healed", f"{name} healed it", now)
    if healed:
        said = f"{name} healed what it was about; other conversations are in trouble"
        return _without_action(incident, kept, now, "OtherTrouble", said)
    if finished is not None:
        return _without_action(incident, kept, now, finished.reason, f"{name}: {finished.message}")
    return set_condition(kept, RESOLVED, False, "InProgress", f"{name} is at work", now)


def _without_us(incident: Incident, since: datetime) -> tuple[str, str]:
    """Say whether others changed something at the target before it cleared: then it was hardly by itself."""
    changed = meanwhile(incident.status.evidence, began(incident), since)
    if not changed:
        return (
            "ClearedByItself",
            "all signals are clear, and no change of others was seen (of Secrets none is ever seen)",
        )
    last = changed[-1]
    return CLEARED_BY_HAND, f"all signals are clear after what others did: {last.summary} ({last.id})"[:1024]


def _without_action(
    incident: Incident, kept: tuple[Condition, ...], now: datetime, reason: str, message: str, *, waits: bool = False
) -> tuple[Condition, ...]:
    """Resolve it once it cleared, by itself or after something was applied, unless it waits for its cause."""
    since = all_clear_since(incident, now) if not waits else None
    for kind in (REMEDIATED, INCIDENT_VERIFIED):
        if find(kept, kind) is None:
            kept = set_condition(kept, kind, "Unknown", "NotYet", "", now)
    if since is not None and now - since >= SELF_HEALED_AFTER:
        if is_true(kept, REMEDIATED):  # whether it helped nobody knows, but it was not left alone either
            return set_condition(kept, RESOLVED, True, "Cleared", f"all signals are clear after {message}", now)
        return set_condition(kept, RESOLVED, True, *_without_us(incident, since), now)
    if not waits and (silence := silent(incident.status.signals, now)):
        quiet = reason in _NOBODY_ACTED
        reason, message = ("NoData", silence) if quiet else (reason, f"{message}; {silence}")
    return set_condition(kept, RESOLVED, False, reason, message, now)
