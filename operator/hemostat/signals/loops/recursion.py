"""An agent that calls itself, directly or through others, without end: seen from open spans (pure)."""

from collections.abc import Iterator

from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Step

DEPTH = 10
"""Calls inside each other, of agents that call each other again, whatever their tasks."""
SAME = 3
"""Calls inside each other with the very same task, when it has come back to an agent: nothing gets smaller."""
TWICE_SECONDS = 0.1
"""An agent that calls itself asks its model before: spans that begin within so long are of one call, told of by several
instrumentations."""


def too_deep(step: Step, chain: list[tuple[str, Step]], steps: OpenSteps) -> Iterator[Verdict]:
    """Yield a verdict if an activation that has just begun below a chain of others is one too many."""
    who = steps.activated(step)
    if all(name != who for name, _ in chain):
        return
    above = _once(step, chain, who)
    mine = [one for name, one in above if name == who]
    if not mine:
        return
    task = step.arguments
    came_back = task is not None and any(one.arguments == task for one in mine)
    same = 1 + sum(one.arguments == task for _, one in above) if came_back else 0
    if same < SAME and len(above) + 1 < DEPTH:
        return
    again = f", {same} calls with the same task" if same >= SAME else ""
    yield Verdict(
        kind=Kind.RECURSION,
        advice=Advice.CUT if same >= SAME else Advice.NOTIFY,
        tenant=step.tenant,
        conversation=step.conversation,
        agents=(who, *dict.fromkeys(name for name, _ in above[: above.index((who, mine[0]))] if name != who)),
        edge=(steps.agent_of(caller) if (caller := steps.get(step.parent)) else who, who),
        rounds=max(same, len(mine) + 1),
        began=above[-1][1].started,
        ended=step.started,
        confidence=90 if same >= SAME else 70,
        visibility=Visibility.FULL if task is not None else Visibility.PARTIAL,
        words=f"{who} is called inside its own call for the {len(mine)}. time{again}, and no call has returned",
    )


def _once(step: Step, above: list[tuple[str, Step]], who: str) -> list[tuple[str, Step]]:
    """Return the calls above one without those that it, or another of them, tells of once more."""
    found: list[tuple[str, Step]] = []
    inner, name = step, who
    for other, one in above:
        if not (other == name and inner.started - one.started <= TWICE_SECONDS):
            found.append((other, one))
        inner, name = one, other
    return found
