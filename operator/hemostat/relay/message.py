"""The message of an Incident: what is wrong, why, what is proposed, who may decide, and the buttons to do so (pure).

One message, written over as the Incident goes on; what is said about it is in its thread. It is bounded: Slack refuses
messages of more than 50 blocks or about 13,000 characters.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hemostat.action.undoing import stays
from hemostat.api.approval import Via
from hemostat.api.incident import RESOLVED, Incident, Severity, SignalState
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import (
    ADMITTED,
    APPLIED,
    FINISHED,
    PLANNED,
    UNDONE,
    VERIFIED,
    CheckOutcome,
    GateOutcome,
    Plan,
    Remediation,
)
from hemostat.relay.redacted import redacted_diff
from hemostat.relay.rich import (
    beginning,
    block,
    bold,
    code,
    escaped,
    fits,
    header,
    line,
    plain,
    plain_text,
    points,
    preformatted,
    shown,
    told,
)
from hemostat.relay.ticket import Ticket, ticket
from hemostat.signals.correlate import is_over
from hemostat.signals.sentence import named
from hemostat.signals.words import counted, duration

Json = dict[str, Any]
MAX_SIGNALS, MAX_CITED, MAX_RULED_OUT, MAX_REASONS, MAX_DECIDERS = 5, 5, 3, 4, 10
MAX_STATE = 170
_APPROVED = "Approved"
"""The reason whose message says who has: their names are to be read, though they look like personal data."""
MAX_SIZE = 12_500
"""Characters of the blocks as JSON (github.com/slackapi/bolt-js/issues/2509)."""
_COLOUR = {Severity.CRITICAL: "\N{LARGE RED CIRCLE}", Severity.MAJOR: "\N{LARGE ORANGE CIRCLE}"}
_ORDER = (FINISHED, UNDONE, VERIFIED, APPLIED, ADMITTED, PLANNED)


class Button(StrEnum):
    """What can be pressed; the names by which Slack tells of it."""

    APPROVE = "hemostat_approve"
    DENY = "hemostat_deny"
    SNOOZE = "hemostat_snooze"
    EXPLAIN = "hemostat_explain"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The Remediation proposed last, and what is known of it beside its own words."""

    remediation: Remediation
    risk: str = ""
    """Of its Runbook; empty where that is gone."""
    heard: str = ""
    """Who has approved, while that is not enough."""
    deciders: tuple[str, ...] = ()
    """People with a Slack account who may decide it, by user name."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to stand in Slack."""

    text: str
    """For notifications and screen readers."""
    blocks: tuple[Json, ...]
    urgent: str
    """What is not to wait for its turn when it changes."""


def waits(remediation: Remediation | None) -> bool:
    """Tell whether a person has to decide it now."""
    if remediation is None or remediation.status.decision is None or remediation.status.plan is None:
        return False
    conditions = remediation.status.conditions
    done = is_true(conditions, ADMITTED) or is_true(conditions, FINISHED)
    return not done and remediation.status.decision.outcome is GateOutcome.NEEDS_APPROVAL


def why_not_here(remediation: Remediation) -> str:
    """Return why it cannot be approved in Slack: whoever does must have seen the whole of what would be changed."""
    plan, decision = remediation.status.plan, remediation.status.decision
    if decision is not None and Via.SLACK in decision.refused_channels:
        return "A GatePolicy takes no approval of this by Slack"
    if plan is None or not fits(plan.diff):
        return "Its diff does not fit here whole"
    return "" if redacted_diff(plan.diff) == plan.diff else "What is secret in its diff is not told here"


def compose(incident: Incident, proposal: Proposal | None, snoozed: str = "") -> Message:
    """Return the message as it has to be now. Evidence is left to Explain where it would become too large.

    :param snoozed: until when nobody is reminded, in words.
    """
    over = is_over(incident)
    blocks = _blocks(incident, proposal, snoozed, over=over)
    if len(json.dumps(blocks, ensure_ascii=False)) > MAX_SIZE:
        blocks = _blocks(incident, proposal, snoozed, over=over, facts=False)
    return Message(
        text=escaped(f"{_title(incident, over=over)}: {told(_summary(incident), 256)}"),
        blocks=tuple(blocks),
        urgent=_urgent(incident, proposal, over=over) + snoozed,
    )


def _blocks(
    incident: Incident, proposal: Proposal | None, snoozed: str, *, over: bool, facts: bool = True
) -> list[Json]:
    found = proposal.remediation if proposal is not None else None
    why = _why(incident) if facts else _why(incident)[:1]
    blocks = [header(_title(incident, over=over)), block(*_wrong(incident), *why)]
    if proposal is not None:
        blocks += _proposed(proposal, over=over)
    buttons = [] if over else _buttons(ticket(incident, found), found)
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    if snoozed and not over:
        blocks.append(block(line(plain(f"Nobody is reminded until {snoozed}."))))
    return [*blocks, _footer(incident)]


def _urgent(incident: Incident, proposal: Proposal | None, *, over: bool) -> str:
    said = f"{over}|{incident.status.severity}"
    if proposal is None:
        return said
    found = proposal.remediation
    return f"{said}|{found.metadata.uid}|{_stands(found)}|{waits(found)}|{proposal.heard}|{proposal.deciders}"


def _title(incident: Incident, *, over: bool) -> str:
    severity, target = incident.status.severity, incident.spec.target_ref
    sign = "\N{WHITE HEAVY CHECK MARK}" if over else _COLOUR.get(severity or Severity.MINOR, "\N{LARGE YELLOW CIRCLE}")
    resolved = find(incident.status.conditions, RESOLVED)
    state = f"resolved ({resolved.reason})" if over and resolved is not None else str(severity or "trouble")
    return f"{sign} {state}: {target.kind} {told(target.name, 60)} in {incident.metadata.namespace}"


def _summary(incident: Incident) -> str:
    return incident.status.summary or incident.spec.title


def _wrong(incident: Incident) -> list[Json]:
    status = incident.status
    parts = [line(bold("What is wrong  "), plain(told(_summary(incident), 256)))]
    parts.append(line(plain(f"since {incident.spec.started_time:%Y-%m-%d %H:%M:%S} UTC")))
    firing = [s for s in status.signals if s.state is SignalState.FIRING]
    lines = [line(plain(told(named(s), 100))) for s in firing[:MAX_SIGNALS]]
    if len(firing) > MAX_SIGNALS:
        lines.append(line(plain(f"and {counted(len(firing) - MAX_SIGNALS, 'more signal')}")))
    if lines:
        parts.append(points(*lines))
    if status.part_of is not None:
        parts.append(line(plain(f"Incident {status.part_of.name} is its cause: what is to be done is proposed there.")))
    if status.storm is not None:
        parts.append(line(plain(told(status.storm.words, 300))))
    return parts


def _why(incident: Incident) -> list[Json]:
    found = incident.status.diagnosis
    if found is None:
        return [line(bold("Why  "), plain("not diagnosed yet"))]
    chosen = next((h for h in found.hypotheses if found.runbook_ref and h.runbook == found.runbook_ref.name), None)
    cause = found.cause or (chosen.cause if chosen is not None else "no Runbook explains it")
    parts = [line(bold("Why  "), plain(told(cause, 400)), plain(f"  ({found.by})"))]
    cited = [*(c for s in found.statements for c in s.cites), *(chosen.cites if chosen is not None else ())]
    facts = {e.id: e for e in incident.status.evidence}
    shown = [facts[i] for i in dict.fromkeys(cited) if i in facts]
    lines = [line(bold(f"{e.id} "), plain(told(e.summary, 180))) for e in shown[:MAX_CITED]]
    if len(shown) > MAX_CITED:
        lines.append(line(plain(f"and {len(shown) - MAX_CITED} more: Explain shows them")))
    out = [h for h in found.hypotheses if h.ruled_out][:MAX_RULED_OUT]
    lines += [
        line(bold(f"{'' if h.ruled_out_only else 'not '}{told(h.runbook, 60)}: "), plain(told(h.ruled_out or "", 120)))
        for h in out
    ]
    return [*parts, points(*lines)] if lines else parts


def _proposed(proposal: Proposal, *, over: bool) -> list[Json]:
    found, plan = proposal.remediation, proposal.remediation.status.plan
    if plan is None:
        return [block(line(bold("Proposed  "), plain(f"{found.spec.action}: {_stands(found)}")))]
    parts = [
        line(bold("Proposed  "), plain(told(plan.summary, 300))),
        points(*_reach(plan, proposal)),
        line(bold("State  "), plain(_stands(found))),
    ]
    decision = found.status.decision
    if waits(found) and decision is not None and not over:
        reasons = [c.message for c in decision.checks if c.outcome is not CheckOutcome.PASS]
        parts.append(points(*(line(plain(told(r, 160))) for r in reasons[:MAX_REASONS])))
        heard = proposal.heard or f"0 of {counted(decision.quorum, 'person').replace('persons', 'people')} approved"
        parts.append(line(bold("Approvals  "), plain(shown(heard, 300))))
        parts.append(line(bold("Who may decide  "), plain(_who(proposal.deciders))))
        if why := why_not_here(found):
            parts.append(_elsewhere(found, why))
    return [block(*parts), *_diff(found, plan, over=over)]


def _reach(plan: Plan, proposal: Proposal) -> list[Json]:
    undo = stays(plan) or f"if it does not help: {plan.on_ineffective}"
    if plan.hold_seconds is not None:
        undo += f"; taken back by itself after {duration(plan.hold_seconds)}"
    reach = f"replaces {counted(plan.replaced_pods, 'pod')}, leaves {counted(plan.replicas_after, 'replica')}"
    sure = f"{proposal.remediation.spec.confidence_percent} % by the diagnosis' own word"
    return [
        line(bold("risk "), plain(told(proposal.risk or "unknown", 20))),
        line(bold("blast radius "), plain(f"{reach}; {undo}")),
        line(bold("confidence "), plain(sure)),
    ]


def _diff(found: Remediation, plan: Plan, *, over: bool) -> list[Json]:
    if over or is_true(found.status.conditions, FINISHED):
        return []
    diff = redacted_diff(plan.diff)
    if fits(plan.diff) and fits(diff):
        return [block(preformatted(diff))] if diff.strip() else []
    return [block(preformatted(beginning(diff)), line(plain("and more: this is not the whole diff")))]


def _elsewhere(found: Remediation, why: str) -> Json:
    where = f"-n {found.metadata.namespace} {found.metadata.name}"
    see, decide = code(f"kubectl hemostat explain {where}"), code(f"kubectl hemostat approve {where}")
    return line(bold(why), plain(": see it and approve by "), see, plain(" and "), decide)


def _who(deciders: Sequence[str]) -> str:
    if not deciders:
        return "nobody who is known here: kubectl hemostat approve"
    names = ", ".join(shown(name, 50) for name in deciders[:MAX_DECIDERS])
    return names + (f" and {len(deciders) - MAX_DECIDERS} more" if len(deciders) > MAX_DECIDERS else "")


def _stands(remediation: Remediation) -> str:
    """Return how far it has come: the last condition about which anything is known."""
    known = (find(remediation.status.conditions, kind) for kind in _ORDER)
    last = next((c for c in known if c is not None and c.reason != "NotYet"), None)
    if last is None:
        return "proposed"
    said = shown if last.reason == _APPROVED else told
    return f"{last.type}: {last.reason}" + (f": {said(last.message, MAX_STATE)}" if last.message else "")


def _buttons(carried: Ticket, found: Remediation | None) -> list[Json]:
    value, out = carried.text(), []
    if found is not None and waits(found) and not why_not_here(found):
        out.append(_button(Button.APPROVE, "Approve", value, "primary"))
        out[-1]["confirm"] = {
            "title": plain_text("Approve this plan?"),
            "text": plain_text(f"It is carried out in your name: {(found.status.plan_hash or '')[:19]}..."),
            "confirm": plain_text("Approve"),
            "deny": plain_text("Back"),
        }
    if waits(found):
        out.append(_button(Button.DENY, "Deny", value, "danger"))
        out.append(_button(Button.SNOOZE, "Snooze 1 h", value))
    out.append(_button(Button.EXPLAIN, "Explain", value))
    return out


def _button(button: Button, label: str, value: str, style: str = "") -> Json:
    made: Json = {"type": "button", "action_id": button.value, "text": plain_text(label), "value": value}
    return made | ({"style": style} if style else {})


def _footer(incident: Incident) -> Json:
    where = f"-n {incident.metadata.namespace} {incident.metadata.name}"
    return {"type": "context", "elements": [plain_text(f"kubectl hemostat show {where}")]}
