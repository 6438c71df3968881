"""Deadlocks and people who are waited for, from what is open (pure; not for several threads at once).

A deadlock is told when its very spans have stood still for a while and still do at the next look: many a wait ends by a
time-out, and what arrives late makes deadlocks that are none (phantom deadlocks).
"""

from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.verdict import Advice, Edge, Kind, Verdict, Visibility
from hemostat.signals.loops.waitgraph import WaitGraph
from hemostat.signals.loops.waits import Deadlock, Node
from hemostat.telemetry.steps import Step

QUIET_SECONDS = 20.0
"""How long a cycle of waits must have stood still: waits with a time-out give up before."""
PERSON_SECONDS = 300.0
"""How long a person may take to answer."""


class Standstill:
    """Looks for deadlocks again and again; tells those that were there before."""

    def __init__(self, steps: OpenSteps, quiet: float = QUIET_SECONDS, person: float = PERSON_SECONDS) -> None:
        self._steps, self._graph = steps, WaitGraph(steps)
        self._quiet, self._person = quiet, person
        self._suspected: dict[frozenset[Node], float] = {}

    def look(self, now: float) -> list[Verdict]:
        """Return what stands still at `now`."""
        steps, found = self._steps, self._graph.deadlocks()
        suspected = {frozenset(d.nodes): self._suspected.get(frozenset(d.nodes), now) for d in found}
        self._suspected = suspected
        due = [d for d in found if now - suspected[frozenset(d.nodes)] > 0 and now - d.since >= self._quiet]
        people = [
            _person(one.step, steps.agent_of(one.step), now - one.since)
            for one in steps.waits("person")
            if now - one.since >= self._person
        ]
        return [_deadlock(d, self._graph.members(d), steps) for d in due] + people


def _deadlock(found: Deadlock, members: list[Step], steps: OpenSteps) -> Verdict:
    names = [steps.agent_of(step) for step in members]
    agents = tuple(dict.fromkeys(names))
    edges = [
        ((name, other), step.started)
        for name, other, step in zip(names, (*names[1:], names[0]), members, strict=True)
        if name != other
    ]
    # The wait that came last has the least work behind it.
    edge: Edge = max(edges, key=lambda e: e[1])[0] if edges else (names[-1], members[-1].peer)
    latest = max(members, key=lambda s: s.started)
    return Verdict(
        kind=Kind.DEADLOCK,
        advice=Advice.CUT if found.sure else Advice.NOTIFY,
        tenant=latest.tenant,
        conversation=latest.conversation,
        agents=agents,
        edge=edge,
        rounds=1,
        began=found.since,
        confidence=95 if found.sure else 60,
        visibility=Visibility.FULL,
        words=f"{' -> '.join((*agents, agents[0]))}: each waits for the next, and none of them does anything else",
        open_tools=tuple(sorted(set().union(*(steps.tools_in((s.tenant, s.conversation, "")) for s in members)))),
    )


def _person(step: Step, agent: str, waited: float) -> Verdict:
    return Verdict(
        kind=Kind.WAITING_FOR_PERSON,
        advice=Advice.NOTIFY,
        tenant=step.tenant,
        conversation=step.conversation,
        agents=(agent,),
        edge=("", ""),
        rounds=1,
        began=step.started,
        confidence=95,
        visibility=Visibility.FULL,
        words=f"{agent} has waited for {step.peer} for {waited / 60:.0f} minutes",
    )
