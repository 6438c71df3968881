"""The windows that a button opens: why is it denied, and what does the gate say (pure).

https://docs.slack.dev/reference/views/modal-views
"""

from collections.abc import Sequence
from typing import Any

from hemostat.api.approval import Approval
from hemostat.api.incident import Incident
from hemostat.api.remediation import Remediation
from hemostat.relay.rich import block, bold, code, line, plain, plain_text, points, shown, told

Json = dict[str, Any]
DENIAL = "hemostat_denial"
REASON = "hemostat_reason"
MAX_REASON = 1000
MAX_SAID, MAX_FACTS, MAX_TEXT, MAX_NAME = 10, 25, 200, 80
"""Of everything only so much: Slack refuses windows that are too large, and whoever wants all of it has kubectl."""


def denial(remediation: str, private: str) -> Json:
    """Return the window that asks for the reason.

    :param private: what its submission carries.
    """
    field = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": 3,
        "max_length": MAX_REASON,
    }
    return {
        "type": "modal",
        "callback_id": DENIAL,
        "private_metadata": private,
        "title": plain_text("Deny"),
        "submit": plain_text("Deny"),
        "close": plain_text("Back"),
        "blocks": [
            block(line(plain("One denial outweighs every approval of "), code(told(remediation, 253)), plain("."))),
            {"type": "input", "block_id": REASON, "label": plain_text("Why?"), "element": field},
        ],
    }


def explanation(incident: Incident, remediation: Remediation | None, approvals: Sequence[Approval]) -> Json:
    """Return the window with the gate's chain of checks, who said what, and all the evidence."""
    blocks = _of_remediation(remediation, approvals) if remediation is not None else []
    evidence = incident.status.evidence
    facts = [line(bold(f"{e.id} {e.kind} "), plain(told(e.summary, MAX_TEXT))) for e in evidence[:MAX_FACTS]]
    if len(evidence) > MAX_FACTS:
        facts.append(line(plain(f"and {len(evidence) - MAX_FACTS} more")))
    if facts:
        blocks.append(block(line(bold("Evidence")), points(*facts)))
    if not blocks:
        blocks.append(block(line(plain("Nothing is known beyond the message yet."))))
    return {"type": "modal", "title": plain_text("Explain"), "close": plain_text("Close"), "blocks": blocks}


def _of_remediation(found: Remediation, approvals: Sequence[Approval]) -> list[Json]:
    where, out = f"-n {found.metadata.namespace} {found.metadata.name}", []
    decision = found.status.decision
    if decision is not None:
        checks = [line(bold(f"{c.outcome} {c.name}: "), plain(told(c.message, MAX_TEXT))) for c in decision.checks]
        policies = ", ".join(decision.policies) or "no GatePolicy"
        together = line(bold(f"together: {decision.outcome} "), plain(told(f"by {policies}", 300)))
        out.append(block(line(bold("Gate")), points(*checks, together)))
    said = [
        line(
            bold(f"{a.spec.decision} "),
            plain(f"{shown(a.spec.approver, MAX_NAME)} via {a.spec.via}: {told(a.spec.reason, MAX_TEXT - MAX_NAME)}"),
        )
        for a in approvals[:MAX_SAID]
    ]
    if said:
        out.append(block(line(bold("Said")), points(*said)))
    out.append(
        block(
            line(bold("Plan  "), plain(found.status.plan_hash or "none yet")),
            line(bold("In full  "), code(f"kubectl hemostat explain {where}")),
            line(bold("Taking a word back  "), code(f"kubectl delete approval -n {found.metadata.namespace} NAME")),
        )
    )
    return out
