"""Which step of a plan comes next, what it waits for, when it is given up, and what may differ meanwhile (pure)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hemostat.action.effects import Live, still_ours
from hemostat.action.moves import planned, under_way
from hemostat.action.parts import Part, Which, tries_of
from hemostat.action.undoing import Undo, undoes
from hemostat.api.remediation import Effect, Plan, PlanStep, Remediation, Verb
from hemostat.errors import Refused


def turn(remediation: Remediation, which: Which) -> Part:
    """Return the effect that comes next: forward the first step that has no result, back the last one that has.

    Raises `Refused` (Irreversible) when nothing is left to undo.
    """
    plan = planned(remediation)
    if which == "Forward":
        left = [n for n in range(len(plan.steps)) if n not in done(remediation)]
        return Part("Forward", left[0] if left else len(plan.steps) - 1)
    back = to_undo(remediation)
    if not back:
        raise Refused("Irreversible", f"nothing undoes it: {plan.summary}")
    return Part("Inverse", back[0].step)


def done(remediation: Remediation) -> frozenset[int]:
    """Return the steps that have taken place."""
    return frozenset(r.step for r in remediation.status.results if r.effect == "Forward")


def to_undo(remediation: Remediation) -> tuple[Undo, ...]:
    """Return the steps that have taken place and are to be undone, the last one first; not those that cannot be."""
    given_up = {b.step for b in remediation.status.blocked}
    return tuple(u for u in undoes(remediation) if u.certain and u.step not in given_up)


def halfway(remediation: Remediation) -> bool:
    """Tell whether some steps have taken place and others have not."""
    return 0 < len(done(remediation)) < len(planned(remediation).steps)


def overdue(remediation: Remediation, now: datetime) -> bool:
    """Tell whether the steps that are left are to be given up, and no request for the next one may still land."""
    if remediation.status.plan is None or not halfway(remediation):
        return False
    deadline = planned(remediation).deadline_seconds
    first = min(r.time for r in remediation.status.results)
    late = deadline is not None and now - first > timedelta(seconds=deadline)
    return late and under_way(tries_of(remediation, turn(remediation, "Forward")), now) <= 0


def awaited(step: PlanStep, target: Live) -> str:
    """Say what the step waits for: replicas of the target that must be available before; empty: for nothing."""
    found = int(target.get("status", {}).get("availableReplicas") or 0)
    if found >= step.awaits_available:
        return ""
    return f"{found} replicas are available; the next step waits for {step.awaits_available}"


def as_planned(step: PlanStep, live: Live) -> bool:
    """Tell whether what a later step patches is as it was when it was planned, by the values that its inverse holds."""
    return step.inverse is None or step.inverse.verb is not Verb.PATCH or still_ours(step.inverse, live)


def covers(approved: Plan, fresh: Plan) -> bool:
    """Tell whether the plan that would be made now does nothing that was not approved.

    It is the same; or some of the objects that it deletes are gone by themselves, and the rest is the same. What is
    new, a pod that came since, is in no approved plan.
    """
    if fresh == approved:
        return True
    if len(fresh.steps) >= len(approved.steps) or _frame(fresh) != _frame(approved):
        return False
    left = list(_pairs(approved))
    for pair in _pairs(fresh):
        while left and left[0] != pair and left[0][0].verb is Verb.DELETE:
            left.pop(0)
        if not left or left.pop(0) != pair:
            return False
    return all(forward.verb is Verb.DELETE for forward, _ in left)


def _pairs(plan: Plan) -> Iterator[tuple[Effect, Effect | None]]:
    for step in plan.steps:
        yield step.forward, step.inverse


def _frame(plan: Plan) -> tuple[object, ...]:
    """All but the steps, and what tells of them in words and numbers."""
    return plan.replicas_after, plan.on_ineffective, plan.hold_seconds, plan.deadline_seconds, plan.reads_digest
