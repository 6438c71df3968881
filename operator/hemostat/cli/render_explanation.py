"""Why a Remediation may, may not or may not yet be carried out (pure)."""

from collections.abc import Sequence

from rich.console import Group, RenderableType

from hemostat.api.approval import Approval
from hemostat.api.remediation import Remediation
from hemostat.cli import render_remediation
from hemostat.cli.text import columns, outcome, words
from hemostat.cli.timeline import waiting_for_a_person


def page(remediation: Remediation, approvals: Sequence[Approval]) -> RenderableType:
    """Return the plan, the gate's chain, what people said, and what can be done now."""
    parts: list[RenderableType] = [plan_and_gate(remediation)]
    name, namespace = remediation.metadata.name, remediation.metadata.namespace
    start = remediation.status.decision.time if remediation.status.decision else None
    mine = [a for a in approvals if a.spec.remediation == name]
    if mine and start is not None:
        parts += [words("Approvals", "bold"), render_remediation.said(mine, remediation, start)]
    if waiting_for_a_person(remediation):
        parts.append(words(f"Decide: kubectl hemostat approve {name} -n {namespace}", "yellow"))
    return Group(*parts)


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
