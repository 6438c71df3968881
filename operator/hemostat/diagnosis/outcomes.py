"""What came of an Incident's Remediations, as evidence for its next round of diagnosis (pure).

An action that was denied or in vain is ruled out in every Runbook, for this opening of the Incident; a Runbook whose
action made it worse is ruled out as a whole: its cause is not believed any more.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from hemostat.api.incident import Diagnosis, Evidence, EvidenceKind, Hypothesis, Incident
from hemostat.api.meta import find, is_true
from hemostat.api.remediation import APPLIED, FINISHED, UNDONE, Remediation
from hemostat.api.runbook import Parameters, Runbook
from hemostat.diagnosis.evidence import Item
from hemostat.signals.correlate import openings

UNFIT = frozenset(
    {
        *("NoGuard", "NotInstalled", "NoWorkload", "SameWorkload", "SharedIdentity", "NoDeadlock", "WhichPod"),
        "WrongKind",
        *("NothingToMove", "NotTheNode", "WhichNode", "NodesNotGranted", "LocalStorage", "BarePods"),
        *("NoSuchPod", "NoLabel", "WouldLift", "AlreadyCordoned", "NotCordoned", "NodeNotReady"),
        *("AlreadySuspended", "NotFailed", "NoClaim", "WhichVolume", "NotBound", "NotExpandable", "Resizing"),
        *("NoService", "NoAdminKey", "NoKey", "NoTask", "WhichTask", "TaskNotCancelable", "Unreachable"),
    }
)
"""The action does not fit this namespace or this trouble: it was refused before anything was done."""
DENIED, INEFFECTIVE, WORSE = "DeniedByPerson", "Ineffective", "Worse"
ROUNDS = frozenset({DENIED, INEFFECTIVE, WORSE})
"""Outcomes that speak against a diagnosis: each begins a round, of which there is a bounded number."""
_SAID = {DENIED: "was denied by a person", INEFFECTIVE: "did not help", WORSE: "made it worse, and was undone"}

_OF = re.compile(r"[a-z0-9-]+ of Runbook (\S+) ")
"""How `_told` begins."""


class Spent(NamedTuple):
    """Why a Runbook is out of the question."""

    why: str
    keys: frozenset[str]
    """Identities of the evidence that says so."""
    refused: bool = False
    """Whether people refused every action, and nothing else speaks against it: that says nothing about the cause."""


WHOLE = ""
"""Stands among conversations for all that a target does."""
NOTHING_SPENT: Mapping[str, Spent] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried, or was to be, since the Incident was opened or came back last."""

    over: tuple[Remediation, ...] = ()
    """What was denied, was in vain or did not fit, in the order in which it ended."""
    settled: bool = True
    """Whether nothing is at work, was of effect, or waits for a person: another action may be proposed."""
    about: tuple[str, ...] | None = None
    """The conversations of agents that are in trouble, `WHOLE` for the target: what was about others rules out nothing.
    None: whatever was tried counts."""

    @property
    def rounds(self) -> int:
        """How many of them began a round of diagnosis."""
        return sum(_reason(r) in ROUNDS for r in self.over)

    def items(self) -> list[Item]:
        """Return them as evidence."""
        return [_item(r) for r in self.over]

    def spent(self, runbooks: Iterable[Runbook]) -> dict[str, Spent]:
        """Return which Runbooks have nothing left to try, by name, and why."""
        found = {}
        for runbook in runbooks:
            worse = [r for r in self.over if _reason(r) == WORSE and r.spec.runbook_ref.name == runbook.metadata.name]
            blocked = [self._blocked_by(s.action, s.parameters) for s in runbook.spec.remediations]
            known = [r for r in blocked if r is not None]
            if worse or (
                blocked and len(known) == len(blocked)
            ):  # who names no step has none left to try, and is right
                found[runbook.metadata.name] = _spent(worse or known)
        return found

    def allows(self, runbook: Runbook, step: int) -> bool:
        """Tell whether a step of a Runbook is not ruled out."""
        wanted = runbook.spec.remediations[step]
        return self._blocked_by(wanted.action, wanted.parameters) is None

    def left(self, runbook: Runbook) -> Runbook:
        """Return the Runbook without the steps that are ruled out: what a model may be told would be done."""
        steps = tuple(s for i, s in enumerate(runbook.spec.remediations) if self.allows(runbook, i))
        return runbook.model_copy(update={"spec": runbook.spec.model_copy(update={"remediations": steps})})

    def _blocked_by(self, action: str, parameters: Parameters) -> Remediation | None:
        same = [r for r in self.over if (r.spec.action, _values(r.spec.parameters)) == (action, _values(parameters))]
        if self.about is None:
            return next(iter(same), None)
        each = [next((r for r in same if _concerns(r, name)), None) for name in self.about]
        return None if None in each else next(iter(each), None)


def tried(incident: Incident, done: Sequence[Remediation], about: tuple[str, ...] | None = None) -> Tried:
    """Put together what is known of the present opening.

    :param done: all Remediations of the Incident, finished or not.
    :param about: as `Tried` has it.
    """
    mine = [r for r in done if r.spec.opening == openings(incident)]
    over = sorted((r for r in mine if _in_vain(r)), key=lambda r: (_ended(r), r.metadata.name))
    return Tried(tuple(over), all(r in over or _never_done(r) for r in mine), about)


def given_up(diagnosis: Diagnosis, evidence: Sequence[Evidence]) -> tuple[Hypothesis, Evidence] | None:
    """Return the last cause that was believed before its action was denied or in vain, and the evidence of that."""
    by_name = {h.runbook: h for h in diagnosis.hypotheses}
    for item in reversed([e for e in evidence if e.kind is EvidenceKind.OUTCOME]):
        found = _OF.match(item.summary)
        if found is not None and found[1] in by_name:
            return by_name[found[1]], item
    return None


def stays(remediation: Remediation) -> bool:
    """Tell whether it would not end by itself: then it is about the target, whichever conversations it names."""
    return remediation.status.plan is not None and remediation.status.plan.hold_seconds is None


def _concerns(remediation: Remediation, conversation: str) -> bool:
    named = remediation.spec.conversations
    return not named or conversation in named or stays(remediation)


def _in_vain(remediation: Remediation) -> bool:
    reason = _reason(remediation)
    return reason in UNFIT or (reason in ROUNDS and (reason != WORSE or is_true(remediation.status.conditions, UNDONE)))


def _never_done(remediation: Remediation) -> bool:
    conditions = remediation.status.conditions
    return is_true(conditions, FINISHED) and not is_true(conditions, APPLIED)


def _reason(remediation: Remediation) -> str:
    conditions = remediation.status.conditions
    finished = find(conditions, FINISHED)
    return finished.reason if finished is not None and is_true(conditions, FINISHED) else ""


def _ended(remediation: Remediation) -> str:
    finished = find(remediation.status.conditions, FINISHED)
    return finished.last_transition_time.isoformat() if finished is not None else ""


def _values(parameters: Parameters) -> frozenset[tuple[str, str]]:
    return frozenset((p.name, p.value) for p in parameters)


def _item(remediation: Remediation) -> Item:
    finished = find(remediation.status.conditions, FINISHED)
    assert finished is not None  # else it is not over
    return Item(
        key=f"outcome/{remediation.metadata.name}",
        kind=EvidenceKind.OUTCOME,
        subject=remediation.spec.action,
        summary=f"{_told(remediation)}: {finished.message}",
        time=finished.last_transition_time,
    )


def _told(remediation: Remediation) -> str:
    said = _SAID.get(_reason(remediation), f"does not fit here ({_reason(remediation)})")
    return f"{remediation.spec.action} of Runbook {remediation.spec.runbook_ref.name} {said}"


def _spent(because: Sequence[Remediation]) -> Spent:
    why = "; ".join(dict.fromkeys(_told(r) for r in because))
    refused = all(_reason(r) == DENIED for r in because)
    return Spent(why[:1024], frozenset(_item(r).identity for r in because), refused)
