"""The lesson of an incident that is over, drafted from what its Incident holds (pure).

No model has a part in it: every clause says what stands in the Incident, and cites the evidence that shows it.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from hemostat.api.identity import MAX_LESSON
from hemostat.api.incident import RESOLVED, Evidence, EvidenceKind, Incident, Lesson
from hemostat.api.meta import Condition, find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, Remediation
from hemostat.diagnosis.outcomes import given_up, tried
from hemostat.diagnosis.redact import redact
from hemostat.signals.rules import one_line
from hemostat.signals.words import counted, duration

MAX_CITED = 4
"""Items that one clause cites."""
MAX_TRIES = 6
MAX_CLAUSE = 240
_NAMED = re.compile(r" \((E[1-9][0-9]{0,3})\)$")
"""How a condition ends that names the evidence it rests on."""
_CITED = re.compile(r"\[((?:E[1-9][0-9]{0,3})(?: E[1-9][0-9]{0,3})*)\]")


def lesson_due(incident: Incident) -> datetime | None:
    """Return since when an Incident is resolved, if its lesson is not drafted yet."""
    since = resolved_since(incident.status.conditions)
    known = incident.status.lesson
    return None if since is None or (known is not None and known.resolved_time == since) else since


def resolved_since(conditions: Sequence[Condition]) -> datetime | None:
    """Return since when an Incident is resolved, if it is."""
    found = find(conditions, RESOLVED)
    return found.last_transition_time if found is not None and is_true(conditions, RESOLVED) else None


def draft_lesson(incident: Incident, remediations: Sequence[Remediation]) -> Lesson | None:
    """Return the lesson, or None while the incident is not over.

    :param remediations: those of the Incident; others are left out.
    """
    since = resolved_since(incident.status.conditions)
    if since is None:
        return None
    clauses = [_happened(incident), _cause(incident), _tried(incident, remediations), _ended(incident, since)]
    text = ". ".join(clause for clause in clauses if clause)[:MAX_LESSON]
    return Lesson(text=text, cites=cited(text), resolved_time=since)


def cited(text: str) -> tuple[str, ...]:
    """Return the ids of evidence that a lesson cites, each once."""
    return tuple(dict.fromkeys(id_ for group in _CITED.findall(text) for id_ in group.split()))


def unknown(text: str, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Return what a lesson cites that is no evidence of the Incident."""
    known = {e.id for e in evidence}
    return tuple(id_ for id_ in cited(text) if id_ not in known)


def _happened(incident: Incident) -> str:
    """Quote the first signal as its evidence has it: the summary has numbers of a later moment, which none bears."""
    target, status = incident.spec.target_ref, incident.status
    shown = [e for e in status.evidence if e.kind is EvidenceKind.SIGNAL and not e.past]
    if not shown:
        return _clause(f"{target.kind} {target.name}: {status.summary or incident.spec.title}", [])
    said = _clause(f"{target.kind} {target.name}: {shown[0].summary}", [shown[0].id])
    more = [e.id for e in shown[1:]]
    return said + (f" and {_clause(counted(len(more), 'other signal'), more)}" if more else "")


def _cause(incident: Incident) -> str:
    diagnosis = incident.status.diagnosis
    ref = diagnosis.runbook_ref if diagnosis is not None else None
    chosen = next((h for h in diagnosis.hypotheses if ref and h.runbook == ref.name), None) if diagnosis else None
    if chosen is None:
        before = given_up(diagnosis, incident.status.evidence) if diagnosis is not None else None
        if before is None:
            return "Cause: not found"
        believed, outcome = before
        if believed.ruled_out_only is not None:
            return _clause(f"Cause: {believed.cause} (Runbook {believed.runbook})", believed.cites)
        why_not = outcome.summary.partition(": ")[0]
        return _clause(
            f"Cause: not certain, {believed.cause} (Runbook {believed.runbook}), but {why_not}", [outcome.id]
        )
    return _clause(f"Cause: {chosen.cause} (Runbook {chosen.runbook})", chosen.cites)


def _tried(incident: Incident, remediations: Sequence[Remediation]) -> str:
    mine = [r for r in remediations if r.spec.incident_ref.uid == incident.metadata.uid]
    over = [r for r in mine if is_true(r.status.conditions, FINISHED)]
    ordered = sorted(over, key=lambda r: (r.spec.opening, r.spec.step, r.spec.attempt))[-MAX_TRIES:]
    numbers = {e.key: e.id for e in incident.status.evidence if e.kind is EvidenceKind.OUTCOME}
    known = tried(incident, mine)
    keys = {r.metadata.name: item.identity for r, item in zip(known.over, known.items(), strict=True)}
    done: list[str] = []
    not_done: list[str] = []
    for remediation in ordered:
        finished = find(remediation.status.conditions, FINISHED)
        what = f"{remediation.spec.action}: {finished.reason if finished is not None else ''}"
        number = numbers.get(keys.get(remediation.metadata.name, ""))
        clauses = done if is_true(remediation.status.conditions, APPLIED) else not_done
        clauses.append(_clause(what, [number] if number else []))
    said = f"Tried {', '.join(done)}" if done else "Nothing was tried"
    return f"{said}. Not done: {', '.join(not_done)}" if not_done else said


def _ended(incident: Incident, since: datetime) -> str:
    resolved = find(incident.status.conditions, RESOLVED)
    reason = f"{resolved.reason}: {resolved.message}" if resolved is not None else ""
    lasted = duration(max(0.0, (since - incident.spec.opened_time).total_seconds()))
    named = _NAMED.search(reason)
    shown = [e.id for e in incident.status.evidence if named is not None and e.id == named[1]]
    return _clause(f"Over after {lasted} ({reason})", shown)


def _clause(text: str, cites: Sequence[str]) -> str:
    """Return one line without secrets, and without what looks like a citation but is telemetry's own text."""
    said = _CITED.sub("", one_line(redact(text), MAX_CLAUSE))
    return f"{said} [{' '.join(cites[:MAX_CITED])}]" if cites else said
