"""A Remediation's effects and their inverses, one request after another (shell around `moves`)."""

from collections.abc import Callable
from datetime import timedelta

from hemostat.act.deciding import Deciding
from hemostat.act.facts import Facts
from hemostat.act.pace import (
    APPROVED,
    BETWEEN,
    DISRUPTED,
    LISTEN,
    RARELY,
    SOON,
    STANDS,
    STOPPED,
    UNDO_BLOCKED,
    WAIT,
    WAITS,
    patience,
)
from hemostat.act.store import Store
from hemostat.act.telling import Teller
from hemostat.action.effects import can_be_undone
from hemostat.action.execute import Executor
from hemostat.action.moves import (
    IN_FLIGHT,
    SEND_WITHIN,
    Landed,
    Lost,
    NewIntent,
    Send,
    Wait,
    effect_of,
    next_move,
    planned,
    taken_back,
    under_way,
)
from hemostat.action.parts import Part, Which, manager, tries_of
from hemostat.action.standing import changed, taken_back_by, who_took_back
from hemostat.action.stepping import as_planned, awaited, done, halfway, overdue, to_undo, turn
from hemostat.api.approval import Word
from hemostat.api.meta import find, set_condition
from hemostat.api.remediation import ADMITTED, APPLIED, RELEASED, UNDONE, Blocked, Remediation, RemediationStatus, Verb
from hemostat.clock import Clock
from hemostat.errors import Refused, Retry
from hemostat.events import Events
from hemostat.gate.word import TOO_LATE
from hemostat.kube import Disrupted, Json
from hemostat.lifecycle import TAKEN_BACK, Step, next_step
from hemostat.metrics import EFFECTS


class StepBlocked(Refused):
    """One step cannot be undone."""

    def __init__(self, step: int, error: Refused) -> None:
        super().__init__(error.reason, str(error))
        self.step = step


class Effects:
    """Brings about effects and inverses, each exactly once."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        executor: Executor,
        events: Events,
        clock: Clock,
        crowd: Callable[[], int],
        tell: Teller,
        deciding: Deciding,
    ) -> None:
        """:param crowd: how many there are that wait or are worked on."""
        self._store = store
        self._facts = facts
        self._executor = executor
        self._events = events
        self._clock = clock
        self._crowd = crowd
        self._tell = tell
        self._deciding = deciding

    def bring_about(self, remediation: Remediation, which: Which) -> float:
        """Bring about the next effect, exactly once."""
        part, namespace = turn(remediation, which), remediation.metadata.namespace or ""
        live = self._executor.read(effect_of(remediation, part), namespace)
        if which == "Inverse" and self._last(remediation) and taken_back(remediation, part, live):
            self.note_taken_back(remediation)
            return SOON
        move = next_move(remediation, part, live, self._clock.now())
        if isinstance(move, Landed):
            results = (*remediation.status.results, move.result)
            status = remediation.status.model_copy(update={"results": results})
            return self._landed(remediation, remediation.model_copy(update={"status": status}), which)
        if which == "Forward" and taken_back_by(remediation) is not None:
            return self._deciding.given_up(remediation)
        if isinstance(move, Lost):
            raise Refused(move.reason if which == "Forward" else UNDO_BLOCKED, move.message)
        if isinstance(move, Wait):
            return move.seconds
        held_back = self._held_back(remediation, part) if which == "Forward" else None
        if held_back is not None:
            return held_back
        self._may(which)
        try:
            self._bring(remediation, part, live, move)
        except Disrupted as error:
            return self._disrupted(remediation, error)
        EFFECTS.labels(remediation.spec.action, which).inc()
        return SOON

    def undo(self, remediation: Remediation) -> float:
        """Bring about the next inverse, exactly once."""
        try:
            return self.bring_about(remediation, "Inverse")
        except Refused as error:
            raise StepBlocked(turn(remediation, "Inverse").step, error) from error

    def leave(self, remediation: Remediation, error: StepBlocked) -> float:
        """Leave one step to people, and go on with the others."""
        effect = planned(remediation).steps[error.step].forward
        told = str(error) if len(planned(remediation).steps) == 1 else f"{effect.kind} {effect.name}: {error}"
        one = Blocked(step=error.step, time=self._clock.now(), reason=error.reason, message=told[:1024])
        status = remediation.status.model_copy(update={"blocked": (*remediation.status.blocked, one)})
        self._undone(remediation, status)
        self._events.emit("Remediation", remediation.metadata, one.reason, one.message, "Warning")
        return SOON

    def _held_back(self, remediation: Remediation, part: Part) -> float | None:
        """Return when to look again, if the next step must not be taken yet.

        Raises `Refused` when the steps that are left are given up: too late, or on nobody's word any more.
        """
        now, step = self._clock.now(), planned(remediation).steps[part.step]
        if halfway(remediation):
            if overdue(remediation, now):
                raise Refused("Incomplete", f"not through in {planned(remediation).deadline_seconds} s")
            if under_way(tries_of(remediation, part), now) <= 0 and self._deciding.revoked(remediation):
                raise Refused("Revoked", "an approval was taken back")
        elif anew := self._anew(remediation):
            self._tell.note(remediation, remediation.status, "Reconsidered", f"{anew}; it is decided anew")
            return SOON
        if not step.awaits_available or tries_of(remediation, part):
            return None
        waits = awaited(step, self._facts.target(remediation.metadata.namespace or "", remediation.spec.target_ref))
        if waits:
            self._tell.note(remediation, remediation.status, "AwaitsReplicas", waits, APPLIED)
        return WAIT if waits else None

    def _disrupted(self, remediation: Remediation, error: Disrupted) -> float:
        """Wait for a disruption budget, as long as the plan may take."""
        status, now = remediation.status, self._clock.now()
        old = find(status.conditions, APPLIED)
        waited = now - old.last_transition_time if old is not None and old.reason == DISRUPTED else timedelta(0)
        limit = timedelta(seconds=planned(remediation).deadline_seconds or WAITS)
        if not halfway(remediation):  # else it is overdue so long after the first step
            if waited > limit:
                raise Refused("Incomplete", f"{error}; waited {limit.total_seconds():.0f} s, and nothing was done")
            if old is not None and old.reason != DISRUPTED:
                others = tuple(c for c in status.conditions if c.type != APPLIED)
                status = status.model_copy(update={"conditions": others})
        if self._tell.note(remediation, status, DISRUPTED, str(error), APPLIED) and waited == timedelta(0):
            self._events.emit("Remediation", remediation.metadata, DISRUPTED, str(error), "Warning")
        return patience(waited, LISTEN, RARELY, self._crowd())

    def _may(self, which: Which) -> None:
        """Refuse where the stop switch says no; the API server would refuse too, but not what other services do."""
        go = self._facts.go()
        if go is None or not (go.begin if which == "Forward" else go.undo):
            said = "the API server does not say" if go is None else f"Hemostat was stopped{go.words}"
            raise Refused(STOPPED, f"{said}; it goes on after: kubectl hemostat resume")

    def _bring(self, remediation: Remediation, part: Part, live: Json | None, move: Send | NewIntent) -> None:
        """Announce one write, if that is not done yet, and send it."""
        step, namespace = planned(remediation).steps[part.step], remediation.metadata.namespace or ""
        effect, ours = effect_of(remediation, part), manager(remediation, part)
        if isinstance(move, NewIntent):
            if part.which == "Inverse" and not can_be_undone(step.forward, live):
                what = changed(step.forward, live) if live is not None else "it is gone"
                raise Refused(UNDO_BLOCKED, f"somebody changed the target since, so it is left alone: {what}")
            if part.which == "Forward" and not done(remediation):
                self._deciding.unchanged(remediation)
            elif part.which == "Forward" and not as_planned(step, live or {}):
                raise Refused("Drifted", f"{effect.kind} {effect.name} was changed since it was planned")
            self._executor.dry_run(effect, namespace, live, ours)
            intents = (*remediation.status.intents, move.intent)
            remediation = self._store.write(remediation, remediation.status.model_copy(update={"intents": intents}))
        if effect.verb in (Verb.CREATE, Verb.CALL) and self._clock.now() - move.intent.time > SEND_WITHIN:
            raise Retry("it took too long to get here: another process may have given up this intent", 1)
        try:
            self._executor.send(effect, namespace, live, move.intent, ours)
        except Refused as error:
            if isinstance(move, Send) and self._clock.now() - move.intent.time < IN_FLIGHT:
                raise Retry(f"{error}; an earlier request may still land", 5) from error
            if effect.verb is not Verb.CALL:
                raise
            if part.which == "Inverse":
                raise Retry(f"{error}; it is tried again", 5) from error
            self._tell.end(remediation, remediation.status, error.reason, str(error))  # its own word: it was not done

    def _anew(self, remediation: Remediation) -> str:
        """Say why policies, Runbook, Incident and people must be asked again; never while a request may still land."""
        admitted, now = find(remediation.status.conditions, ADMITTED), self._clock.now()
        if admitted is None or any(now - i.time < IN_FLIGHT for i in remediation.status.intents):
            return ""
        if abs(now - admitted.last_transition_time) > STANDS and not self._deciding.still_says_so(remediation):
            # the clock may have been set back since
            return f"nothing was done within {STANDS.total_seconds():.0f} s"
        return "an approval was taken back" if self._deciding.revoked(remediation) else ""

    def give_up(self, remediation: Remediation, error: Refused) -> float:
        """Stop between two steps: what was done is undone, as far as it can be, before a person is told."""
        plan, steps = planned(remediation), done(remediation)
        for_good = [f"{e.kind} {e.name}" for n, e in enumerate(plan.effects) if n in steps and e in plan.for_good]
        told = f"{error} ({len(steps)} of {len(plan.steps)} steps were done"
        told += f"; nothing undoes what was done to {', '.join(for_good)})" if for_good else ")"
        before = find(remediation.status.conditions, APPLIED)
        if before is not None and before.reason != BETWEEN:
            told += f"; {before.message}"
        now = self._clock.now()
        conditions = set_condition(remediation.status.conditions, APPLIED, False, error.reason, told[:2048], now)
        self._store.write(remediation, remediation.status.model_copy(update={"conditions": conditions}))
        self._events.emit("Remediation", remediation.metadata, error.reason, told[:1024], "Warning")
        return SOON

    def _landed(self, remediation: Remediation, after: Remediation, which: Which) -> float:
        """Write a result, and that all is done if it was the last step."""
        plan, status = planned(remediation), after.status
        if which == "Forward" and not halfway(after):
            self._tell.write(remediation, status, APPLIED, "Applied", plan.summary + self._too_late(remediation))
            return SOON
        if which == "Forward":
            told = f"{len(done(after))} of {len(plan.steps)} steps are done"
            self._tell.note(remediation, status, BETWEEN, told, APPLIED)
            return SOON
        self._undone(remediation, status)
        return SOON

    def _too_late(self, remediation: Remediation) -> str:
        """Say whether people denied what they had approved when its last request was sent already."""
        admitted, meta = find(remediation.status.conditions, ADMITTED), remediation.metadata
        if admitted is None or admitted.reason != APPROVED:
            return ""
        spoken = self._deciding.heard(remediation, remediation.status)
        if spoken.decision is not Word.DENY:
            return ""
        told = f"denied by {', '.join(spoken.people)} when it had been sent already"
        told += f"; to take it back: kubectl hemostat undo -n {meta.namespace} {meta.name}"
        self._events.emit("Remediation", meta, TOO_LATE, told, "Warning")
        return f"; {told}"

    def _undone(self, remediation: Remediation, status: RemediationStatus) -> None:
        """Write what came of one step of the undo, and of the whole if it was the last one."""
        if to_undo(remediation.model_copy(update={"status": status})):
            self._store.write(remediation, status)
            return
        now, back = self._clock.now(), sum(r.effect == "Inverse" for r in status.results)
        if back:
            conditions = set_condition(status.conditions, RELEASED, "Unknown", "InverseApplied", "", now)
            status = status.model_copy(update={"conditions": conditions})
        if status.blocked:
            said, reasons = "; ".join(b.message for b in status.blocked), {b.reason for b in status.blocked}
            told = f"undid {back} of {back + len(status.blocked)} steps; left as it is: {said}" if back else said
            reason = reasons.pop() if len(reasons) == 1 else UNDO_BLOCKED
            conditions = set_condition(status.conditions, UNDONE, False, reason, told, now)
            self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
            return
        restored = next_step(remediation, now) is Step.RESTORE
        reason, said = ("Restored", "the time is over") if restored else ("Undone", "undid")
        self._tell.write(remediation, status, UNDONE, reason, f"{said}: {planned(remediation).summary}")

    @staticmethod
    def _last(remediation: Remediation) -> bool:
        """Tell whether one step is to be undone, and none was."""
        status = remediation.status
        whole = not status.blocked and all(r.effect == "Forward" for r in status.results)
        return whole and len(to_undo(remediation)) == 1

    def note_taken_back(self, remediation: Remediation) -> None:
        """Write that a person was there before."""
        said = f"{who_took_back(remediation)}: {planned(remediation).summary}"
        conditions = set_condition(
            remediation.status.conditions, RELEASED, "Unknown", TAKEN_BACK, "", self._clock.now()
        )
        status = remediation.status.model_copy(update={"conditions": conditions})
        self._tell.write(remediation, status, UNDONE, TAKEN_BACK, said)
