"""A Remediation: what would be done, what the gate says of it, who said what, what became of it (pure)."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from hemostat.action.standing import taken_back_by
from hemostat.action.undoing import stays
from hemostat.api.approval import Approval, Word
from hemostat.api.meta import Condition, find
from hemostat.api.remediation import (
    ADMITTED,
    APPLIED,
    FINISHED,
    PLANNED,
    UNDONE,
    VERIFIED,
    GateDecision,
    Remediation,
    Result,
)
from hemostat.cli.text import grid, offset, outcome, words
from hemostat.cli.timeline import waiting_for_a_person
from hemostat.signals.words import counted

_ORDER = (PLANNED, ADMITTED, APPLIED, VERIFIED, UNDONE, FINISHED)
_DIFF_STYLE = {"-": "red", "+": "green", "@": "cyan"}


def block(remediation: Remediation, approvals: Sequence[Approval], start: datetime) -> RenderableType:
    """Return everything about a Remediation, times counted from `start`."""
    name = remediation.metadata.name
    mine = [a for a in approvals if a.spec.remediation == name]
    parts: list[RenderableType] = [heading(remediation), plan(remediation)]
    if remediation.status.decision is not None:
        parts += [words("gate", "bold"), gate(remediation.status.decision)]
    if mine:
        parts += [words("approvals", "bold"), said(mine, remediation, start)]
    if remediation.status.results:
        parts += [words("results", "bold"), results(remediation, start)]
    return Padding(Group(*parts), (0, 0, 1, 2), expand=False)


def heading(remediation: Remediation) -> Text:
    """Return its name, what it does and how it ended."""
    spec = remediation.spec
    parameters = " ".join(f"{p.name}={p.value}" for p in spec.parameters)
    line = words(remediation.metadata.name, "bold")
    line.append_text(words(f"  {spec.action} {parameters}".rstrip() + f"  (step {spec.step}, attempt {spec.attempt})"))
    last = furthest(remediation)
    if last is not None:
        line.append_text(words(f"  {last.type}: "))
        line.append_text(outcome(last.reason))
        line.append_text(words(f": {last.message.splitlines()[0]}" if last.message else ""))
    word = taken_back_by(remediation)
    if word is not None:
        line.append_text(words(f"; {word.by} took it back", "bold"))
    return line


def furthest(remediation: Remediation) -> Condition | None:
    """Return the condition that says how far it has come: the last one about which anything is known."""
    known = [c for k in _ORDER if (c := find(remediation.status.conditions, k)) and c.reason != "NotYet"]
    return known[-1] if known else None


def plan(remediation: Remediation) -> RenderableType:
    """Return the plan: summary, reach, hash and diff."""
    found = remediation.status.plan
    if found is None:
        planned = find(remediation.status.conditions, "Planned")
        why = f": {planned.reason}: {planned.message}" if planned is not None else ""
        return words(f"no plan{why}", "yellow")
    out = grid()
    out.add_row("", words("plan", "bold"), words(found.summary))
    reach = f"replaces {counted(found.replaced_pods, 'pod')}, leaves {counted(found.replicas_after, 'replica')}"
    undo = stays(found) or f"if it does not help: {found.on_ineffective}"
    out.add_row("", words("reach", "bold"), words(f"{reach}; {undo}"))
    if len(found.steps) > 1:
        out.add_row("", words("steps", "bold"), words(" -> ".join(f"{e.kind} {e.name}" for e in found.effects)))
    out.add_row("", words("hash", "bold"), words(remediation.status.plan_hash or "-"))
    out.add_row("", words("diff", "bold"), diff(found.diff))
    return out


def diff(text: str) -> Text:
    """Return a unified diff in colours."""
    lines = [words(line, _DIFF_STYLE.get(line[:1], "")) for line in text.splitlines()]
    return Text("\n").join(lines)


def gate(decision: GateDecision) -> RenderableType:
    """Return the chain of checks in order, each with its outcome and reason."""
    out = grid()
    for check in decision.checks:
        out.add_row("", outcome(check.outcome), words(check.name), words(check.message))
    policies = ", ".join(decision.policies) or "no GatePolicy"
    out.add_row("", outcome(decision.outcome), words("=> together", "bold"), words(f"by {policies}"))
    return out


def said(approvals: Sequence[Approval], remediation: Remediation, start: datetime) -> RenderableType:
    """Return what people said, and whether it counted."""
    out = grid()
    for approval in approvals:
        spec, created = approval.spec, approval.metadata.creation_timestamp
        weight = _weight(approval, remediation)
        when = f"{(created - start).total_seconds():+.0f} s" if created is not None else "?"
        reason = f": {spec.reason}" if spec.reason else ""
        out.add_row("", words(when), outcome(spec.decision), words(spec.approver), words(f"{weight}{reason}"))
    return out


def _weight(approval: Approval, remediation: Remediation) -> str:
    if approval.metadata.name in remediation.status.approvals:
        return "counted"
    if approval.spec.plan_hash != remediation.status.plan_hash:
        return "about another plan"
    if _ended_it(approval, remediation):
        return "ended it"
    return _why_ignored(approval, remediation) or (
        "not heard yet" if waiting_for_a_person(remediation) else "not counted"
    )


def _why_ignored(approval: Approval, remediation: Remediation) -> str:
    """Return what `act` said of an Approval that it did not count, where it still waits for others."""
    admitted = find(remediation.status.conditions, ADMITTED)
    _, marked, why = (admitted.message if admitted is not None else "").partition(f"ignored {approval.metadata.name}: ")
    return f"not counted: {why.partition('; ')[0]}" if marked else ""


def _ended_it(approval: Approval, remediation: Remediation) -> bool:
    """Tell whether it ended with this person's denial: `status.approvals` has only what let it through."""
    finished, spec = find(remediation.status.conditions, FINISHED), approval.spec
    denied = finished is not None and finished.reason == "DeniedByPerson" and spec.decision is Word.DENY
    return denied and finished is not None and finished.message.startswith(f"{spec.approver}: ")


def results(remediation: Remediation, start: datetime) -> RenderableType:
    """Return the effects that took place."""
    out = grid()
    for result in remediation.status.results:
        tries = sum(1 for i in remediation.status.intents if (i.effect, i.step) == (result.effect, result.step))
        where = f"{_object(remediation, result)} at resourceVersion {result.resource_version} ({result.proof})"
        out.add_row("", words(offset(result.time, start)), words(result.effect), words(f"{where}; {tries} tried"))
    return out


def _object(remediation: Remediation, result: Result) -> str:
    plan = remediation.status.plan
    if plan is None or result.step >= len(plan.steps):
        return "target"
    effect = plan.effects[result.step]
    return f"{effect.kind} {effect.name}"
