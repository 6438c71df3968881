"""Incidents as a table: what is open, and what waits for a person, first (pure)."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from hemostat.api.incident import Incident
from hemostat.cli.state import is_resolved, state
from hemostat.cli.text import age, columns, outcome, words


def ordered(incidents: Sequence[Incident]) -> list[Incident]:
    """Return the open ones first, each group youngest first."""
    return sorted(incidents, key=lambda i: (is_resolved(i), -i.spec.opened_time.timestamp()))


def table(incidents: Sequence[Incident], now: datetime, *, everywhere: bool) -> Table:
    """Return one row per Incident."""
    names = ("NAME", "SEVERITY", "TARGET", "STATE", "RUNBOOK", "REMEDIATION", "AGE", "SUMMARY")
    out = columns(*(("NAMESPACE", *names) if everywhere else names))
    for incident in ordered(incidents):
        said, style = state(incident)
        diagnosis, remediation = incident.status.diagnosis, incident.status.remediation_ref
        runbook = diagnosis.runbook_ref.name if diagnosis and diagnosis.runbook_ref else "-"
        row = [
            words(incident.metadata.name, "bold"),
            outcome(incident.status.severity or "?"),
            words(f"{incident.spec.target_ref.kind} {incident.spec.target_ref.name}"),
            words(said, style),
            words(runbook),
            words(remediation.name if remediation else "-"),
            words(age(incident.spec.opened_time, now)),
            words(incident.status.summary or incident.spec.title),
        ]
        out.add_row(*([words(incident.metadata.namespace or ""), *row] if everywhere else row))
    return out
