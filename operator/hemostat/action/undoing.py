"""What undoes what was done, and in which order (pure)."""

from dataclasses import dataclass

from hemostat.api.remediation import Effect, Remediation


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
    if plan is None or plan.inverse is None or any(r.effect == "Inverse" for r in status.results):
        return ()
    certain = any(r.effect == "Forward" for r in status.results)
    if not certain and not any(i.effect == "Forward" for i in status.intents):
        return ()
    return (Undo(0, plan.forward, plan.inverse, certain),)
