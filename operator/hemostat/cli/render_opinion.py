"""What models had to say about an Incident, and whether it counted (pure)."""

from collections.abc import Iterator

from rich.console import Group, RenderableType

from hemostat.api.incident import CONSULTED, Diagnosis, Incident, ModelUsage, Used
from hemostat.api.meta import find
from hemostat.cli.text import grid, words
from hemostat.signals.words import counted

_STYLE = {"True": "green", "False": "yellow", "Unknown": "yellow"}


def opinion(incident: Incident) -> RenderableType | None:
    """Return the model's words apart from the matcher's; None where no model is set."""
    said, diagnosis = find(incident.status.conditions, CONSULTED), incident.status.diagnosis
    parts: list[RenderableType] = []
    if said is not None:
        parts.append(words(f"  {said.reason}: {said.message}", _STYLE[said.status]))
    if diagnosis is not None:
        parts += _told(diagnosis)
    if incident.status.usage is not None:
        parts.append(words(f"  {_in_all(incident.status.usage)}", "dim"))
    return Group(*parts) if parts else None


def _told(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    if diagnosis.cause:
        yield words(f"  Cause, in its words: {diagnosis.cause}")
    if diagnosis.statements:
        out = grid()
        for one in diagnosis.statements:
            out.add_row("", words("-"), words(f"{one.about}: {one.text} (cites {', '.join(one.cites)})"))
        yield out
    if diagnosis.abstained is not None and diagnosis.abstained.by == "Model" and diagnosis.abstained.missing:
        yield words(f"  It would have to see: {'; '.join(diagnosis.abstained.missing)}", "yellow")
    if diagnosis.usage is not None:
        yield words(f"  {_used(diagnosis.usage)}", "dim")


def _in_all(used: Used) -> str:
    asked = f"asked {counted(used.turns, 'time')}, {used.tokens} tokens, {used.usd} USD"
    return f"All rounds together, with what was not answered: {asked}"


def _used(usage: ModelUsage) -> str:
    models = ", ".join(usage.models) or "no model"
    tokens = f"{usage.tokens_in} tokens of questions, {usage.tokens_out} of replies, {usage.usd} USD"
    return f"This answer: {models}; asked {counted(usage.turns, 'time')}, {tokens}"
