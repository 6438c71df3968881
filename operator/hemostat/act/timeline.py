"""What `act` tells about an incident, derived from its Remediations alone: a restart tells nothing twice (pure)."""

from collections.abc import Sequence

from hemostat.api.incident import MAX_TOLD, RESOLVED, Incident, TimelineEntry
from hemostat.api.meta import Condition, find
from hemostat.api.remediation import ADMITTED, APPLIED, FINISHED, PLANNED, UNDONE, VERIFIED, Remediation
from hemostat.signals.correlate import openings

BY = "act"
_TOLD = (PLANNED, ADMITTED, APPLIED, VERIFIED, UNDONE, FINISHED)


def entries(remediations: Sequence[Remediation]) -> tuple[TimelineEntry, ...]:
    """Return the entries, oldest first. A condition is told once it is decided (not while Unknown), except that
    waiting for a person is told too."""
    told = [entry for r in remediations for entry in _of(r)]
    return tuple(sorted(told, key=lambda e: (e.time, e.id)))[-MAX_TOLD:]


def ending(incident: Incident, conditions: Sequence[Condition]) -> tuple[TimelineEntry, ...]:
    """Return the entry that says how it ended, unless an action healed it: that is told already."""
    over = find(conditions, RESOLVED)
    if over is None or over.status != "True" or over.reason == "Healed":
        return ()
    told = f"{BY}/resolved/{openings(incident)}"
    message = f"resolved: {over.reason}: {over.message}"[:1024]
    return (TimelineEntry(id=told, time=over.last_transition_time, by=BY, message=message),)


def _of(remediation: Remediation) -> list[TimelineEntry]:
    out = []
    name = remediation.metadata.name
    verified = find(remediation.status.conditions, VERIFIED)
    for kind in _TOLD:
        condition = find(remediation.status.conditions, kind)
        if condition is None or (condition.status == "Unknown" and condition.reason != "NeedsApproval"):
            continue
        if kind == UNDONE and condition.status == "False":
            continue  # the end says which steps were not
        if kind == FINISHED and verified is not None and verified.reason == condition.reason:
            continue  # the verdict was the end: told already
        out.append(
            TimelineEntry(
                id=f"{BY}/{name}/{kind}/{condition.reason}"[:253],
                time=condition.last_transition_time,
                by=BY,
                message=f"{remediation.spec.action}: {condition.reason}: {condition.message}"[:1024],
            )
        )
    return out


def merged(incident: Incident, new: tuple[TimelineEntry, ...]) -> tuple[TimelineEntry, ...]:
    """Keep our entries that were told before (a condition that moved on), add the new ones."""
    ids = {e.id for e in new}
    old = [e for e in incident.status.timeline if e.by == BY and e.id not in ids]
    return tuple(sorted((*old, *new), key=lambda e: (e.time, e.id)))[-MAX_TOLD:]
