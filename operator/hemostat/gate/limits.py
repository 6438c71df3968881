"""Checks that bound how much, how often and how many at once (pure)."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from hemostat.action.effects import conversations_of
from hemostat.api.gatepolicy import Scope
from hemostat.api.incident import Callers
from hemostat.clock import rfc3339
from hemostat.gate.input import ASK, HOLD, PASS, GateInput, Matched, PastAction, Verdict

CALLERS_FRESH = timedelta(minutes=5)
"""Who calls the target is believed for so long."""


def blast_radius(facts: GateInput, found: Matched) -> Verdict:
    """How much the action touches."""
    plan, ready = facts.plan, facts.ready_pods
    if ready is None:
        return ASK, "the target's ready pods could not be counted"
    radii = [p.spec.blast_radius for p in found]
    if not radii:
        return ASK, "no GatePolicy sets a blast radius"
    share = 100 if plan.replaced_pods and not ready else min(100, 100 * plan.replaced_pods // max(ready, 1))
    most, replicas = min(r.max_pods_percent for r in radii), min(r.max_replicas for r in radii)
    if share > most:
        return ASK, f"replaces {share} % of the ready pods, more than {most} %"
    if plan.replicas_after > replicas:
        return ASK, f"leaves {plan.replicas_after} replicas, more than {replicas}"
    calls = [r.max_callers for r in radii if r.max_callers is not None]
    found_callers = _callers(facts, min(calls)) if calls else (PASS, "")
    if found_callers[0] is not PASS:
        return found_callers
    return PASS, f"replaces {share} % of the ready pods, leaves {plan.replicas_after} replicas{found_callers[1]}"


def _callers(facts: GateInput, most: int) -> Verdict:
    known, why = callers_known(facts)
    if known is None:
        return ASK, f"{why}; at most {most} services may call the target"
    said = f"{known.total} services call the target, by the word of telemetry"
    return (ASK, f"{said}, more than {most}") if known.total > most else (PASS, f"; {said}")


def callers_known(facts: GateInput) -> tuple[Callers | None, str]:
    """Return who is served by the target, by the word of `observe`, or why that is not known. It may only tighten, for
    telemetry may be forged."""
    known = facts.incident.status.callers if facts.incident is not None else None
    if known is None:
        return None, "traces do not tell who calls it"
    if abs(facts.now - known.observed_time) > CALLERS_FRESH:
        return None, f"who calls it was last told at {rfc3339(known.observed_time)[:19]}Z"
    return known, ""


def one_at_a_time(facts: GateInput, _: Matched) -> Verdict:
    """Who else is at work on the target."""
    if facts.past is None:
        return HOLD, "earlier actions could not be read"
    uid = facts.remediation.spec.target_ref.uid
    mine = conversations_of(facts.plan.effects)
    apart = [p for p in facts.past if mine and p.conversations and mine.isdisjoint(p.conversations)]
    busy = [p.name for p in facts.past if p.target_uid == uid and not p.finished and p not in apart]
    if busy:
        return HOLD, f"Remediation {busy[0]} is still at work on this target"
    return PASS, "no other action is at work on this target" + (" in these conversations" if mine else "")


def cooldown(facts: GateInput, found: Matched) -> Verdict:
    """How long ago something was done to the target without a person."""
    uid = facts.remediation.spec.target_ref.uid
    seconds = max((p.spec.cooldown_seconds for p in found), default=0)
    since = facts.now - timedelta(seconds=seconds)
    recent = [p for p in facts.past or () if p.unattended and p.target_uid == uid and p.time and p.time > since]
    if recent:
        return ASK, f"{recent[0].name} acted on this target less than {seconds} s ago"
    return PASS, f"no unattended action on this target for {seconds} s"


def budget(facts: GateInput, found: Matched) -> Verdict:
    """How often something was done without a person."""
    if facts.elsewhere is None:
        return HOLD, "what was done in other namespaces could not be read, and a GatePolicy counts it"
    here, there = (_unattended(actions, facts.now) for actions in (facts.past or (), facts.elsewhere))
    for policy in found:
        most = policy.spec.budget
        since = facts.now - timedelta(seconds=most.window_seconds)
        everywhere = most.scope is Scope.CLUSTER
        used = _after(since, here) + (_after(since, there) if everywhere else 0)
        if used >= most.max_actions:
            where = "the cluster" if everywhere else "this namespace"
            said = f"{used} unattended actions in {where} in {most.window_seconds} s are enough"
            return ASK, f"{policy.metadata.name}: {said}"
    return PASS, "the budget of unattended actions is not used up"


def _unattended(actions: Sequence[PastAction], now: datetime) -> list[datetime]:
    """Return when it was done without a person, in order; what is admitted and not done yet counts as done now."""
    return sorted(p.time or now for p in actions if p.unattended and (p.time or not p.finished))


def _after(since: datetime, times: Sequence[datetime]) -> int:
    return len(times) - bisect_right(times, since)
