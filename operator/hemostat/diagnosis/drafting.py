"""A Runbook in the making, from an Incident that a person resolved by hand (pure).

It is a Draft, and text for a person to finish: nobody but a person writes it to the cluster, or makes it Active.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from hemostat.api.incident import RESOLVED, Evidence, EvidenceKind, Incident, SignalState, SignalStatus
from hemostat.api.meta import ObjectMeta, find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, UNDONE, Remediation
from hemostat.api.runbook import Parameter, Runbook, RunbookRemediation, RunbookSpec, Symptom, Verify
from hemostat.diagnosis.evidence import Change
from hemostat.diagnosis.lint import PLACEHOLDER
from hemostat.diagnosis.recall import recall
from hemostat.diagnosis.redact import redact
from hemostat.signals.changes import ChangeKind, detail_of, meanwhile, takes_back
from hemostat.signals.correlate import began, is_over
from hemostat.signals.rules import one_line
from hemostat.signals.sentence import named
from hemostat.signals.severity import ORDER

BY_HAND = ("Cleared", "ClearedByItself", "ClearedAfterChange")
"""Reasons of the condition `Resolved` that name no action of ours: a person did it, or it went by itself."""
_IN_VAIN = ("Ineffective", "Worse")
_TOLD = (EvidenceKind.SIGNAL, EvidenceKind.CHANGE, EvidenceKind.WORKLOAD, EvidenceKind.EVENT, EvidenceKind.LOG)
_AGES = (600, 1800)
"""How long before the incident a change may have been: the shortest of these that holds."""
MAX_LINE, MAX_LINES = 240, 24
"""Of evidence, and as many of the timeline."""
_SCALED = re.compile(r"replicas (\d{1,6}) -> (\d{1,6})\b")
_LEAST_FACTOR, _MOST_FACTOR = 110, 400
"""What the action `scale` takes."""
MAX_PER_SORT = 8
MAX_SYMPTOMS, MAX_STEPS = 32, 8


def no_draft(incident: Incident) -> str:
    """Return why there is nothing to draft from an Incident; empty if there is."""
    name, resolved = incident.metadata.name, find(incident.status.conditions, RESOLVED)
    if resolved is None or not is_over(incident):
        return f"Incident {name} is not resolved yet: resolve it, and draft then"
    if resolved.reason not in BY_HAND:
        return f"Incident {name} was not resolved by hand ({resolved.reason}: {resolved.message})"
    if not any(s.state is SignalState.FIRING for s in recall(incident).facts.signals):
        return f"Incident {name} does not say what fired: there is nothing to make symptoms of"
    return ""


def draft(incident: Incident, remediations: Sequence[Remediation]) -> Runbook | None:
    """Return a Draft whose symptoms this Incident shows, or None where `no_draft` says why.

    :param remediations: those of the Incident; a step is made only of one that was applied, and stayed.
    """
    if no_draft(incident):
        return None
    meta = incident.metadata
    steps = _steps(incident, remediations) or _done(incident)
    blamed = ChangeKind.ROLLOUT if any(s.action == "rollback" for s in steps) else None
    spec = RunbookSpec(
        cause=_cause(incident),
        kinds=(incident.spec.target_ref.kind,),
        symptoms=tuple(_symptoms(incident, blamed))[:MAX_SYMPTOMS],
        guidance=_GUIDANCE.format(name=incident.metadata.name),
        remediations=steps,
        verify=Verify(),
    )
    return Runbook(
        metadata=ObjectMeta(name=f"draft-{meta.name}"[:253].rstrip("-."), namespace=meta.namespace), spec=spec
    )


def _symptoms(incident: Incident, blamed: ChangeKind | None) -> Iterator[Symptom]:
    """Yield a symptom for each sort of signal, trouble and change; the worst signal is required.

    :param blamed: the kind of change that the Runbook takes back, if it does: required, too.
    """
    facts = recall(incident).facts
    firing = sorted((s for s in facts.signals if s.state is SignalState.FIRING), key=_worst_first)
    for rank, kind in enumerate(dict.fromkeys(s.kind.value for s in firing)):
        text = f'signals.exists(s, s.state == "Firing" && s.kind == "{kind}")'
        yield Symptom(
            name=_label("signal", kind), expression=text, weight=1, necessity="Supporting" if rank else "Required"
        )
    for aspect in facts.aspects[:MAX_PER_SORT]:
        yield Symptom(name=_label("pods", aspect), expression=f'"{aspect}" in workload.aspects')
    yield from _changed("changes", "change", facts.changes, blamed)
    yield from _changed("calleeChanges", "callee-change", facts.callee_changes)


def _worst_first(signal: SignalStatus) -> tuple[int, datetime]:
    return -ORDER.index(signal.severity), signal.first_fired_time


def _changed(
    variable: str, prefix: str, changes: Sequence[Change], blamed: ChangeKind | None = None
) -> Iterator[Symptom]:
    before = [c for c in changes if 0 <= c.age_seconds < _AGES[-1]]
    for kind in dict.fromkeys(c.kind for c in before):
        youngest = min(c.age_seconds for c in before if c.kind == kind)
        limit = next(age for age in _AGES if youngest < age)
        text = f'{variable}.exists(c, c.kind == "{kind}" && c.ageSeconds < {limit}.0)'
        necessity = "Required" if kind == blamed else "Supporting"
        yield Symptom(name=_label(prefix, kind), expression=text, necessity=necessity)


def _label(prefix: str, word: str) -> str:
    """Return `signal-error-rate` of `ErrorRate`, and `pods-oom-killed` of `OOMKilled`."""
    parts = "".join(
        f"-{c}" if c.isupper() and i and (not word[i - 1].isupper() or word[i + 1 : i + 2].islower()) else c
        for i, c in enumerate(word)
    )
    return f"{prefix}-{parts.lower()}"[:63]


def _steps(incident: Incident, remediations: Sequence[Remediation]) -> tuple[RunbookRemediation, ...]:
    """Return what was applied for this Incident and is not known to have failed, in order, each once."""
    mine = [r for r in remediations if r.spec.incident_ref.uid == incident.metadata.uid and _stayed(r)]
    ordered = sorted(mine, key=lambda r: (r.spec.opening, r.spec.step, r.spec.attempt))
    steps = dict.fromkeys((r.spec.action, r.spec.parameters) for r in ordered)
    return tuple(RunbookRemediation(action=action, parameters=parameters) for action, parameters in steps)[:MAX_STEPS]


def _done(incident: Incident) -> tuple[RunbookRemediation, ...]:
    """Return what was done by hand as actions of the catalogue, or what a person has to put in."""
    if _undone(incident) is not None:
        return (RunbookRemediation(action="rollback"),)
    for change in reversed(_by_hand(incident)):
        found = _SCALED.match(detail_of(change))
        percent = 100 * int(found[2]) // int(found[1]) if found is not None and int(found[1]) else 0
        if _LEAST_FACTOR <= percent <= _MOST_FACTOR:
            return (
                RunbookRemediation(action="scale", parameters=(Parameter(name="factorPercent", value=str(percent)),)),
            )
    return (RunbookRemediation(action=PLACEHOLDER),)


def _stayed(remediation: Remediation) -> bool:
    conditions = remediation.status.conditions
    finished = find(conditions, FINISHED)
    failed = finished is not None and finished.reason in _IN_VAIN
    return is_true(conditions, APPLIED) and not is_true(conditions, UNDONE) and not failed


_GUIDANCE = """Drafted from Incident {name}, which no action of Hemostat is known to have healed.

**Before it is Active.** Say in `cause` why it happened: what stands there is what was seen. Keep the symptoms that
would be seen again and no others. Say what it looks like, what to check before approving, and how long it takes.
"""


def notes(incident: Incident) -> tuple[str, ...]:
    """Return what the person who finishes the draft wants to see, in lines without secrets: comments, no guidance.

    What stands in `guidance` is sent to models, whatever of an Incident its namespace lets out; and whoever denied an
    action or wrote a line of a log did not write it for that.
    """
    told = [e for e in incident.status.evidence if e.kind in _TOLD and not e.past][:MAX_LINES]
    entries = sorted(incident.status.timeline, key=lambda t: t.time)[-MAX_LINES:]
    done = _by_hand(incident)
    return (
        *(("What others did before it cleared:",) if done else ()),
        *(f"- [{e.id}] {_said(_text(e))}" for e in done),
        "Evidence then:",
        *(f"- [{e.id}] {e.kind}: {_said(_text(e))}" for e in told),
        "Timeline:",
        *(f"- [{t.time:%Y-%m-%d %H:%M:%S}Z] {_said(f'{t.by}: {t.message}')}" for t in entries),
    )


def _by_hand(incident: Incident) -> tuple[Evidence, ...]:
    resolved = find(incident.status.conditions, RESOLVED)
    until = resolved.last_transition_time if resolved is not None else None
    return meanwhile(incident.status.evidence, began(incident), until)


def _undone(incident: Incident) -> Evidence | None:
    """Return the rollout that was taken back by hand, if one was."""
    rollouts = [e for e in incident.status.evidence if e.kind is EvidenceKind.CHANGE]
    taken = (b for later in _by_hand(incident) for b in rollouts if takes_back(later, b))
    return next((b for b in taken if b.observed_time < began(incident)), None)


def _altered(incident: Incident) -> Evidence | None:
    """Return the last change of an object before the trouble that was changed again by hand, if there is one."""
    again = {e.subject for e in _by_hand(incident) if not e.key.startswith(f"change/{ChangeKind.ROLLOUT}/")}
    found = (e for e in incident.status.evidence if e.kind is EvidenceKind.CHANGE and e.subject in again)
    before = (e for e in found if e.observed_time <= began(incident))
    return max(before, key=lambda e: e.observed_time, default=None)


def _cause(incident: Incident) -> str:
    """Return what is known of it in whole words: what was taken back, or changed again, else what fired."""
    undone = _undone(incident)
    if undone is not None:
        parts = detail_of(undone).split("; ")
        return f"The rollout was bad, and was taken back by hand: {_whole(parts, '; ', 200)}"
    altered = _altered(incident)
    if altered is not None:
        parts, subject = detail_of(altered).split("; "), one_line(redact(altered.subject), 80)
        return f"{subject} was changed, and again by hand before it cleared: {_whole(parts, '; ', 160)}"
    firing = [s for s in recall(incident).facts.signals if s.state is SignalState.FIRING]
    names = list(dict.fromkeys(named(s) for s in sorted(firing, key=_worst_first)))
    return f"Not known yet. Seen: {_whole(names, ', ', 240)}"


def _whole(parts: Sequence[str], between: str, most: int) -> str:
    """Join as many as there is room for, the first in any case, and none in part."""
    text = one_line(redact(parts[0]), most)
    for part in (one_line(redact(p), most) for p in parts[1:]):
        if len(text) + len(between) + len(part) > most:
            break
        text += between + part
    return text


def _text(evidence: Evidence) -> str:
    named_there = evidence.subject in evidence.summary
    return evidence.summary if named_there else f"{evidence.subject}: {evidence.summary}"


def _said(text: str) -> str:
    return one_line(redact(text), MAX_LINE)
