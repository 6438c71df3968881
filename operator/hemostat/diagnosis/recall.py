"""What the matcher saw, put together again from a stored Incident, and what is lost (pure).

An Incident keeps its signals as they were observed last, and everything else in numbered evidence: an identity, a time
and a sentence. What an identity, a time or our own sentence says for certain is taken; what none of them says is left
out of the variables, so that a symptom that asks for it is neither found nor missing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hemostat.api.incident import MAX_EVIDENCE, Advice, Evidence, EvidenceKind, Incident, SignalState, SignalStatus
from hemostat.diagnosis.evidence import MAX_CHANGES, MAX_KEY, Change, Facts
from hemostat.diagnosis.redact import redact, told
from hemostat.signals.changes import RECENT, ChangeKind
from hemostat.signals.correlate import began, own
from hemostat.signals.workload import Aspect, WorkloadState

_CHANGE = re.compile(r"change/([A-Za-z]+)/")
_REPLICAS = re.compile(r"(\d+) of (\d+) replicas ready, (\d+) of the newest template")
_SURPLUS = re.compile(r"(\d+) replicas ready, (\d+) wanted, (\d+) of the newest template")
_TOLD = re.compile(r" (?:before|after) the incident opened: ")
_ASPECT_KEY = re.compile(r"[^/]+/([A-Za-z]+)/")


@dataclass(frozen=True, slots=True)
class Recalled:
    """The facts of an Incident as far as it still has them."""

    facts: Facts
    unknown: frozenset[str]
    """What nothing in the Incident tells: `workload.complete`, or all `changes`."""
    lossy: tuple[str, ...]
    """What is not as the matcher saw it, in sentences."""

    def cel(self) -> dict[str, Any]:
        """Return the CEL variables, without what is not known."""
        variables = {name: value for name, value in self.facts.cel().items() if name not in self.unknown}
        workload = variables["workload"].items()
        return variables | {"workload": {k: v for k, v in workload if f"workload.{k}" not in self.unknown}}


def recall(incident: Incident) -> Recalled:
    """Put together what is known of a stored Incident."""
    evidence = incident.status.evidence
    lossy: list[str] = []
    signals = tuple(_signals(incident, lossy))
    changes, callees, unread = _changes(evidence, began(incident))
    troubles = tuple(e.summary for e in evidence if e.kind is EvidenceKind.WORKLOAD and e.key.startswith("pod/"))
    aspects = tuple(dict.fromkeys((*_told_aspects(signals), *_named_aspects(troubles))))
    state, unknown = _workload(evidence, stuck=Aspect.ROLLOUT_STUCK in aspects)
    if unread:
        unknown |= {"changes", "calleeChanges"}
        lossy.append(f"{', '.join(unread)}: cannot be read as changes of this version of Hemostat")
    if unknown:
        said = "not stored; what depends on it is neither found nor missing"
        lossy.append(f"{', '.join(sorted(unknown))}: {said}")
    if changes or callees:
        lossy.append("the detail of changes: cut to a sentence, without secrets and personal data")
    if "workload.desired" not in unknown:
        lossy.append("workload.desired and workload.ready: as they were when first noted")
    if troubles or aspects:
        lossy.append("workload.troubles and workload.aspects: all that were ever noted, not those of one moment")
    if len(evidence) >= MAX_EVIDENCE:
        lossy.append(f"evidence is full ({MAX_EVIDENCE} items): what came later is not stored")
    if sum(e.kind is EvidenceKind.CHANGE for e in evidence) >= MAX_CHANGES:
        lossy.append(f"evidence has {MAX_CHANGES} changes: later ones are not stored")
    target = incident.spec.target_ref
    facts = Facts({"kind": target.kind, "name": target.name}, signals, changes, state, troubles, aspects, callees)
    return Recalled(facts, unknown, tuple(lossy))


def _signals(incident: Incident, lossy: list[str]) -> Iterator[SignalStatus]:
    """Yield the target's own signals; what evidence says to have fired fires, although it may be over by now."""
    fired = {e.key: e.id for e in incident.status.evidence if e.kind is EvidenceKind.SIGNAL}
    for signal in own(incident.status.signals):
        key = redact(f"signal/{signal.key}")
        cited = fired.get(key[:MAX_KEY])
        if (cut := fired.get(f"{key}/{Advice.CUT}"[:MAX_KEY])) and signal.conversation is not None:
            talk = signal.conversation.model_copy(update={"advice": Advice.CUT})
            signal, cited = signal.model_copy(update={"conversation": talk}), cited or cut
        if cited is not None and signal.state is not SignalState.FIRING:
            lossy.append(
                f"signal {signal.subject} ({signal.kind}): {signal.state} by now, taken as Firing, as {cited} says; "
                "its value is a later one"
            )
            signal = signal.model_copy(update={"state": SignalState.FIRING})
        yield signal


def remembered(facts: Facts, evidence: Sequence[Evidence], opened: datetime) -> Facts:
    """Return the facts with changes that evidence holds and that nothing shows any more.

    Whoever undoes a rollout takes with it what the revisions told of it: it was changed all the same.

    :param opened: when the trouble began, from which ages count.
    """
    shown = {told(c.key)[:MAX_KEY] for c in (*facts.changes, *facts.callee_changes)}
    gone = [e for e in evidence if e.kind is EvidenceKind.CHANGE and e.key not in shown]
    here, there, _ = _changes(gone, opened)
    recent = [tuple(c for c in found if c.age_seconds <= RECENT.total_seconds()) for found in (here, there)]
    return replace(facts, changes=(*facts.changes, *recent[0]), callee_changes=(*facts.callee_changes, *recent[1]))


def _changes(
    evidence: Sequence[Evidence], opened: datetime
) -> tuple[tuple[Change, ...], tuple[Change, ...], tuple[str, ...]]:
    """Return the changes at the target, those at its callees, and the ids of evidence that cannot be read as one."""
    here: list[Change] = []
    there: list[Change] = []
    unread: list[str] = []
    for item in (e for e in evidence if e.kind is EvidenceKind.CHANGE):
        key, said = _CHANGE.match(item.key), _TOLD.search(item.summary)
        if key is None or key[1] not in set(ChangeKind) or said is None:
            unread.append(item.id)
            continue
        age = (opened - item.observed_time).total_seconds()
        change = Change(key[1], item.subject, item.observed_time, age, item.summary[said.end() :])
        begins = f"{key[1]} of {item.subject} " if key[1] == ChangeKind.ROLLOUT else f"{item.subject} was changed "
        callee = item.summary.removeprefix(begins).startswith("at a callee, ")
        (there if callee else here).append(change)
    return tuple(here), tuple(there), tuple(unread)


def _told_aspects(signals: Sequence[SignalStatus]) -> Iterator[str]:
    """Yield what signals from the API server name in their keys."""
    for signal in signals:
        found = _ASPECT_KEY.match(signal.key)
        if signal.state is SignalState.FIRING and found is not None and found[1] in set(Aspect):
            yield found[1]


def _named_aspects(troubles: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong in one word where that word is ours, and not the API server's own."""
    for trouble in troubles:
        word = trouble.split(": ")[1:2]
        if word and word[0] in set(Aspect):
            yield word[0]


def _workload(evidence: Sequence[Evidence], *, stuck: bool) -> tuple[WorkloadState, frozenset[str]]:
    """Return how the workload stood when it was first noted, and what of it is unknown."""
    unknown = {"workload.complete"} if stuck else {"workload.complete", "workload.stuck"}
    text = next((e.summary for e in evidence if e.kind is EvidenceKind.WORKLOAD and e.key == "workload"), "")
    found = _REPLICAS.fullmatch(text) or _SURPLUS.fullmatch(text)
    if found is None:
        nothing = WorkloadState(desired=0, ready=0, updated=0, total=0, complete=False, stuck=stuck)
        return nothing, frozenset({*unknown, "workload.desired", "workload.ready"})
    ready, desired, updated = (int(n) for n in found.groups())
    if ready < desired or updated < desired:  # a rollout that is complete has all of them
        unknown.discard("workload.complete")
    state = WorkloadState(desired=desired, ready=ready, updated=updated, total=ready, complete=False, stuck=stuck)
    return state, frozenset(unknown)
