"""What Runbooks would have made of a past Incident, as its author reads it (pure)."""

from collections.abc import Sequence

from rich.console import Group, RenderableType

from hemostat.api.incident import Incident
from hemostat.cli.text import columns, grid, words
from hemostat.diagnosis.outcomes import given_up
from hemostat.diagnosis.rehearsal import Played, Rehearsal

_HELD = {True: ("holds", "green"), False: ("no", "red"), None: ("not known", "yellow")}


def page(incident: Incident, rehearsal: Rehearsal) -> RenderableType:
    """Return each Runbook's symptoms and score, who would be chosen, and what a stored Incident does not tell."""
    parts: list[RenderableType] = []
    for played in rehearsal.played:
        parts += [_heading(played), _symptoms(played), words("")]
    parts += [_verdict(rehearsal), *_then(incident)]
    if rehearsal.lossy:
        parts += [words(""), words("What a stored Incident does not tell as the matcher saw it", "bold underline")]
        parts += [_list(rehearsal.lossy)]
    return Group(*parts)


def _heading(played: Played) -> RenderableType:
    runbook = played.runbook
    line = words(f"Runbook {runbook.metadata.name}: {played.percent} %", "bold" if played.why_not else "bold green")
    line.append_text(words(f"  {f'not chosen: {played.why_not}' if played.why_not else 'chosen'}"))
    return line


def _symptoms(played: Played) -> RenderableType:
    out = columns("  SYMPTOM", "WEIGHT", "NECESSITY", "EVIDENCE SHOWS", "ASKS")
    for symptom in played.runbook.spec.symptoms:
        said, style = _HELD[played.symptoms[symptom.name]]
        out.add_row(
            words(f"  {symptom.name}"),
            words(str(symptom.weight)),
            words(symptom.necessity),
            words(said, style),
            words(symptom.expression),
        )
    return out


def _verdict(rehearsal: Rehearsal) -> RenderableType:
    conclusion = rehearsal.conclusion
    said = words(f"{conclusion.reason}: {conclusion.message}", "green" if rehearsal.winner else "yellow")
    if rehearsal.open_to:
        names = " and ".join(rehearsal.open_to)
        said.append_text(
            words(f"; not certain: {names} might be chosen, were what is not known in favour of it", "yellow")
        )
    return said


def _then(incident: Incident) -> list[RenderableType]:
    """Say what was concluded at the time."""
    diagnosis = incident.status.diagnosis
    if diagnosis is None:
        return []
    if diagnosis.runbook_ref is not None:
        return [words(f"At the time {diagnosis.by} chose {diagnosis.runbook_ref.name}.", "dim")]
    before = given_up(diagnosis, incident.status.evidence)
    if before is not None:
        believed, outcome = before
        why_not = outcome.summary.partition(": ")[0]
        return [
            words(f"At the time {believed.runbook} was chosen; {why_not} ({outcome.id}), and nothing else was.", "dim")
        ]
    return [words(f"At the time {diagnosis.by} chose no Runbook.", "dim")]


def _list(lines: Sequence[str]) -> RenderableType:
    out = grid()
    for line in lines:
        out.add_row("", words(f"- {line}"))
    return out
