"""An episode: a past incident as it is remembered (pure).

What it looked like, what was tried and what came of it. Bounded: an episode takes some 12 KB at most, mostly under 2.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hemostat.api.identity import MAX_LESSON
from hemostat.api.incident import RESOLVED, Advice, EvidenceKind, Incident
from hemostat.api.meta import Label, Model, Name, Percent, Short, Text, Time, Uid, Word, find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, Remediation
from hemostat.signals.correlate import openings
from hemostat.signals.rules import one_line
from hemostat.signals.sentence import named

MAX_TEXT = 4096
"""Characters of the text that is embedded."""
MAX_LINE = 320
MAX_TITLE = 256
MAX_TRIES = 16
"""Remediations of one incident that are remembered: the last."""
Redact = Callable[[str], str]
"""Takes secrets and personal data out of a text."""


class Outcome(StrEnum):
    """What came of one Remediation."""

    HEALED = "Healed"
    RELAPSED = "Relapsed"
    """It healed, and the trouble came back."""
    INEFFECTIVE = "Ineffective"
    WORSE = "Worse"
    UNKNOWN = "Unknown"
    """It was applied, and nobody knows whether it helped."""
    DENIED = "Denied"
    """A person said no."""
    NOT_APPLIED = "NotApplied"
    """It did not fit, was not needed, or the target had changed: says nothing about the action."""


class Ending(StrEnum):
    """How an incident ended."""

    HEALED = "Healed"
    BY_PERSON = "ByPerson"
    BY_ITSELF = "ByItself"
    """Signals cleared, and no action is known to have done it."""
    WITH_CAUSE = "WithCause"
    """It was a symptom of another Incident."""
    ABANDONED = "Abandoned"
    """Its target or its Watch went away."""


_ENDINGS = {
    "Healed": Ending.HEALED,
    "Cleared": Ending.BY_ITSELF,
    "ClearedByItself": Ending.BY_ITSELF,
    "ClearedAfterChange": Ending.BY_PERSON,
    "CauseResolved": Ending.WITH_CAUSE,
}
"""By the reason of the Incident's condition `Resolved`; every other reason says why nobody looks any more."""
_TOLD = (
    EvidenceKind.SIGNAL,
    EvidenceKind.CHANGE,
    EvidenceKind.WORKLOAD,
    EvidenceKind.EVENT,
    EvidenceKind.LOG,
    EvidenceKind.STEP,
)
"""Kinds of evidence that say what an incident looks like. Past episodes do not: found once, they would always be."""
_VERDICTS = {o.value: o for o in (Outcome.HEALED, Outcome.INEFFECTIVE, Outcome.WORSE)}


class Try(Model):
    """One Remediation that is over."""

    runbook: Name
    action: Label
    outcome: Outcome
    by: Annotated[str, Field(max_length=63)] = ""
    """Who was that sure: Matcher or Model; empty where it is not known."""
    percent: Percent = 0
    """How sure the diagnosis was."""


class Episode(Model):
    """A past incident. Every text in it is redacted."""

    uid: Uid
    """Of the Incident: an episode is remembered once, and anew when more is known of it."""
    namespace: Name
    name: Name
    """Of the Incident."""
    kind: Word
    """Kind of the target."""
    target: Name
    """Name of the target."""
    title: Short
    """What was wrong, in one line."""
    text: Annotated[str, Field(max_length=MAX_TEXT)]
    """What it looked like: symptoms, aspects, changes, a line each. This is embedded."""
    tries: Annotated[tuple[Try, ...], Field(max_length=MAX_TRIES)] = ()
    """What was tried, in order."""
    ending: Ending
    """How it ended."""
    opened_time: Time
    resolved_time: Time
    lesson: Text = ""
    """What a person accepted as its lesson."""


def text_of(incident: Incident, redact: Redact) -> str:
    """Return what an incident looks like, for search: what fired, what was wrong with pods, and what had changed.

    Of an open incident the question, of a resolved one what is remembered. At most 4,096 characters.
    """
    names = {f"signal/{s.key}": named(s) for s in incident.status.signals}
    lines = []
    for item in incident.status.evidence:
        if item.kind not in _TOLD or item.past:
            continue
        name = names.get(item.key.removesuffix(f"/{Advice.CUT}"), "")
        lines.append(item.summary if not name or name in item.summary else f"{name}: {item.summary}")
    return "\n".join(one_line(redact(line), MAX_LINE) for line in lines or [incident.spec.title])[:MAX_TEXT]


def episode_of(
    incident: Incident,
    remediations: Sequence[Remediation],
    redact: Redact,
    *,
    by_person: bool = False,
    lesson: str = "",
) -> Episode | None:
    """Return the episode of an incident, or None while it is not resolved.

    :param remediations: those of the incident; others are left out.
    :param by_person: whether a person resolved it by hand.
    :param lesson: what a person accepted as its lesson.
    """
    resolved = find(incident.status.conditions, RESOLVED)
    if resolved is None or not is_true(incident.status.conditions, RESOLVED):
        return None
    meta, target = incident.metadata, incident.spec.target_ref
    return Episode(
        uid=meta.uid,
        namespace=meta.namespace or "",
        name=meta.name,
        kind=target.kind,
        target=target.name,
        title=one_line(redact(incident.status.summary or incident.spec.title), MAX_TITLE),
        text=text_of(incident, redact),
        tries=_tries(incident, remediations),
        ending=Ending.BY_PERSON if by_person else _ENDINGS.get(resolved.reason, Ending.ABANDONED),
        opened_time=incident.spec.opened_time,
        resolved_time=resolved.last_transition_time,
        lesson=redact(lesson)[:MAX_LESSON],
    )


def _tries(incident: Incident, remediations: Sequence[Remediation]) -> tuple[Try, ...]:
    mine = [
        r
        for r in remediations
        if r.spec.incident_ref.uid == incident.metadata.uid and is_true(r.status.conditions, FINISHED)
    ]
    ordered = sorted(mine, key=lambda r: (r.spec.opening, r.spec.step, r.spec.attempt))[-MAX_TRIES:]
    return tuple(
        Try(
            runbook=r.spec.runbook_ref.name,
            action=r.spec.action,
            outcome=_outcome(r, openings(incident)),
            by=r.spec.calibration.by if r.spec.calibration is not None else "",
            percent=r.spec.confidence_percent,
        )
        for r in ordered
    )


def _outcome(remediation: Remediation, opening: int) -> Outcome:
    finished = find(remediation.status.conditions, FINISHED)
    reason = finished.reason if finished is not None else ""
    if reason == Outcome.HEALED and remediation.spec.opening < opening:
        return Outcome.RELAPSED
    if reason in _VERDICTS:
        return _VERDICTS[reason]
    if reason == "DeniedByPerson":
        return Outcome.DENIED
    return Outcome.UNKNOWN if is_true(remediation.status.conditions, APPLIED) else Outcome.NOT_APPLIED
