"""An agent that calls itself, directly or through others, without end: seen from open spans (pure)."""

from collections.abc import Iterator

from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Operation, Step

DEPTH = 10
"""Calls of one agent inside each other, each with another task."""
SAME = 3
"""Calls of one agent inside each other with the very same task: nothing gets smaller."""


def too_deep(step: Step, steps: OpenSteps) -> Iterator[Verdict]:
    """Yield a verdict if an activation that has just begun is one too many."""
    if step.operation is not Operation.AGENT:
        return
    above = steps.above(step)
    same = 1 + sum(one.arguments == step.arguments for one in above) if step.arguments is not None else 1
    if len(above) + 1 < DEPTH and same < SAME:
        return
    who = step.agent or step.peer
    task = f", {same} times with the same task" if same >= SAME else ""
    yield Verdict(
        kind=Kind.RECURSION,
        advice=Advice.CUT if same >= SAME else Advice.NOTIFY,
        tenant=step.tenant,
        conversation=step.conversation,
        agents=(who,),
        edge=(steps.agent_of(caller) if (caller := steps.get(step.parent)) else who, who),
        rounds=max(same, len(above) + 1),
        began=above[-1].started,
        confidence=90 if same >= SAME else 70,
        visibility=Visibility.FULL if step.arguments is not None else Visibility.PARTIAL,
        words=f"{who} has called itself {len(above)} times{task}, and no call has returned",
    )
