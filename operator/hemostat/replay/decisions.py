"""Computes recorded decisions again: would gate and matcher say the same of what was known then (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from hemostat.act.ledger import known
from hemostat.api.runbook import Runbook, RunbookState
from hemostat.audit.record import Record, Step, digest
from hemostat.audit.store import Records
from hemostat.diagnosis.rehearsal import rehearse
from hemostat.gate.checks import decide
from hemostat.gate.input import GateInput


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision, computed again."""

    record: Record
    gate: tuple[str, ...] = ()
    """What the gate says now where it says something else."""
    matcher: str = ""
    """What the matcher says now where it would not choose the Runbook for certain."""
    missing: str = ""
    """Why it could not be computed: what is not kept, or is not what the record has the digest of."""

    @property
    def same(self) -> bool:
        """Whether the gate decides as it did."""
        return not self.gate and not self.missing


def replay(store: Records) -> Iterator[Replayed]:
    """Yield every decision of a log. It does not check the log itself. Raises ValueError where a record is none."""
    for row in store.rows():
        record = Record.decode(row.body)
        if record.entry.step is Step.DECIDED:
            yield _again(store, record)


def _again(store: Records, record: Record) -> Replayed:
    kept = {}
    for name, wanted in record.entry.digests.items():
        data = store.kept(wanted)
        if data is not None and digest(data) == wanted:
            kept[name] = data
    try:
        facts, runbooks = known(kept)
    except ValueError as error:
        return Replayed(record, missing=str(error)[:500])
    return Replayed(
        record, _gate(record, facts), _matcher(facts, [r for r in runbooks if r.spec.state is RunbookState.ACTIVE])
    )


def _gate(record: Record, facts: GateInput) -> tuple[str, ...]:
    decision, says = decide(facts), record.entry.says
    now = {c.name: f"{c.outcome.value}: {c.message}" for c in decision.checks}
    then = says.get("checks", {})
    differs = [f"{name}: {now.get(name, 'is no more')}" for name in {**now, **then} if now.get(name) != then.get(name)]
    if decision.outcome.value != says.get("outcome"):
        differs.insert(0, decision.outcome.value)
    return tuple(differs)


def _matcher(facts: GateInput, runbooks: list[Runbook]) -> str:
    if facts.incident is None:
        return "the Incident was not there"
    wanted = facts.remediation.spec.runbook_ref.name
    found = rehearse(runbooks, facts.incident)
    ref = found.conclusion.diagnosis.runbook_ref
    chosen = ref.name if ref is not None else "none"
    if chosen != wanted:
        return f"{chosen} instead of {wanted}"
    return f"{wanted}, or {', '.join(found.open_to)}: the Incident does not tell all" if found.open_to else ""
