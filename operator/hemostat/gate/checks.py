"""The ordered chain of checks (pure). Each says Pass, Ask, Hold or Deny, and why; the strictest wins."""

from collections.abc import Sequence

from hemostat.action.effects import beyond
from hemostat.action.undoing import stays
from hemostat.api.gatepolicy import Decision, GatePolicySpec, Selector, TelemetryAlone, Uncalibrated
from hemostat.api.identity import OBSERVE_USER
from hemostat.api.incident import Advice, Ranking, SignalState
from hemostat.api.remediation import Check, GateDecision, GateOutcome
from hemostat.api.runbook import RunbookState
from hemostat.gate.brakes import acknowledged, callers_at_work, forbidden, human_edit, stop_switch
from hemostat.gate.earned import earned
from hemostat.gate.input import ASK, DENY, HOLD, PASS, SHADOW, CheckFunction, GateInput, Matched, Verdict
from hemostat.gate.limits import blast_radius, budget, cooldown, one_at_a_time
from hemostat.gate.match import matching, unclear
from hemostat.gate.room import room_for_more
from hemostat.gate.times import in_force
from hemostat.gate.wellformed import strangers
from hemostat.signals.correlate import is_over

_STRICTNESS = (PASS, ASK, SHADOW, HOLD, DENY)
_EVERYTHING = Selector()
_USUAL_CONFIDENCE = GatePolicySpec().min_confidence_percent
_NAMED = 8
"""Policies that a reason names."""
_OUTCOME = {
    PASS: GateOutcome.ALLOW,
    ASK: GateOutcome.NEEDS_APPROVAL,
    SHADOW: GateOutcome.SHADOW,
    HOLD: GateOutcome.HOLD,
    DENY: GateOutcome.DENY,
}


def decide(facts: GateInput) -> GateDecision:
    """Run the whole chain; every check speaks, whatever the others said."""
    found = matching(facts)
    checks = [Check(name=name, outcome=o, message=m[:1024]) for name, check in CHAIN for o, m in [check(facts, found)]]
    return GateDecision(
        outcome=_OUTCOME[max((c.outcome for c in checks), key=_STRICTNESS.index)],
        checks=tuple(checks),
        policies=tuple(p.metadata.name for p in found)[:16],
        quorum=max((p.spec.quorum for p in found), default=1),
        refused_channels=tuple(sorted({via for p in found for via in p.spec.refused_channels})),
        time=facts.now,
    )


def _namespace(facts: GateInput, _: Matched) -> Verdict:
    if facts.protected is None:
        return DENY, f"cannot tell whether namespace {facts.namespace} is protected"
    if facts.protected:
        return DENY, f"namespace {facts.namespace} is protected: Hemostat never acts there"
    return PASS, f"namespace {facts.namespace} is not protected"


def _incident(facts: GateInput, _: Matched) -> Verdict:
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


def _runbook(facts: GateInput, _: Matched) -> Verdict:
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


def _policy(facts: GateInput, found: Matched) -> Verdict:
    if facts.policies is None:
        return HOLD, "GatePolicies could not be read; one of them may forbid it"
    denying, asking = (_saying(d, found, facts) for d in (Decision.DENY, Decision.APPROVE))
    if denying and any(not p.spec.when for p in found if p.spec.decision is Decision.DENY):
        return DENY, f"GatePolicy {denying} forbids it"
    if denying:
        return HOLD, f"GatePolicy {denying} forbids it for now"
    if wrong := unclear(facts):
        named = "; ".join(f"{p.metadata.name}: {', '.join(strangers(p, facts.actions))}" for p in wrong[:_NAMED])
        return ASK, f"a GatePolicy names an action that there is not and may mean this one ({named}); a person decides"
    if not found:
        return ASK, "no GatePolicy matches; a person decides"
    if facts.target.labels is None and any(p.spec.selector != _EVERYTHING for p in facts.policies):
        return ASK, "the labels of the target could not be read; a GatePolicy asks for some"
    if asking:
        return ASK, f"GatePolicy {asking} wants a person to decide"
    allowing = _saying(Decision.AUTO, found, facts) or _saying(Decision.SHADOW, found, facts)
    return PASS, f"GatePolicy {allowing} allows it without a person"


def _shadow(facts: GateInput, found: Matched) -> Verdict:
    """In shadow nothing is done, whatever the other checks say; they tell what would have been."""
    shadows = _saying(Decision.SHADOW, found, facts)
    if shadows:
        return SHADOW, f"GatePolicy {shadows} lets nothing be done: it is only said what would be"
    return PASS, "no GatePolicy that matches is in shadow"


def _saying(decision: Decision, found: Matched, facts: GateInput) -> str:
    """Name the policies that say this, the first few of them, and till when they do."""
    saying = [p for p in found if p.spec.decision is decision]
    until = [(p.metadata.name, str(in_force(p.spec, facts.now))) for p in saying[:_NAMED]]
    named = ", ".join(f"{name} ({words})" if words else name for name, words in until)
    return named + (f" and {len(saying) - _NAMED} more" if len(saying) > _NAMED else "")


def _confidence(facts: GateInput, found: Matched) -> Verdict:
    """Both must reach the least: what the diagnosis says of itself, and what outcomes say that is worth."""
    spec = facts.remediation.spec
    least = max((p.spec.min_confidence_percent for p in found), default=100)
    percent, worth = spec.confidence_percent, spec.calibration
    if spec.requested_by != OBSERVE_USER:
        return ASK, f"{spec.requested_by} requested it, and how sure the diagnosis is is his own word: another decides"
    asked = f"{least} %{' (the default)' if least == _USUAL_CONFIDENCE else ''}"
    if percent < least:
        return ASK, f"confidence {percent} % is below {asked}"
    if worth is not None and worth.percent is not None:
        said = f"confidence {percent} % was worth {worth.percent} % in {worth.outcomes} outcomes"
        return (ASK, f"{said}, below {asked}") if worth.percent < least else (PASS, f"{said}, at least {asked}")
    told = f"confidence {percent} % is not calibrated ({worth.outcomes if worth is not None else 0} outcomes)"
    allowed = bool(found) and all(p.spec.on_uncalibrated is Uncalibrated.ALLOW for p in found)
    if least and not allowed:
        return ASK, f"{told}: it does not count as {asked}"
    return PASS, f"{told}; the policies take its own word, at least {asked}"


def _ordered(facts: GateInput, _: Matched) -> Verdict:
    """What only a model preferred of equals is its word alone, however sure it is and whatever that was worth."""
    if facts.remediation.spec.ranking is Ranking.ORDERED:
        return PASS, "the matcher could order the Runbooks that match"
    return ASK, "it is not said that the matcher could order the Runbooks that match: a model may have broken a tie"


def _reversible(facts: GateInput, _: Matched) -> Verdict:
    if said := stays(facts.plan):
        return ASK, f"{said}; a person decides"
    return PASS, "it can be undone"


def _owner(facts: GateInput, _: Matched) -> Verdict:
    """What another controller may put back is for a person, who knows whether it does."""
    if others := facts.plan.overwritten_by:
        return ASK, f"{', '.join(others)} may put it back; a person decides"
    return PASS, "no other controller is known to write the same"


def _reach(facts: GateInput, _: Matched) -> Verdict:
    """What belongs to all namespaces is not for one of them to decide about."""
    shared = [f"{e.kind} {e.name}" for e in beyond(facts.plan.effects)]
    if shared:
        return ASK, f"it changes {', '.join(shared)}: a person decides who may do that too"
    return PASS, "it changes nothing outside the namespace"


def _corroboration(facts: GateInput, found: Matched) -> Verdict:
    if facts.corroboration:
        return PASS, facts.corroboration
    alone = (
        "neither the API server nor Prometheus confirms the trouble; telemetry alone may be forged "
        "(traces, alerts, forecasts and what was learned cannot be asked again)"
    )
    if facts.plan.hold_seconds is None or not found:
        return ASK, alone
    if any(p.spec.on_telemetry_alone is not TelemetryAlone.ALLOW_TIME_LIMITED for p in found):
        return ASK, alone
    return PASS, f"only telemetry tells of it; the policies let what ends after {facts.plan.hold_seconds} s go on that"


def _agents(facts: GateInput, _: Matched) -> Verdict:
    """Repetition alone is no proof: a cut without a person needs cost, cadence and duration too."""
    if facts.plan.hold_seconds is None:
        return PASS, "it cuts nothing between agents"
    own = [s for s in facts.incident.status.signals if s.watch_ref is None] if facts.incident is not None else []
    told = [s for s in own if s.state is SignalState.FIRING and s.conversation is not None]
    if not any(s.conversation is not None and s.conversation.advice is Advice.CUT for s in told):  # else it cuts these
        which = f"{told[0].kind} of {told[0].subject}" if told else "it"
        return ASK, f"{which} is told, but not proven to go on for nothing"
    return PASS, "what goes on between the agents costs, and brings nothing"


CHAIN: Sequence[tuple[str, CheckFunction]] = (
    ("StopSwitch", stop_switch),
    ("ProtectedNamespace", _namespace),
    ("Forbidden", forbidden),
    ("IncidentOpen", _incident),
    ("RunbookLists", _runbook),
    ("Policy", _policy),
    ("Shadow", _shadow),
    ("Confidence", _confidence),
    ("Ordered", _ordered),
    ("Earned", earned),
    ("BlastRadius", blast_radius),
    ("Reversible", _reversible),
    ("Owner", _owner),
    ("Reach", _reach),
    ("Corroboration", _corroboration),
    ("Agents", _agents),
    ("RoomForMore", room_for_more),
    ("HumanEdit", human_edit),
    ("Acknowledged", acknowledged),
    ("OneAtATime", one_at_a_time),
    ("CallersAtWork", callers_at_work),
    ("Cooldown", cooldown),
    ("Budget", budget),
)
