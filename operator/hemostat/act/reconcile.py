"""One step of one Remediation, or the summary of one Incident (shell around `lifecycle`)."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, get_args

from hemostat.act.facts import Facts
from hemostat.act.ledger import DENIED, Recorder, decided
from hemostat.act.recording import NotRecorded
from hemostat.act.store import Store
from hemostat.act.timeline import ending, entries, merged
from hemostat.action.contract import make_plan, parse, plan_hash
from hemostat.action.effects import beyond, can_be_undone
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
from hemostat.action.registry import Catalogue
from hemostat.action.standing import changed, person, taken_back_by
from hemostat.action.stepping import (
    as_planned,
    awaited,
    covers,
    done,
    halfway,
    overdue,
    to_undo,
    turn,
)
from hemostat.action.undoing import Undo
from hemostat.api.approval import Word
from hemostat.api.identity import ACT, NAMESPACE, NODES_ROLE, TARGET_ROLE
from hemostat.api.incident import RESOLVED, Incident
from hemostat.api.meta import BoundTargetRef, find, is_true, set_condition
from hemostat.api.remediation import (
    ADMITTED,
    APPLIED,
    FINISHED,
    PLANNED,
    RELEASED,
    UNATTENDED,
    UNDONE,
    VERIFIED,
    WOULD_HAVE,
    Blocked,
    Effect,
    GateDecision,
    GateOutcome,
    Plan,
    Remediation,
    RemediationStatus,
    Verb,
)
from hemostat.clock import Clock
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.events import Events
from hemostat.gate.approvals import Spoken, hear
from hemostat.gate.asking import asking
from hemostat.gate.checks import decide
from hemostat.gate.drift import drifted
from hemostat.gate.shadow import would_have
from hemostat.gate.word import TOO_LATE
from hemostat.kube import Disrupted, Json
from hemostat.lifecycle import (
    SELF_HEALED_AFTER,
    TAKEN_BACK,
    Step,
    all_clear_since,
    held_until,
    incident_conditions,
    next_step,
    stopped_halfway,
)
from hemostat.metrics import EFFECTS, GATE
from hemostat.metrics import FINISHED as FINISHED_METRIC
from hemostat.signals.correlate import is_over
from hemostat.verify import Verdict, VerifyInput, concerning, verdict

LOG = logging.getLogger(__name__)
SOON, WAIT, LATER = 0.0, 1.0, 10.0
APPROVED = "Approved"
"""Reason of the condition Admitted when people were asked."""
DISRUPTED = "DisruptionBudget"
"""Reason of the condition Applied while one forbids an eviction."""
WAITS = 600
"""Seconds for which it is waited for, where the plan does not say."""
STOPPED = "Stopped"
"""Reason of a condition that waits for the stop switch."""
UNDO_BLOCKED = "UndoBlocked"
"""Reason why a step is not undone: somebody changed its object since, or it cannot go on by itself."""
ASK_AGAIN = frozenset({"NoAdminKey", "NoService", "Unreachable", "CallRefused"})
"""Why a service that was called cannot be looked at: what was done there is taken back once it can."""
LISTEN = 5.0
"""Approvals arrive as events; this only notices drift, expiry and what an event missed."""
RARELY, SELDOM = 60.0, 300.0
"""What has waited for long is looked at so often, for a time to come and for a person: a thousand that wait must not
keep what is new from being done. What people say, and that nothing fires any more, is told as events."""
TURN = 0.3
"""Seconds between two looks at what only waits, however many do."""
MOST_SELDOM = 3600.0
MAX_REVIEWS = 64
"""Approvals of one plan whose rights are asked for at one look."""
STANDS = IN_FLIGHT
"""How long an admission stands before the first effect: after a stop of ours it is decided anew."""
UNSEEN = timedelta(seconds=10)
"""An open Incident is looked at every few seconds: after so long it is worth asking whether it has a Watch still."""
_BETWEEN = "Applying"
"""Reason of the condition Applied between two steps, if nothing is waited for."""
_NORMAL = ("Healed", "NotNeeded", TAKEN_BACK, WOULD_HAVE)
"""Ends that are nothing to worry about."""
Key = tuple[str, str]
"""(namespace, name)."""


class _Blocked(Refused):
    """One step cannot be undone."""

    def __init__(self, step: int, error: Refused) -> None:
        super().__init__(error.reason, str(error))
        self.step = step


class Reconciler:
    """Does the next step of a Remediation; called again until there is none."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        executor: Executor,
        catalogue: Catalogue,
        events: Events,
        clock: Clock,
        server_now: Callable[[], object],
        record: Recorder,
        crowd: Callable[[], int],
    ) -> None:
        """:param crowd: how many there are that wait or are worked on."""
        self._store = store
        self._crowd = crowd
        self._facts = facts
        self._executor = executor
        self._catalogue = catalogue
        self._events = events
        self._clock = clock
        self._server_now = server_now
        self._record = record
        self._steps: dict[Step, Callable[[Remediation], float | None]] = {
            Step.PLAN: self._plan,
            Step.DECIDE: self._decide,
            Step.APPLY: lambda r: self._effect(r, "Forward"),
            Step.RELEASE: self._release,
            Step.VERIFY: self._verify,
            Step.UNDO: self._undo,
            Step.RESTORE: self._restore,
            Step.FINISH: self._finish,
            Step.LIFTED: self._look_back,
        }

    def remediation(self, key: Key) -> float | None:
        """Do one step. Returns the seconds until the next look, or None when there is nothing left to do."""
        found = self._store.remediation(*key)
        if found is None:
            return None
        step = next_step(found, self._clock.now())
        if step is Step.NOTHING:
            return None
        try:
            return self._steps[step](found)
        except NotRecorded as error:
            self._events.emit("Remediation", found.metadata, "NotRecorded", str(error), "Warning")
            raise
        except Refused as error:
            waits = error.reason in ("Forbidden", STOPPED) or (error.reason in ASK_AGAIN and found.status.intents)
            if waits and (stopped_halfway(found) or not overdue(found, self._clock.now())):
                return self._shut_out(found, error)
            if step is Step.APPLY and halfway(found):
                return self._give_up(found, error)
            if isinstance(error, _Blocked):
                return self._left(found, error)
            self._end(found, found.status, error.reason, str(error))
            return None

    def incident(self, key: Key) -> float | None:
        """Bring `act`'s part of an Incident's status up to date."""
        found = self._store.incident(*key)
        if found is None or is_over(found):
            return None
        now = self._clock.now()
        own = self._store.proposed(key[0], found.metadata.uid)
        cause = found.status.part_of
        parent = self._store.incident(key[0], cause.name) if cause is not None else None
        conditions = incident_conditions(found, own, now, parent, unwatched=self._unwatched(found))
        timeline = merged(found, (*entries(own), *ending(found, conditions)))
        if any(find(found.status.conditions, c.type) != c for c in conditions) or any(
            entry not in found.status.timeline for entry in timeline
        ):
            self._store.write_incident(found, conditions, timeline)
        resolved = find(conditions, RESOLVED)
        if resolved is not None and resolved.status == "True":
            self._events.emit("Incident", found.metadata, "Resolved", f"{resolved.reason}: {resolved.message}")
            return None
        if all_clear_since(found, now) is not None:
            return WAIT  # only time is awaited
        return patience(now - found.spec.opened_time, LATER, SELDOM, self._crowd())  # changes are told as events

    def _unwatched(self, incident: Incident) -> str:
        """Say that the Watch is gone, if so; asked only of an Incident that was not looked at for a while."""
        namespace, name = incident.metadata.namespace or "", incident.spec.watch_ref.name
        latest = max((s.observed_time for s in incident.status.signals), default=incident.spec.opened_time)
        if self._clock.now() - latest < UNSEEN or self._store.watch(namespace, name) is not None:
            return ""
        return f"Watch {name} was deleted: nobody sees any more whether it is well"

    # --- steps ---------------------------------------------------------------------------------------------

    def _plan(self, remediation: Remediation) -> float:
        plan = self._compute(remediation)
        self._can_be_done(remediation, plan)
        digest = plan_hash(remediation, plan)
        status = remediation.status.model_copy(update={"plan": plan, "plan_hash": digest})
        self._write(remediation, status, PLANNED, "Planned", plan.summary)
        return SOON

    def _can_be_done(self, remediation: Remediation, plan: Plan) -> None:
        """Try what needs rights of its own: no person shall be asked for what cannot be done."""
        namespace = remediation.metadata.namespace or ""
        for effect in plan.effects:
            if effect.verb is Verb.CALL:
                self._executor.dry_run(effect, namespace, None, "")
        final = (e for e in plan.for_good if e.verb is Verb.PATCH)
        for effect in dict.fromkeys((*beyond(plan.effects), *final)):
            self._dry_run(effect, namespace)

    def _dry_run(self, effect: Effect, namespace: str) -> None:
        live = self._executor.read(effect, namespace)
        if live is None and effect.verb is Verb.DELETE:
            return  # it is gone by itself
        try:
            self._executor.dry_run(effect, namespace, live, "hemostat-act")
        except Disrupted as error:
            LOG.info("%s will be waited for: %s", effect.name, error)

    def _decide(self, remediation: Remediation) -> float | None:
        if taken_back_by(remediation) is not None:
            return self._given_up(remediation)
        self._unchanged(remediation)
        plan, spec, status = planned(remediation), remediation.spec, remediation.status
        live = self._facts.target(remediation.metadata.namespace or "", spec.target_ref)
        gathered = self._facts.gate(remediation, plan, live)
        decision = decide(gathered)
        if status.decision is None or _outcomes(decision) != _outcomes(status.decision):
            runbooks = self._store.runbooks(remediation.metadata.namespace or "")
            self._record(*decided(gathered, decision, runbooks))
            GATE.labels(decision.outcome.value).inc()
            status = status.model_copy(update={"decision": decision})
        reasons = "; ".join(c.message for c in decision.checks if c.outcome != "Pass")
        if decision.outcome is GateOutcome.DENY:
            self._end(remediation, status, "Denied", reasons)
            return None
        since = all_clear_since(gathered.incident, self._clock.now()) if gathered.incident is not None else None
        if since is not None and self._clock.now() - since >= SELF_HEALED_AFTER:
            raise Refused("NotNeeded", "all signals cleared before anything was done")
        if decision.outcome is GateOutcome.ALLOW:
            self._write(remediation, status, ADMITTED, UNATTENDED, f"policies: {', '.join(decision.policies)}")
            return SOON
        if decision.outcome is GateOutcome.HOLD:
            self._note(remediation, status, "Held", reasons)
            return self._patience(remediation, WAIT, RARELY)
        if decision.outcome is GateOutcome.SHADOW:
            self._end(remediation, status, WOULD_HAVE, f"{would_have(decision, plan)}; {self._tried(remediation)}")
            return None
        look = self._listen(remediation, status, reasons)
        return look if since is None else min(look, (since + SELF_HEALED_AFTER - self._clock.now()).total_seconds())

    def _tried(self, remediation: Remediation) -> str:
        """Say whether the API server would take what is not done."""
        namespace = remediation.metadata.namespace or ""
        try:
            for number, effect in enumerate(planned(remediation).effects):
                part, live = Part("Forward", number), self._executor.read(effect, namespace)
                move = next_move(remediation, part, live, self._clock.now())
                if isinstance(move, Lost):
                    raise Refused(move.reason, move.message)
                if not isinstance(move, Landed):
                    self._executor.dry_run(effect, namespace, live, manager(remediation, part))
        except Refused as error:
            return f"a dry run was refused ({error.reason}: {error})"
        except Disrupted as error:
            return f"a disruption budget would have been waited for ({error})"
        return "a dry run was accepted"

    def _listen(self, remediation: Remediation, status: RemediationStatus, reasons: str) -> float:
        """See whether people have decided."""
        namespace, name = remediation.metadata.namespace or "", remediation.metadata.name
        spoken = self._heard(remediation, status)
        if spoken.decision is Word.DENY:
            raise Refused(DENIED, f"{', '.join(spoken.people)}: {spoken.reason or 'no reason given'}")
        if spoken.decision is Word.APPROVE:
            status = status.model_copy(update={"approvals": spoken.names, "approvers": spoken.people})
            by = f"by {', '.join(spoken.people)} ({', '.join(spoken.names)})"
            self._write(remediation, status, ADMITTED, APPROVED, by)
            return SOON
        told = "; ".join(s for s in (spoken.waiting, reasons, *(f"ignored {i}" for i in spoken.ignored)) if s)
        if self._note(remediation, status, "NeedsApproval", told):
            hint = f"kubectl hemostat approve -n {namespace} {name}"
            self._events.emit("Remediation", remediation.metadata, "NeedsApproval", f"{told}; approve: {hint}")
        return self._patience(remediation, LISTEN, SELDOM)

    def _patience(self, remediation: Remediation, least: float, most: float) -> float:
        """Return when to look again at what waits for a decision."""
        admitted = find(remediation.status.conditions, ADMITTED)
        since = admitted.last_transition_time if admitted is not None else self._clock.now()
        return patience(self._clock.now() - since, least, most, self._crowd())

    def _heard(self, remediation: Remediation, status: RemediationStatus) -> Spoken:
        approvals = self._store.approvals(remediation.metadata.namespace or "", remediation.metadata.name)
        fitting = [a for a in approvals if a.spec.plan_hash == status.plan_hash]
        fitting.sort(key=lambda a: a.spec.decision is not Word.DENY)  # no number of others keeps it from being heard
        return hear(
            approvals,
            self._facts.may_approve(fitting[:MAX_REVIEWS], remediation),
            status.plan_hash or "",
            remediation.spec.requested_by,
            self._server_now(),  # type: ignore[arg-type]
            status.decision.quorum if status.decision is not None else 1,
            status.decision.refused_channels if status.decision is not None else (),
        )

    def _revoked(self, remediation: Remediation) -> bool:
        """Tell whether the people whose word it rests on have taken it back, or one of them has denied it since."""
        admitted = find(remediation.status.conditions, ADMITTED)
        if admitted is None or admitted.reason != APPROVED:
            return False
        return self._heard(remediation, remediation.status).decision is not Word.APPROVE

    def _effect(self, remediation: Remediation, which: Which) -> float:
        """Bring about the next effect, exactly once."""
        part, namespace = turn(remediation, which), remediation.metadata.namespace or ""
        live = self._executor.read(effect_of(remediation, part), namespace)
        if which == "Inverse" and self._last(remediation) and taken_back(remediation, part, live):
            self._note_taken_back(remediation)
            return SOON
        move = next_move(remediation, part, live, self._clock.now())
        if isinstance(move, Landed):
            results = (*remediation.status.results, move.result)
            status = remediation.status.model_copy(update={"results": results})
            return self._landed(remediation, remediation.model_copy(update={"status": status}), which)
        if which == "Forward" and taken_back_by(remediation) is not None:
            return self._given_up(remediation)
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

    def _undo(self, remediation: Remediation) -> float:
        """Bring about the next inverse, exactly once."""
        try:
            return self._effect(remediation, "Inverse")
        except Refused as error:
            raise _Blocked(turn(remediation, "Inverse").step, error) from error

    def _left(self, remediation: Remediation, error: _Blocked) -> float:
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
            if under_way(tries_of(remediation, part), now) <= 0 and self._revoked(remediation):
                raise Refused("Revoked", "an approval was taken back")
        elif anew := self._anew(remediation):
            self._note(remediation, remediation.status, "Reconsidered", f"{anew}; it is decided anew")
            return SOON
        if not step.awaits_available or tries_of(remediation, part):
            return None
        waits = awaited(step, self._facts.target(remediation.metadata.namespace or "", remediation.spec.target_ref))
        if waits:
            self._note(remediation, remediation.status, "AwaitsReplicas", waits, APPLIED)
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
        if self._note(remediation, status, DISRUPTED, str(error), APPLIED) and waited == timedelta(0):
            self._events.emit("Remediation", remediation.metadata, DISRUPTED, str(error), "Warning")
        return patience(waited, LISTEN, RARELY, self._crowd())

    def _given_up(self, remediation: Remediation) -> float:
        """A person takes it back who cannot have seen that it was applied: it is not applied (again)."""
        left = under_way(remediation.status.intents, self._clock.now())
        if left > 0:
            return min(left, LISTEN)
        raise Refused(TAKEN_BACK, self._who_took_back(remediation))

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
                self._unchanged(remediation)
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
            self._end(remediation, remediation.status, error.reason, str(error))  # its own word: it was not done

    def _anew(self, remediation: Remediation) -> str:
        """Say why policies, Runbook, Incident and people must be asked again; never while a request may still land."""
        admitted, now = find(remediation.status.conditions, ADMITTED), self._clock.now()
        if admitted is None or any(now - i.time < IN_FLIGHT for i in remediation.status.intents):
            return ""
        if abs(now - admitted.last_transition_time) > STANDS and not self._still_says_so(remediation):
            # the clock may have been set back since
            return f"nothing was done within {STANDS.total_seconds():.0f} s"
        return "an approval was taken back" if self._revoked(remediation) else ""

    def _still_says_so(self, remediation: Remediation) -> bool:
        """Tell whether what only waits for a disruption budget would be decided now as it was: that is told once."""
        waits, before = find(remediation.status.conditions, APPLIED), remediation.status.decision
        if before is None or waits is None or waits.reason != DISRUPTED:
            return False
        live = self._facts.target(remediation.metadata.namespace or "", remediation.spec.target_ref)
        return _outcomes(decide(self._facts.gate(remediation, planned(remediation), live))) == _outcomes(before)

    def _give_up(self, remediation: Remediation, error: Refused) -> float:
        """Stop between two steps: what was done is undone, as far as it can be, before a person is told."""
        plan, steps = planned(remediation), done(remediation)
        for_good = [f"{e.kind} {e.name}" for n, e in enumerate(plan.effects) if n in steps and e in plan.for_good]
        told = f"{error} ({len(steps)} of {len(plan.steps)} steps were done"
        told += f"; nothing undoes what was done to {', '.join(for_good)})" if for_good else ")"
        before = find(remediation.status.conditions, APPLIED)
        if before is not None and before.reason != _BETWEEN:
            told += f"; {before.message}"
        now = self._clock.now()
        conditions = set_condition(remediation.status.conditions, APPLIED, False, error.reason, told[:2048], now)
        self._store.write(remediation, remediation.status.model_copy(update={"conditions": conditions}))
        self._events.emit("Remediation", remediation.metadata, error.reason, told[:1024], "Warning")
        return SOON

    def _shut_out(self, remediation: Remediation, error: Refused) -> float:
        """Rights are missing: say whose they are to give, and ask again. Something of ours may stand on the target."""
        namespace = remediation.metadata.namespace or ""
        remedy = (
            f"bind ClusterRole {TARGET_ROLE} to service account {ACT} ({NAMESPACE}) in namespace {namespace}; "
            f"for nodes {NODES_ROLE}, by a ClusterRoleBinding"
        )
        reason, message = (
            (error.reason, str(error))
            if remediation.status.intents or error.reason == STOPPED
            else ("NotOptedIn", f"{remedy}: {error}")
        )
        known = remediation.status.conditions
        kind = VERIFIED if is_true(known, APPLIED) else APPLIED if is_true(known, ADMITTED) else ADMITTED
        step = next_step(remediation, self._clock.now())
        if step is Step.RELEASE or stopped_halfway(remediation):
            kind = RELEASED
        if step in (Step.UNDO, Step.RESTORE):
            kind = UNDONE
        if find(known, kind) is None or kind != VERIFIED:
            fresh = self._note(remediation, remediation.status, reason, message, kind)
            if fresh:
                self._events.emit("Remediation", remediation.metadata, reason, message, "Warning")
        ended = find(known, FINISHED)
        if ended is not None:
            return patience(self._clock.now() - ended.last_transition_time, LATER, SELDOM, self._crowd())
        return LATER if remediation.status.intents else self._patience(remediation, LATER, RARELY)

    def _landed(self, remediation: Remediation, after: Remediation, which: Which) -> float:
        """Write a result, and that all is done if it was the last step."""
        plan, status = planned(remediation), after.status
        if which == "Forward" and not halfway(after):
            self._write(remediation, status, APPLIED, "Applied", plan.summary + self._too_late(remediation))
            return SOON
        if which == "Forward":
            told = f"{len(done(after))} of {len(plan.steps)} steps are done"
            self._note(remediation, status, _BETWEEN, told, APPLIED)
            return SOON
        self._undone(remediation, status)
        return SOON

    def _too_late(self, remediation: Remediation) -> str:
        """Say whether people denied what they had approved when its last request was sent already."""
        admitted, meta = find(remediation.status.conditions, ADMITTED), remediation.metadata
        if admitted is None or admitted.reason != APPROVED:
            return ""
        spoken = self._heard(remediation, remediation.status)
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
        self._write(remediation, status, UNDONE, reason, f"{said}: {planned(remediation).summary}")

    def _release(self, remediation: Remediation) -> float:
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
        self._write(remediation, remediation.status, RELEASED, "Released", message)
        return SOON

    def _verify(self, remediation: Remediation) -> float:
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
            self._note(remediation, remediation.status, "Verifying", message, VERIFIED)
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

    def _restore(self, remediation: Remediation) -> float:
        """Undo what was meant for a time only, once that is over."""
        until = held_until(remediation)
        left = (until - self._clock.now()).total_seconds() if until is not None else 0
        if left <= 0:
            return self._undo(remediation)
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
            self._note_taken_back(remediation)
        return gone

    @staticmethod
    def _last(remediation: Remediation) -> bool:
        """Tell whether one step is to be undone, and none was."""
        status = remediation.status
        whole = not status.blocked and all(r.effect == "Forward" for r in status.results)
        return whole and len(to_undo(remediation)) == 1

    def _is_back(self, remediation: Remediation, undo: Undo) -> bool:
        live = self._executor.read(undo.inverse, remediation.metadata.namespace or "")
        return taken_back(remediation, Part("Inverse", undo.step), live)

    def _look_back(self, remediation: Remediation) -> float | None:
        """See whether a person has taken back what stood after the end, as he said he would."""
        word = taken_back_by(remediation)
        try:
            if self._lifted(remediation):
                return SOON
        except Refused as error:
            LOG.info("whether %s was taken back cannot be told: %s", remediation.metadata.name, error)
        young = word is not None and word.time is not None and abs(self._clock.now() - word.time) < IN_FLIGHT
        return WAIT if young else None

    def _note_taken_back(self, remediation: Remediation) -> None:
        said = f"{self._who_took_back(remediation)}: {planned(remediation).summary}"
        conditions = set_condition(
            remediation.status.conditions, RELEASED, "Unknown", TAKEN_BACK, "", self._clock.now()
        )
        status = remediation.status.model_copy(update={"conditions": conditions})
        self._write(remediation, status, UNDONE, TAKEN_BACK, said)

    def _who_took_back(self, remediation: Remediation) -> str:
        word = taken_back_by(remediation)
        return f"{word.by} took it back" if word is not None else "somebody did before"

    def _finish(self, remediation: Remediation) -> None:
        conditions = remediation.status.conditions
        undone = find(conditions, UNDONE)
        if undone is not None and undone.status == "False":
            stopped = find(conditions, APPLIED) if stopped_halfway(remediation) else None
            why = f"; {stopped.reason}: {stopped.message}" if stopped is not None else ""
            self._end(remediation, remediation.status, undone.reason, f"{undone.message}{why}")
            return
        verified = find(conditions, APPLIED if stopped_halfway(remediation) else VERIFIED)
        if verified is None or verified.status == "Unknown":
            verified = undone
        if verified is None:
            raise Refused("NoVerdict", "the condition Verified is missing")
        self._end(remediation, remediation.status, verified.reason, verified.message)

    # --- writing -------------------------------------------------------------------------------------------

    def _compute(self, remediation: Remediation) -> Plan:
        spec = remediation.spec
        action = self._catalogue.get(spec.action)
        if action is None:
            known = ", ".join(sorted(self._catalogue))
            raise Refused("UnknownAction", f"no action {spec.action} is registered; there are {known}")
        world = self._facts.world(remediation, action)
        return make_plan(action, spec.target_ref, parse(action, spec.parameters), world)

    def _unchanged(self, remediation: Remediation) -> None:
        """Raise `Refused` (Drifted) when more would be done now than was approved, or something else."""
        approved, plan = planned(remediation), self._compute(remediation)
        if plan_hash(remediation, approved) != remediation.status.plan_hash or not covers(approved, plan):
            raise _drift(remediation, plan)

    def _write(self, remediation: Remediation, status: RemediationStatus, kind: str, reason: str, message: str) -> None:
        if kind == ADMITTED:
            status = asking(status, self._clock.now(), asks=False)
        conditions = set_condition(status.conditions, kind, True, reason, message, self._clock.now())
        self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
        LOG.info("%s/%s %s: %s: %s", remediation.metadata.namespace, remediation.metadata.name, kind, reason, message)
        self._events.emit("Remediation", remediation.metadata, reason, message)

    def _note(
        self, remediation: Remediation, status: RemediationStatus, reason: str, message: str, kind: str = ADMITTED
    ) -> bool:
        """Say why something waits; writes only what is new. Returns whether it was."""
        if kind == ADMITTED:
            status = asking(status, self._clock.now(), asks=reason == GateOutcome.NEEDS_APPROVAL)
        old = find(status.conditions, kind)
        fresh = old is None or (old.reason, old.message) != (reason, message[:2048])
        if fresh or status is not remediation.status:
            conditions = set_condition(status.conditions, kind, "Unknown", reason, message, self._clock.now())
            self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
        if fresh:
            LOG.info("%s/%s waits: %s: %s", remediation.metadata.namespace, remediation.metadata.name, reason, message)
        return fresh

    def _end(self, remediation: Remediation, status: RemediationStatus, reason: str, message: str) -> None:
        """Finish it, unless another process wrote since it was read: that one may know better (compare and set)."""
        level: Literal["Normal", "Warning"] = "Normal" if reason in _NORMAL else "Warning"
        conditions = set_condition(status.conditions, FINISHED, True, reason, message, self._clock.now())
        self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
        LOG.info("%s/%s ended: %s: %s", remediation.metadata.namespace, remediation.metadata.name, reason, message)
        FINISHED_METRIC.labels(remediation.spec.action, reason).inc()
        self._events.emit("Remediation", remediation.metadata, reason, message, level)


def patience(waited: timedelta, least: float, most: float, crowd: int) -> float:
    """Return in how many seconds to look again at what waits: the longer it has waited and the more do, the later."""
    return max(least, min(waited.total_seconds() / 10, most), min(TURN * crowd, MOST_SELDOM))


def _drift(remediation: Remediation, new: Plan) -> Refused:
    """A plan is immutable, and so is what people approve: a new Remediation asks again, with a plan of its own."""
    differs = drifted(planned(remediation), new)
    said = "the target changed since it was planned; approvals of this plan are void (- as planned, + as it would be now)"
    return Refused("Drifted", f"{said}:\n{differs}")


def _outcomes(decision: GateDecision) -> list[tuple[str, str]]:
    """What a decision says without its live numbers, so that a look that says the same writes nothing."""
    asked = ("people", f"{decision.quorum} {' '.join(decision.refused_channels)}")
    on_whose_word = ("policies", " ".join(decision.policies))
    return [*((c.name, c.outcome.value) for c in decision.checks), asked, on_whose_word]
