"""What a Remediation would do and whether it may: plan, gate, and the word of people (shell)."""

import logging
from collections.abc import Callable

from hemostat.act.facts import Facts
from hemostat.act.ledger import DENIED, Recorder, decided
from hemostat.act.pace import APPROVED, DISRUPTED, LISTEN, MAX_REVIEWS, RARELY, SELDOM, SOON, WAIT, patience
from hemostat.act.store import Store
from hemostat.act.telling import Teller
from hemostat.action.contract import make_plan, parse, plan_hash
from hemostat.action.effects import beyond
from hemostat.action.execute import Executor
from hemostat.action.moves import Landed, Lost, next_move, planned, under_way
from hemostat.action.parts import Part, manager
from hemostat.action.registry import Catalogue
from hemostat.action.standing import taken_back_by, who_took_back
from hemostat.action.stepping import covers
from hemostat.api.approval import Word
from hemostat.api.meta import find
from hemostat.api.remediation import (
    ADMITTED,
    APPLIED,
    PLANNED,
    UNATTENDED,
    WOULD_HAVE,
    Effect,
    GateDecision,
    GateOutcome,
    Plan,
    Remediation,
    RemediationStatus,
    Verb,
)
from hemostat.clock import Clock
from hemostat.errors import Refused
from hemostat.events import Events
from hemostat.gate.approvals import Spoken, hear
from hemostat.gate.checks import decide
from hemostat.gate.drift import drifted
from hemostat.gate.shadow import would_have
from hemostat.kube import Disrupted
from hemostat.lifecycle import SELF_HEALED_AFTER, TAKEN_BACK, all_clear_since
from hemostat.metrics import GATE

LOG = logging.getLogger(__name__)


class Deciding:
    """Plans, asks the gate and hears people."""

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
        tell: Teller,
    ) -> None:
        """:param crowd: how many there are that wait or are worked on."""
        self._store = store
        self._facts = facts
        self._executor = executor
        self._catalogue = catalogue
        self._events = events
        self._clock = clock
        self._server_now = server_now
        self._record = record
        self._crowd = crowd
        self._tell = tell

    def plan(self, remediation: Remediation) -> float:
        """Compute the plan and write it down. Raises `Refused` with why there is none."""
        plan = self._compute(remediation)
        self._can_be_done(remediation, plan)
        digest = plan_hash(remediation, plan)
        status = remediation.status.model_copy(update={"plan": plan, "plan_hash": digest})
        self._tell.write(remediation, status, PLANNED, "Planned", plan.summary)
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

    def decide(self, remediation: Remediation) -> float | None:
        """Ask the gate, and people where it says so. Raises `Refused` where it is not to be done at all."""
        if taken_back_by(remediation) is not None:
            return self.given_up(remediation)
        self.unchanged(remediation)
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
            self._tell.end(remediation, status, "Denied", reasons)
            return None
        since = all_clear_since(gathered.incident, self._clock.now()) if gathered.incident is not None else None
        if since is not None and self._clock.now() - since >= SELF_HEALED_AFTER:
            raise Refused("NotNeeded", "all signals cleared before anything was done")
        if decision.outcome is GateOutcome.ALLOW:
            self._tell.write(remediation, status, ADMITTED, UNATTENDED, f"policies: {', '.join(decision.policies)}")
            return SOON
        if decision.outcome is GateOutcome.HOLD:
            self._tell.note(remediation, status, "Held", reasons)
            return self.look_again(remediation, WAIT, RARELY)
        if decision.outcome is GateOutcome.SHADOW:
            self._tell.end(remediation, status, WOULD_HAVE, f"{would_have(decision, plan)}; {self._tried(remediation)}")
            return None
        look = self._listen(remediation, status, reasons)
        return look if since is None else min(look, (since + SELF_HEALED_AFTER - self._clock.now()).total_seconds())

    def cleared(self, remediation: Remediation) -> bool:
        """Tell whether its Incident is gone or all clear for so long that nothing needs to be done any more."""
        incident = self._store.incident(remediation.metadata.namespace or "", remediation.spec.incident_ref.name)
        since = all_clear_since(incident, self._clock.now()) if incident is not None else None
        return incident is None or (since is not None and self._clock.now() - since >= SELF_HEALED_AFTER)

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
        spoken = self.heard(remediation, status)
        if spoken.decision is Word.DENY:
            raise Refused(DENIED, f"{', '.join(spoken.people)}: {spoken.reason or 'no reason given'}")
        if spoken.decision is Word.APPROVE:
            status = status.model_copy(update={"approvals": spoken.names, "approvers": spoken.people})
            by = f"by {', '.join(spoken.people)} ({', '.join(spoken.names)})"
            self._tell.write(remediation, status, ADMITTED, APPROVED, by)
            return SOON
        told = "; ".join(s for s in (spoken.waiting, reasons, *(f"ignored {i}" for i in spoken.ignored)) if s)
        if self._tell.note(remediation, status, "NeedsApproval", told):
            hint = f"kubectl hemostat approve -n {namespace} {name}"
            self._events.emit("Remediation", remediation.metadata, "NeedsApproval", f"{told}; approve: {hint}")
        return self.look_again(remediation, LISTEN, SELDOM)

    def look_again(self, remediation: Remediation, least: float, most: float) -> float:
        """Return when to look again at what waits for a decision."""
        admitted = find(remediation.status.conditions, ADMITTED)
        since = admitted.last_transition_time if admitted is not None else self._clock.now()
        return patience(self._clock.now() - since, least, most, self._crowd())

    def heard(self, remediation: Remediation, status: RemediationStatus) -> Spoken:
        """Return what people have said of this plan."""
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

    def revoked(self, remediation: Remediation) -> bool:
        """Tell whether the people whose word it rests on have taken it back, or one of them has denied it since."""
        admitted = find(remediation.status.conditions, ADMITTED)
        if admitted is None or admitted.reason != APPROVED:
            return False
        return self.heard(remediation, remediation.status).decision is not Word.APPROVE

    def _compute(self, remediation: Remediation) -> Plan:
        spec = remediation.spec
        action = self._catalogue.get(spec.action)
        if action is None:
            known = ", ".join(sorted(self._catalogue))
            raise Refused("UnknownAction", f"no action {spec.action} is registered; there are {known}")
        world = self._facts.world(remediation, action)
        return make_plan(action, spec.target_ref, parse(action, spec.parameters), world)

    def unchanged(self, remediation: Remediation) -> None:
        """Raise `Refused` (Drifted) when more would be done now than was approved, or something else."""
        approved, plan = planned(remediation), self._compute(remediation)
        if plan_hash(remediation, approved) != remediation.status.plan_hash or not covers(approved, plan):
            raise _drift(remediation, plan)

    def still_says_so(self, remediation: Remediation) -> bool:
        """Tell whether what only waits for a disruption budget would be decided now as it was: that is told once."""
        waits, before = find(remediation.status.conditions, APPLIED), remediation.status.decision
        if before is None or waits is None or waits.reason != DISRUPTED:
            return False
        live = self._facts.target(remediation.metadata.namespace or "", remediation.spec.target_ref)
        return _outcomes(decide(self._facts.gate(remediation, planned(remediation), live))) == _outcomes(before)

    def given_up(self, remediation: Remediation) -> float:
        """A person takes it back who cannot have seen that it was applied: it is not applied (again)."""
        left = under_way(remediation.status.intents, self._clock.now())
        if left > 0:
            return min(left, LISTEN)
        raise Refused(TAKEN_BACK, who_took_back(remediation))


def _drift(remediation: Remediation, new: Plan) -> Refused:
    """A plan is immutable, and so is what people approve: a new Remediation asks again, with a plan of its own."""
    differs = drifted(planned(remediation), new)
    said = (
        "the target changed since it was planned; approvals of this plan are void (- as planned, + as it would be now)"
    )
    return Refused("Drifted", f"{said}:\n{differs}")


def _outcomes(decision: GateDecision) -> list[tuple[str, str]]:
    """What a decision says without its live numbers, so that a look that says the same writes nothing."""
    asked = ("people", f"{decision.quorum} {' '.join(decision.refused_channels)}")
    on_whose_word = ("policies", " ".join(decision.policies))
    return [*((c.name, c.outcome.value) for c in decision.checks), asked, on_whose_word]
