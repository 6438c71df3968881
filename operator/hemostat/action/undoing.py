"""What undoes what was done, and in which order (pure)."""

from dataclasses import dataclass

from hemostat.api.remediation import Effect, Plan, Remediation


@dataclass(frozen=True, slots=True)
class Undo:
    """One step to take back."""

    step: int
    """Which of the plan's steps, from 0."""
    forward: Effect
    """What was done: it may be undone only while the object shows it (`effects.can_be_undone`)."""
    inverse: Effect
    """What undoes it."""
    certain: bool
    """Whether a result says that it took place; else there is only an intent, and the object must show it."""


def undoes(remediation: Remediation) -> tuple[Undo, ...]:
    """Return what is still to be undone of what was begun, the last step first."""
    plan, status = remediation.status.plan, remediation.status
    begun = {i.step for i in status.intents if i.effect == "Forward"}
    done = {r.step for r in status.results if r.effect == "Forward"}
    undone = {r.step for r in status.results if r.effect == "Inverse"}
    steps = enumerate(plan.steps) if plan is not None else ()
    return tuple(
        Undo(number, step.forward, step.inverse, number in done)
        for number, step in reversed(list(steps))
        if step.inverse is not None and number in begun | done and number not in undone
    )


def stays(plan: Plan) -> str:
    """Say what nothing undoes of a plan; empty: all of it can be undone."""
    if not plan.for_good:
        return ""
    return "nothing undoes it" if len(plan.steps) == 1 else f"nothing undoes {len(plan.for_good)} of its steps"
