"""How an Incident stands, in a few words (pure)."""

from hemostat.api.incident import REMEDIATED, RESOLVED, VERIFIED, Incident
from hemostat.api.meta import find
from hemostat.cli.timeline import NEEDS_APPROVAL
from hemostat.signals.correlate import began, is_over

NO_DATA = "NoData"
"""Reason of the condition Resolved while nothing fires and nothing says either that it is well."""
_GOES_ON = ("Open", "InProgress", "Reopened")
"""Reasons of the condition Resolved while nobody needs to do anything."""


def is_resolved(incident: Incident) -> bool:
    """Tell whether it is over."""
    return is_over(incident)


def state(incident: Incident) -> tuple[str, str]:
    """Return what a person on call must know first, and the style to print it in."""
    conditions = incident.status.conditions
    resolved, remediated, verified = (find(conditions, k) for k in (RESOLVED, REMEDIATED, VERIFIED))
    if resolved is not None and is_resolved(incident):
        return f"Resolved: {resolved.reason}", "green"
    if resolved is not None and resolved.reason == "PartOf" and incident.status.part_of is not None:
        return f"Open: part of {incident.status.part_of.name}", "yellow"
    if resolved is not None and resolved.reason == NO_DATA:
        return "Open: waits for data", "yellow"
    if resolved is not None and resolved.reason not in _GOES_ON:
        return f"Open: PERSON NEEDED ({resolved.reason})", "bold red"
    if remediated is None:
        return "Open", "bold red"
    if remediated.status == "True":
        why = verified.reason if verified is not None else "NotYet"
        return f"Open: applied, verifying ({why})", "yellow"
    if remediated.reason == NEEDS_APPROVAL:
        return "Open: NEEDS APPROVAL", "bold yellow"
    return ("Open" if remediated.reason == "NotYet" else f"Open: {remediated.reason}"), "bold red"


def seconds_to_resolve(incident: Incident) -> float | None:
    """Return how long it was open, the last time if it came back, once it is resolved."""
    resolved = find(incident.status.conditions, RESOLVED)
    if resolved is None or not is_resolved(incident):
        return None
    return (resolved.last_transition_time - began(incident)).total_seconds()
