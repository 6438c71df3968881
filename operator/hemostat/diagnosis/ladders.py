"""Each conversation of agents climbs the Runbook's ladder by itself (pure).

What was done about one says nothing about another: a loop that begins while another one is cut is cut as well, at once
and by the gentlest rung. Actions that stay (a rollback) are the target's, whatever happens in how many conversations.
"""

import hashlib
from collections.abc import Sequence

from hemostat.api.incident import Advice, ConversationStatus, Incident, SignalState
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import FINISHED, Remediation
from hemostat.api.runbook import Runbook
from hemostat.diagnosis.outcomes import WHOLE, stays
from hemostat.diagnosis.propose import Confidence, NothingToPropose, Proposal, propose
from hemostat.signals.correlate import openings

MAX_AT_WORK = 8
"""Remediations of one Incident that are at work at once, each about other conversations."""
MAX_PROPOSED = 64
"""Remediations of one opening; after that a person is asked."""
MAX_TOGETHER = 16
"""Conversations that one Remediation is about."""
_WORTH = {"Healed": "Ineffective", "NothingToCut": "Drifted", "NotNeeded": "Drifted"}
"""What an end is worth once the conversation is in trouble again: it did not last, or nothing had been done."""
ANYBODY = "*"
"""The caller of an edge that everybody is to be kept from: trouble of a provider is no conversation's own."""


def propose_next(
    incident: Incident, runbook: Runbook, sure: Confidence, done: Sequence[Remediation], requester: str
) -> Proposal | NothingToPropose:
    """Return what `propose` does, for the conversations that stand on the lowest rung, or else for the target."""
    mine = [r for r in done if r.spec.opening == openings(incident)]
    names = in_trouble(incident)
    if names is None or any(stays(r) for r in mine):
        whole = done if any(stays(r) for r in mine) else [r for r in done if not r.spec.conversations or _at_work(r)]
        return propose(incident, runbook, sure, whole, requester)
    at_work = [r for r in mine if _at_work(r)]
    alone = next((r for r in at_work if not r.spec.conversations or r.status.plan is None), None)
    if alone is not None or len(at_work) >= MAX_AT_WORK:
        return NothingToPropose("InProgress", f"{(alone or at_work[0]).metadata.name} is not finished")
    if not names:
        return NothingToPropose("NothingFires", "no conversation is in trouble at the moment")
    if len(mine) >= MAX_PROPOSED:
        return NothingToPropose("Exhausted", f"{len(mine)} remediations were proposed, and it goes on")
    found = {name: propose(incident, runbook, sure, _about(name, mine, done), requester) for name in names}
    proposals = {name: p for name, p in found.items() if isinstance(p, Proposal)}
    if not proposals:
        nothing = [n for n in found.values() if isinstance(n, NothingToPropose)]
        return min(nothing, key=lambda n: n.reason != "InProgress")
    lowest = min((p.spec.step, p.spec.attempt) for p in proposals.values())
    group = [n for n, p in proposals.items() if (p.spec.step, p.spec.attempt) == lowest][:MAX_TOGETHER]
    return _together(group, proposals[group[0]])


def in_trouble(incident: Incident) -> tuple[str, ...] | None:
    """Return the conversations in trouble, those to cut if there are any; None if trouble is not theirs alone."""
    own = [s for s in incident.status.signals if s.watch_ref is None]
    if not any(s.conversation is not None for s in own):
        return None
    firing = [s for s in own if s.state is SignalState.FIRING]
    told = [s.conversation for s in firing if s.conversation is not None]
    if firing and not told:
        return None
    cut = [t for t in told if t.advice is Advice.CUT] or told
    if any(_everybodys(t) for t in cut):
        return None
    return tuple(sorted({c.id for t in cut for c in t.conversations}))


def about(incident: Incident) -> tuple[str, ...] | None:
    """Return what must have been tried for all of these before it is ruled out; None where nothing fires just now."""
    names = in_trouble(incident)
    return (WHOLE,) if names is None else names or None


def _everybodys(trouble: ConversationStatus) -> bool:
    named = trouble.conversations
    return trouble.caller == ANYBODY or not named or trouble.affected > len(named)


def _at_work(remediation: Remediation) -> bool:
    return not is_true(remediation.status.conditions, FINISHED)


def _about(name: str, mine: Sequence[Remediation], done: Sequence[Remediation]) -> list[Remediation]:
    """Return the Remediations about a conversation in trouble, as what they are worth now that it is there again."""
    return [_now_that_it_is_back(r) if r in mine else r for r in done if name in r.spec.conversations]


def _now_that_it_is_back(remediation: Remediation) -> Remediation:
    status, finished = remediation.status, find(remediation.status.conditions, FINISHED)
    reason = _WORTH.get(finished.reason) if finished is not None else None
    if finished is None or reason is None:
        return remediation
    ended = finished.model_copy(update={"reason": reason})
    conditions = tuple(ended if c is finished else c for c in status.conditions)
    return remediation.model_copy(update={"status": status.model_copy(update={"conditions": conditions})})


def _together(names: Sequence[str], first: Proposal) -> Proposal:
    """Return the proposal for all of these; which they are is in its name."""
    end = "-c" + hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
    return Proposal(
        name=first.name[: 253 - len(end)] + end,
        spec=first.spec.model_copy(update={"conversations": tuple(names)}),
    )
