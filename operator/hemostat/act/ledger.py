"""What the audit log is told of a Remediation's steps (pure).

One record for each decision, with all that the gate knew kept beside it, and one for everything that a status is about
to say anew: an intent, a result, a condition. They are on disk before the status is written, and no effect is sent
before its intent stands in the status.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from hemostat.action.standing import taken_back_by
from hemostat.api.incident import Incident
from hemostat.api.meta import find
from hemostat.api.remediation import (
    ADMITTED,
    FINISHED,
    PLANNED,
    RELEASED,
    UNATTENDED,
    UNDONE,
    VERIFIED,
    GateDecision,
    Intent,
    Remediation,
    RemediationStatus,
    Result,
)
from hemostat.api.runbook import Runbook
from hemostat.audit.record import Entry, Step, Word, digest
from hemostat.clock import rfc3339
from hemostat.gate.input import GateInput
from hemostat.lifecycle import TAKEN_BACK

_TOLD = {
    PLANNED: Step.PLANNED,
    ADMITTED: Step.ADMITTED,
    RELEASED: Step.RELEASED,
    VERIFIED: Step.VERIFIED,
    UNDONE: Step.UNDONE,
    FINISHED: Step.FINISHED,
}
"""Applied is told by the result."""
DENIED = "DeniedByPerson"
_FACTS: TypeAdapter[GateInput] = TypeAdapter(GateInput)
_RUNBOOKS: TypeAdapter[tuple[Runbook, ...]] = TypeAdapter(tuple[Runbook, ...])
_APART = ("remediation", "incident", "runbook", "policies", "past")
"""Parts of what the gate knows that are kept one by one: most are the same at the next decision, and kept once."""
FACTS, RUNBOOKS = "facts", "runbooks"


class Recorder(Protocol):
    """Writes the audit log."""

    def __call__(self, entry: Entry, kept: Mapping[str, bytes] = ...) -> object:
        """Record it, on disk before this returns. Raises `Retry`: then nothing may be done."""
        ...


def decided(facts: GateInput, decision: GateDecision, runbooks: Sequence[Runbook]) -> tuple[Entry, dict[str, bytes]]:
    """Return the record of a decision, and what is kept beside it so that gate and matcher can be computed again."""
    remediation = facts.remediation
    entry = Entry(
        step=Step.DECIDED,
        word=Word.POLICY if decision.policies else Word.PROCESS,
        names=decision.policies,
        says={
            "outcome": decision.outcome.value,
            "checks": {c.name: f"{c.outcome.value}: {c.message}" for c in decision.checks},
            "planHash": remediation.status.plan_hash,
        },
        digests=_diagnosed(facts.incident),
        **_about(remediation),
    )
    return entry, {**_parts(facts), RUNBOOKS: _RUNBOOKS.dump_json(tuple(runbooks), by_alias=True, exclude_none=True)}


def known(kept: Mapping[str, bytes]) -> tuple[GateInput, tuple[Runbook, ...]]:
    """Return what a decision rested on, from what was kept. Raises ValueError when it is not that."""
    try:
        facts = json.loads(kept[FACTS]) | {name: json.loads(kept[f"{FACTS}.{name}"]) for name in _APART}
        return _FACTS.validate_python(facts), _RUNBOOKS.validate_json(kept[RUNBOOKS])
    except KeyError as error:
        raise ValueError(f"{error} is not kept") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"another version kept it: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def forgotten(namespace: str, name: str, uid: str, reason: str, ended: datetime | None) -> Entry:
    """Return the record that a finished Remediation is about to be deleted, because it is long ago."""
    says = {"finished": reason} | ({"finishedTime": rfc3339(ended)} if ended is not None else {})
    return Entry(step=Step.FORGOTTEN, namespace=namespace, remediation=name, uid=uid, says=says)


def changes(remediation: Remediation, status: RemediationStatus) -> tuple[Entry, ...]:
    """Return what a status says that the stored one does not, in the order in which it comes about."""
    old = remediation.status
    intents = [_intent(remediation, status, i) for i in status.intents if i not in old.intents]
    results = [_result(remediation, status, r) for r in status.results if r not in old.results]
    return (*intents, *results, *_conditions(remediation, status))


def _conditions(remediation: Remediation, status: RemediationStatus) -> list[Entry]:
    """Conditions that are settled anew; what only says why something waits is not told."""
    told = []
    for kind, step in _TOLD.items():
        new, old = find(status.conditions, kind), find(remediation.status.conditions, kind)
        if new is None or new.status == "Unknown":
            continue
        if old is None or (old.status, old.reason) != (new.status, new.reason):
            says = {"reason": new.reason, "message": new.message} | _plan(kind, status)
            word, names = _word(kind, new.reason, remediation, status)
            told.append(Entry(step=step, word=word, names=names, says=says, **_about(remediation)))
    return told


def _intent(remediation: Remediation, status: RemediationStatus, intent: Intent) -> Entry:
    step = status.plan.steps[intent.step] if status.plan is not None else None
    effect = (step.forward if intent.effect == "Forward" else step.inverse) if step is not None else None
    says = {
        "effect": intent.effect,
        "step": intent.step,
        "attempt": intent.attempt,
        "planHash": status.plan_hash,
    }
    if effect is not None:
        says |= {"verb": effect.verb.value, "object": f"{effect.kind} {effect.name}"}
    says |= {"uid": intent.uid, "resourceVersion": intent.resource_version}
    word, names = _admitted(status) if intent.effect == "Forward" else _back(status)
    return Entry(step=Step.INTENT, word=word, names=names, says=_given(says), **_about(remediation))


def _result(remediation: Remediation, status: RemediationStatus, result: Result) -> Entry:
    says: dict[str, Any] = {"effect": result.effect, "step": result.step, "proof": result.proof}
    says |= {"resourceVersion": result.resource_version}
    word, names = _admitted(status) if result.effect == "Forward" else _back(status)
    return Entry(step=Step.RESULT, word=word, names=names, says=says, **_about(remediation))


def _word(kind: str, reason: str, remediation: Remediation, status: RemediationStatus) -> tuple[Word, tuple[str, ...]]:
    if kind == ADMITTED:
        return _admitted(status)
    said = taken_back_by(remediation)
    if reason == TAKEN_BACK and said is not None:
        return Word.PERSON, (said.by,)
    return (Word.PERSON if kind == FINISHED and reason == DENIED else Word.PROCESS), ()


def _admitted(status: RemediationStatus) -> tuple[Word, tuple[str, ...]]:
    """On whose word the effect is brought about: of people, or of policies."""
    admitted = find(status.conditions, ADMITTED)
    if admitted is not None and admitted.reason == UNATTENDED:
        return Word.POLICY, status.decision.policies if status.decision is not None else ()
    return Word.PERSON, status.approvers


def _back(status: RemediationStatus) -> tuple[Word, tuple[str, ...]]:
    """What is taken back follows from the verdict, or from the time that was said: both stand in the plan."""
    verified = find(status.conditions, VERIFIED)
    return Word.PROCESS, (verified.reason,) if verified is not None else ()


def _plan(kind: str, status: RemediationStatus) -> dict[str, Any]:
    return {"planHash": status.plan_hash} if kind in (PLANNED, ADMITTED) else {}


def _about(remediation: Remediation) -> dict[str, Any]:
    meta = remediation.metadata
    return {"namespace": meta.namespace or "", "remediation": meta.name, "uid": meta.uid}


def _diagnosed(incident: Incident | None) -> dict[str, str]:
    """Digests of the evidence, and of what a model was asked and replied, as the Incident says."""
    if incident is None:
        return {}
    evidence = json.dumps([e.wire() for e in incident.status.evidence], sort_keys=True).encode()
    usage = incident.status.diagnosis.usage if incident.status.diagnosis is not None else None
    said = {"prompt": usage.prompt_digest, "reply": usage.reply_digest} if usage is not None else {}
    return {"evidence": digest(evidence), **{n: d.removeprefix("sha256:") for n, d in said.items() if d is not None}}


def _parts(facts: GateInput) -> dict[str, bytes]:
    whole = _FACTS.dump_python(facts, mode="json", by_alias=True)
    apart = {f"{FACTS}.{name}": _encoded(whole.pop(name)) for name in _APART}
    return {FACTS: _encoded(whole), **apart}


def _encoded(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _given(says: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in says.items() if value is not None}
