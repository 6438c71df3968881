"""The ordered chain of checks (pure). Each says Pass, Ask, Hold or Deny, and why; the strictest wins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.action.effects import conversations_of
from hemostat.api.gatepolicy import Decision, GatePolicy, TelemetryAlone, Uncalibrated
from hemostat.api.incident import Advice, Incident, SignalState
from hemostat.api.remediation import Check, CheckOutcome, GateDecision, GateOutcome, Plan, Remediation
from hemostat.api.runbook import Runbook, RunbookState
from hemostat.gate.times import in_force
from hemostat.signals.correlate import is_over

PASS, ASK, HOLD, DENY = CheckOutcome.PASS, CheckOutcome.ASK, CheckOutcome.HOLD, CheckOutcome.DENY
_STRICTNESS = (PASS, ASK, HOLD, DENY)
_OUTCOME = {
    PASS: GateOutcome.ALLOW,
    ASK: GateOutcome.NEEDS_APPROVAL,
    HOLD: GateOutcome.HOLD,
    DENY: GateOutcome.DENY,
}


@dataclass(frozen=True, slots=True)
class PastAction:
    """An action that Hemostat took earlier in this namespace."""

    name: str
    target_uid: str
    time: datetime | None
    """When its forward effect was applied; None while it is admitted and not applied."""
    finished: bool
    unattended: bool
    """Whether no person approved it."""
    conversations: frozenset[str] = frozenset()
    """The only conversations of agents that it touches; empty: it touches more than those."""


@dataclass(frozen=True, slots=True)
class GateInput:
    """Everything the gate may know. None means: could not be read, and never helps."""

    remediation: Remediation
    plan: Plan
    incident: Incident | None
    runbook: Runbook | None
    policies: tuple[GatePolicy, ...] | None
    """All GatePolicies of the cluster."""
    protected: bool | None
    """Whether the namespace is one that Hemostat must not touch."""
    ready_pods: int | None
    corroboration: str | None
    """What the API server or Prometheus itself says of the trouble; None when neither confirms it."""
    past: tuple[PastAction, ...] | None
    now: datetime

    @property
    def namespace(self) -> str:
        """The namespace the action is about."""
        return self.remediation.metadata.namespace or ""


Verdict = tuple[CheckOutcome, str]
CheckFunction = Callable[[GateInput], Verdict]


def decide(facts: GateInput) -> GateDecision:
    """Run the whole chain; every check speaks, whatever the others said."""
    checks = [Check(name=name, outcome=o, message=m[:1024]) for name, check in CHAIN for o, m in [check(facts)]]
    strictest, found = max((c.outcome for c in checks), key=_STRICTNESS.index), matching(facts)
    return GateDecision(
        outcome=_OUTCOME[strictest],
        checks=tuple(checks),
        policies=tuple(p.metadata.name for p in found)[:16],
        quorum=max((p.spec.quorum for p in found), default=1),
        time=facts.now,
    )


def matching(facts: GateInput) -> tuple[GatePolicy, ...]:
    """Return the policies that are about this action, here, at this risk, now."""
    if facts.runbook is None:
        return ()
    action, risk = facts.remediation.spec.action, facts.runbook.spec.risk
    return tuple(
        p
        for p in facts.policies or ()
        if facts.namespace in (p.spec.namespaces or (facts.namespace,))
        and action in (p.spec.actions or (action,))
        and risk in (p.spec.risks or (risk,))
        and in_force(p.spec, facts.now)[0]
    )


def _namespace(facts: GateInput) -> Verdict:
    if facts.protected is None:
        return DENY, f"cannot tell whether namespace {facts.namespace} is protected"
    if facts.protected:
        return DENY, f"namespace {facts.namespace} is protected: Hemostat never acts there"
    return PASS, f"namespace {facts.namespace} is not protected"


def _incident(facts: GateInput) -> Verdict:
    wanted = facts.remediation.spec.incident_ref
    incident = facts.incident
    if incident is None or incident.metadata.uid != wanted.uid:
        return DENY, f"Incident {wanted.name} with uid {wanted.uid} does not exist"
    if is_over(incident):
        return DENY, f"Incident {wanted.name} is already resolved"
    if incident.spec.target_ref.uid != facts.remediation.spec.target_ref.uid:
        return DENY, f"Incident {wanted.name} is about another target"
    if incident.status.part_of is not None:
        return HOLD, f"Incident {incident.status.part_of.name} is the cause of this one; what is done there comes first"
    states = {s.state for s in incident.status.signals if s.watch_ref is None}
    if SignalState.FIRING in states:
        return PASS, "signals of the Incident still fire"
    return HOLD, "no signal of the Incident fires at the moment"


def _runbook(facts: GateInput) -> Verdict:
    spec, runbook = facts.remediation.spec, facts.runbook
    if runbook is None or runbook.metadata.uid != spec.runbook_ref.uid:
        return DENY, f"Runbook {spec.runbook_ref.name} with uid {spec.runbook_ref.uid} does not exist"
    if runbook.spec.state is not RunbookState.ACTIVE:
        return DENY, f"Runbook {spec.runbook_ref.name} is not Active"
    steps = runbook.spec.remediations
    if spec.step >= len(steps) or steps[spec.step].action != spec.action:
        return DENY, f"step {spec.step} of Runbook {spec.runbook_ref.name} is not {spec.action}"
    if set(steps[spec.step].parameters) != set(spec.parameters):
        return DENY, f"parameters differ from step {spec.step} of Runbook {spec.runbook_ref.name}"
    return PASS, f"it is step {spec.step} of Runbook {spec.runbook_ref.name}"


def _policy(facts: GateInput) -> Verdict:
    if facts.policies is None:
        return HOLD, "GatePolicies could not be read; one of them may forbid it"
    found = matching(facts)
    if not found:
        return ASK, "no GatePolicy matches; a person decides"
    named = {d: ", ".join(_named(p, facts) for p in found if p.spec.decision is d) for d in Decision}
    if any(p.spec.decision is Decision.DENY and not p.spec.when for p in found):
        return DENY, f"GatePolicy {named[Decision.DENY]} forbids it"
    if named[Decision.DENY]:
        return HOLD, f"GatePolicy {named[Decision.DENY]} forbids it for now"
    if named[Decision.APPROVE]:
        return ASK, f"GatePolicy {named[Decision.APPROVE]} wants a person to decide"
    return PASS, f"GatePolicy {named[Decision.AUTO]} allows it without a person"


def _named(policy: GatePolicy, facts: GateInput) -> str:
    until = in_force(policy.spec, facts.now)[1]
    return f"{policy.metadata.name} ({until})" if until else policy.metadata.name


def _confidence(facts: GateInput) -> Verdict:
    """Both must reach the least: what the diagnosis says of itself, and what outcomes say that is worth."""
    found, spec = matching(facts), facts.remediation.spec
    least = max((p.spec.min_confidence_percent for p in found), default=100)
    percent, worth = spec.confidence_percent, spec.calibration
    if percent < least:
        return ASK, f"confidence {percent} % is below {least} %"
    if worth is not None and worth.percent is not None:
        said = f"confidence {percent} % was worth {worth.percent} % in {worth.outcomes} outcomes"
        return (ASK, f"{said}, below {least} %") if worth.percent < least else (PASS, f"{said}, at least {least} %")
    told = f"confidence {percent} % is not calibrated ({worth.outcomes if worth is not None else 0} outcomes)"
    allowed = bool(found) and all(p.spec.on_uncalibrated is Uncalibrated.ALLOW for p in found)
    if least and not allowed:
        return ASK, f"{told}: it does not count as {least} %"
    return PASS, f"{told}; the policies take its own word, at least {least} %"


def _blast_radius(facts: GateInput) -> Verdict:
    plan, ready = facts.plan, facts.ready_pods
    if ready is None:
        return ASK, "the target's ready pods could not be counted"
    radii = [p.spec.blast_radius for p in matching(facts)]
    if not radii:
        return ASK, "no GatePolicy sets a blast radius"
    share = 100 if plan.replaced_pods and not ready else min(100, 100 * plan.replaced_pods // max(ready, 1))
    most, replicas = min(r.max_pods_percent for r in radii), min(r.max_replicas for r in radii)
    if share > most:
        return ASK, f"replaces {share} % of the ready pods, more than {most} %"
    if plan.replicas_after > replicas:
        return ASK, f"leaves {plan.replicas_after} replicas, more than {replicas}"
    if any(r.max_callers is not None for r in radii):
        return ASK, "maxCallers is set and the call graph is not known to this process"
    return PASS, f"replaces {share} % of the ready pods, leaves {plan.replicas_after} replicas"


def _reversible(facts: GateInput) -> Verdict:
    if facts.plan.inverse is None:
        return ASK, "nothing undoes it; a person decides"
    return PASS, "it can be undone"


def _corroboration(facts: GateInput) -> Verdict:
    if facts.corroboration is not None:
        return PASS, facts.corroboration
    alone = (
        "neither the API server nor Prometheus confirms the trouble; telemetry alone may be forged "
        "(traces, alerts, forecasts and what was learned cannot be asked again)"
    )
    found = matching(facts)
    if facts.plan.hold_seconds is None or not found:
        return ASK, alone
    if any(p.spec.on_telemetry_alone is not TelemetryAlone.ALLOW_TIME_LIMITED for p in found):
        return ASK, alone
    return PASS, f"only telemetry tells of it; the policies let what ends after {facts.plan.hold_seconds} s go on that"


def _agents(facts: GateInput) -> Verdict:
    """Repetition alone is no proof: a cut without a person needs cost, cadence and duration too."""
    if facts.plan.hold_seconds is None:
        return PASS, "it cuts nothing between agents"
    own = [s for s in facts.incident.status.signals if s.watch_ref is None] if facts.incident is not None else []
    told = [s for s in own if s.state is SignalState.FIRING and s.conversation is not None]
    if not any(s.conversation is not None and s.conversation.advice is Advice.CUT for s in told):  # else it cuts these
        which = f"{told[0].kind} of {told[0].subject}" if told else "it"
        return ASK, f"{which} is told, but not proven to go on for nothing"
    return PASS, "what goes on between the agents costs, and brings nothing"


def _one_at_a_time(facts: GateInput) -> Verdict:
    if facts.past is None:
        return HOLD, "earlier actions could not be read"
    uid = facts.remediation.spec.target_ref.uid
    mine = conversations_of(facts.plan.forward)
    apart = [p for p in facts.past if mine and p.conversations and mine.isdisjoint(p.conversations)]
    busy = [p.name for p in facts.past if p.target_uid == uid and not p.finished and p not in apart]
    if busy:
        return HOLD, f"Remediation {busy[0]} is still at work on this target"
    return PASS, "no other action is at work on this target" + (" in these conversations" if mine else "")


def _cooldown(facts: GateInput) -> Verdict:
    uid = facts.remediation.spec.target_ref.uid
    seconds = max((p.spec.cooldown_seconds for p in matching(facts)), default=0)
    since = facts.now - timedelta(seconds=seconds)
    recent = [p for p in facts.past or () if p.unattended and p.target_uid == uid and p.time and p.time > since]
    if recent:
        return ASK, f"{recent[0].name} acted on this target less than {seconds} s ago"
    return PASS, f"no unattended action on this target for {seconds} s"


def _budget(facts: GateInput) -> Verdict:
    for policy in matching(facts):
        budget = policy.spec.budget
        since = facts.now - timedelta(seconds=budget.window_seconds)
        used = sum(1 for p in facts.past or () if p.unattended and (p.time > since if p.time else not p.finished))
        if used >= budget.max_actions:
            return ASK, f"{policy.metadata.name}: {used} unattended actions in {budget.window_seconds} s are enough"
    return PASS, "the budget of unattended actions is not used up"


CHAIN: Sequence[tuple[str, CheckFunction]] = (
    ("ProtectedNamespace", _namespace),
    ("IncidentOpen", _incident),
    ("RunbookLists", _runbook),
    ("Policy", _policy),
    ("Confidence", _confidence),
    ("BlastRadius", _blast_radius),
    ("Reversible", _reversible),
    ("Corroboration", _corroboration),
    ("Agents", _agents),
    ("OneAtATime", _one_at_a_time),
    ("Cooldown", _cooldown),
    ("Budget", _budget),
)
