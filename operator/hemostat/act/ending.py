"""What comes after the last effect: let go, verify, take back in time, end (shell around `verify`)."""

import logging
from typing import get_args

from hemostat.act.effecting import Effects
from hemostat.act.facts import Facts
from hemostat.act.pace import LISTEN, SOON, WAIT
from hemostat.act.store import Store
from hemostat.act.telling import Teller
from hemostat.action.execute import Executor
from hemostat.action.moves import IN_FLIGHT, planned, taken_back
from hemostat.action.parts import Part, Which, manager
from hemostat.action.standing import person, taken_back_by
from hemostat.action.stepping import to_undo
from hemostat.action.undoing import Undo
from hemostat.api.incident import Incident
from hemostat.api.meta import BoundTargetRef, find, is_true, set_condition
from hemostat.api.remediation import APPLIED, RELEASED, UNDONE, VERIFIED, Remediation, Verb
from hemostat.clock import Clock
from hemostat.errors import HemostatError, Refused
from hemostat.lifecycle import held_until, stopped_halfway
from hemostat.verify import Verdict, VerifyInput, concerning, verdict

LOG = logging.getLogger(__name__)


class Ending:
    """Lets go, verifies, takes back in time, and ends."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        executor: Executor,
        clock: Clock,
        tell: Teller,
        effects: Effects,
    ) -> None:
        self._store = store
        self._facts = facts
        self._executor = executor
        self._clock = clock
        self._tell = tell
        self._effects = effects

    def release(self, remediation: Remediation) -> float:
        """Let go of all fields. Raises `Refused` (Forbidden) where rights are missing."""
        namespace, message = remediation.metadata.namespace or "", "the owner's next apply needs no force"
        for number, effect in enumerate(planned(remediation).effects):
            owners = [i.owner for i in remediation.status.intents if i.step == number]
            ours = (manager(remediation, Part(which, number)) for which in get_args(Which))
            try:
                if owners:
                    self._executor.release(effect, namespace, frozenset({*ours, person(remediation)}), owners[-1])
            except Refused as error:
                if error.reason == "Forbidden":
                    raise
                message = f"nothing to let go of: {error}"
        self._tell.write(remediation, remediation.status, RELEASED, "Released", message)
        return SOON

    def verify(self, remediation: Remediation) -> float:
        """Judge by signals whether it helped; what to do then follows from the verdict."""
        if self._lifted(remediation):
            return SOON
        namespace, spec = remediation.metadata.namespace or "", remediation.spec
        incident = self._store.incident(namespace, spec.incident_ref.name)
        runbook = self._store.runbook(namespace, spec.runbook_ref.name)
        if incident is None or runbook is None:
            missing = "Incident" if incident is None else "Runbook"
            return self._verdict(remediation, Verdict.UNKNOWN, f"the {missing} was deleted")
        try:
            workload = self._facts.state(namespace, spec.target_ref)
        except HemostatError:
            workload = None
        plan = planned(remediation)
        applied = max(r.time for r in remediation.status.results if r.effect == "Forward")
        found, message = verdict(
            VerifyInput(
                applied=applied,
                wanted=runbook.spec.verify,
                signals=concerning(incident.status.signals, spec.conversations if plan.hold_seconds else ()),
                workload=workload,
                now=self._clock.now(),
            )
        )
        undoes = (
            bool(to_undo(remediation))
            and not is_true(remediation.status.conditions, UNDONE)
            and (found is Verdict.WORSE or (found is Verdict.INEFFECTIVE and plan.on_ineffective == "Undo"))
        )
        if undoes and not self._confirmed(namespace, incident, spec.target_ref):
            found = Verdict.UNDECIDED
            message += "; neither the API server nor Prometheus confirms it, so a person decides about the undo"
        if found is Verdict.WAIT:
            self._tell.note(remediation, remediation.status, "Verifying", message, VERIFIED)
            return WAIT / 2
        return self._verdict(remediation, found, message)

    def _confirmed(self, namespace: str, incident: Incident, target: BoundTargetRef) -> bool:
        """An undo is unattended too: telemetry alone, which may be forged, must not take a fix away."""
        try:
            return self._facts.corroboration(namespace, incident, self._facts.target(namespace, target)) is not None
        except HemostatError:
            return False

    def _verdict(self, remediation: Remediation, found: Verdict, message: str) -> float:
        now = self._clock.now()
        conditions = set_condition(
            remediation.status.conditions, VERIFIED, found is Verdict.HEALED, found.value, message, now
        )
        self._store.write(remediation, remediation.status.model_copy(update={"conditions": conditions}))
        return SOON

    def restore(self, remediation: Remediation) -> float:
        """Undo what was meant for a time only, once that is over."""
        until = held_until(remediation)
        left = (until - self._clock.now()).total_seconds() if until is not None else 0
        if left <= 0:
            return self._effects.undo(remediation)
        return SOON if self._lifted(remediation) else min(left, LISTEN)

    def _lifted(self, remediation: Remediation) -> bool:
        """Note when a person took it back, before its time or our own undo; calls are not asked about."""
        plan, back = planned(remediation), to_undo(remediation)
        if not back or any(u.inverse.verb is Verb.CALL for u in back):
            return False
        try:
            gone = all(self._is_back(remediation, u) for u in back)
        except Refused:
            if plan.hold_seconds is not None:
                raise
            return False  # what became of the target is judged by its signals
        if gone:
            self._effects.note_taken_back(remediation)
        return gone

    def _is_back(self, remediation: Remediation, undo: Undo) -> bool:
        live = self._executor.read(undo.inverse, remediation.metadata.namespace or "")
        return taken_back(remediation, Part("Inverse", undo.step), live)

    def look_back(self, remediation: Remediation) -> float | None:
        """See whether a person has taken back what stood after the end, as he said he would."""
        word = taken_back_by(remediation)
        try:
            if self._lifted(remediation):
                return SOON
        except Refused as error:
            LOG.info("whether %s was taken back cannot be told: %s", remediation.metadata.name, error)
        young = word is not None and word.time is not None and abs(self._clock.now() - word.time) < IN_FLIGHT
        return WAIT if young else None

    def finish(self, remediation: Remediation) -> None:
        """Write how it ended. Raises `Refused` (NoVerdict) when the status lost that."""
        conditions = remediation.status.conditions
        undone = find(conditions, UNDONE)
        if undone is not None and undone.status == "False":
            stopped = find(conditions, APPLIED) if stopped_halfway(remediation) else None
            why = f"; {stopped.reason}: {stopped.message}" if stopped is not None else ""
            self._tell.end(remediation, remediation.status, undone.reason, f"{undone.message}{why}")
            return
        verified = find(conditions, APPLIED if stopped_halfway(remediation) else VERIFIED)
        if verified is None or verified.status == "Unknown":
            verified = undone
        if verified is None:
            raise Refused("NoVerdict", "the condition Verified is missing")
        self._tell.end(remediation, remediation.status, verified.reason, verified.message)
