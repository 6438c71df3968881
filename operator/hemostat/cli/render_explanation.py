"""Why a Remediation may, may not or may not yet be carried out (pure)."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hemostat.api.approval import Approval
from hemostat.api.gatepolicy import GatePolicy
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import ADMITTED, FINISHED, CheckOutcome, GateOutcome, Remediation
from hemostat.cli import render_remediation
from hemostat.cli.text import columns, outcome, words
from hemostat.cli.timeline import waiting_for_a_person


def page(
    remediation: Remediation,
    approvals: Sequence[Approval],
    policies: Sequence[tuple[GatePolicy, str]] | None = None,
    before: Remediation | None = None,
) -> RenderableType:
    """Return the plan, the gate's chain, which policies count, what people said, and what is to be done now.

    :param policies: all GatePolicies, each with why it does not count, or an empty text; None: they may not be read.
    :param before: the proposal of the same step before this one, if there was one.
    """
    parts: list[RenderableType] = [plan_and_gate(remediation), *_drift_of(before), *_drift_of(remediation)]
    if policies is not None:
        parts += [words(""), _policies(policies)]
    start = remediation.status.decision.time if remediation.status.decision else None
    mine = [a for a in approvals if a.spec.remediation == remediation.metadata.name]
    if mine and start is not None:
        parts += [words("Approvals", "bold"), render_remediation.said(mine, remediation, start)]
    return Group(*parts, words(""), words(f"Now: {what_next(remediation)}", "yellow"))


def _drift_of(remediation: Remediation | None) -> list[RenderableType]:
    """Return what had changed when a plan was void: - what was to be approved, + what would have been done then."""
    finished = find(remediation.status.conditions, FINISHED) if remediation is not None else None
    if remediation is None or finished is None or finished.reason != "Drifted":
        return []
    said, _, lines = finished.message.partition("\n")
    heading = words(f"{remediation.metadata.name}: {said}", "bold")
    return [words(""), heading, render_remediation.diff(lines)]


def _policies(policies: Sequence[tuple[GatePolicy, str]]) -> RenderableType:
    if not policies:
        return words("There is no GatePolicy: a person decides everything.", "yellow")
    table = columns("GATEPOLICY", "DECISION", "COUNTS NOW", "BECAUSE")
    for policy, why_not in sorted(policies, key=lambda p: (bool(p[1]), p[0].metadata.name)):
        counts = words("no", "dim") if why_not else words("yes", "green")
        because = Text("; ").join([*_wrong(policy), words(why_not or "it matches")])
        table.add_row(words(policy.metadata.name), words(policy.spec.decision), counts, because)
    return table


def _wrong(policy: GatePolicy) -> list[Text]:
    """Return what `act` says is wrong with a policy, as it is now."""
    ready = find(policy.status.conditions, "Ready")
    if ready is None or ready.status != "False" or ready.observed_generation != policy.metadata.generation:
        return []
    return [words(f"NOT READY: {ready.message}", "bold red")]


def what_next(remediation: Remediation) -> str:
    """Say what follows by itself, or what a person must do."""
    conditions, decision = remediation.status.conditions, remediation.status.decision
    name, namespace = remediation.metadata.name, remediation.metadata.namespace
    finished = find(conditions, FINISHED)
    if finished is not None and is_true(conditions, FINISHED):
        return f"nothing; it ended as {finished.reason}. {_AFTER.get(finished.reason, '')}".strip()
    if waiting_for_a_person(remediation):
        people = f"{decision.quorum} people approve" if decision and decision.quorum > 1 else "a person decides"
        return f"it waits until {people}: kubectl hemostat approve {name} -n {namespace}"
    waiting = next((c for c in conditions if c.status == "Unknown" and c.reason in _BLOCKED), None)
    if decision is None:
        blocked = waiting is not None and not is_true(conditions, ADMITTED)
        return f"it waits: {waiting.message}" if waiting and blocked else "the gate looks at it in a moment"
    if is_true(conditions, ADMITTED):
        return f"it was admitted; {waiting.message}" if waiting is not None else "it was admitted and goes on by itself"
    if decision.outcome is GateOutcome.HOLD:
        holding = ", ".join(c.name for c in decision.checks if c.outcome is CheckOutcome.HOLD)
        return f"it waits for {holding} and is asked again by itself; nobody can approve it meanwhile"
    return "it goes on by itself"


_BLOCKED = ("Stopped", "Forbidden", "NotOptedIn")
"""Reasons of a condition that waits for somebody to give rights, or to let Hemostat go on."""
_AFTER = {
    "Denied": "What the checks above deny has to be changed before anything like it is done.",
    "Drifted": "What it was planned on has changed: a new Remediation with a new plan asks again, if trouble goes on.",
    "WouldHave": "A GatePolicy is in shadow: do yourself what seems right (kubectl hemostat shadow report).",
    "DeniedByPerson": "Another action is proposed if the Runbook has one, else a person must look.",
}


def plan_and_gate(remediation: Remediation) -> RenderableType:
    """Return what a person must have seen before deciding: the plan and the gate's chain as a table."""
    parts: list[RenderableType] = [render_remediation.heading(remediation), render_remediation.plan(remediation)]
    decision = remediation.status.decision
    if decision is None:
        return Group(*parts, words("the gate has not looked at it yet", "yellow"))
    table = columns("CHECK", "SAYS", "BECAUSE")
    for check in decision.checks:
        table.add_row(words(check.name), outcome(check.outcome), words(check.message))
    together = words("Together: ", "bold")
    together.append_text(outcome(decision.outcome))
    policies = ", ".join(decision.policies) or "none"
    together.append_text(words(f" ({_meaning(decision.outcome)}; GatePolicies that match: {policies})"))
    parts += [words(""), table, words(""), together]
    return Group(*parts)


def _meaning(decided: str) -> str:
    return {
        "Allow": "it may be carried out without a person",
        "NeedsApproval": "a person must approve or deny it",
        "Shadow": "a GatePolicy in shadow: nothing is done, it is only said what would be",
        "Hold": "not now; it is asked again",
        "Deny": "it must not be carried out, whoever approves",
    }[decided]
