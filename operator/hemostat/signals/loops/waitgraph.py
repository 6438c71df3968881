"""Deadlocks among open spans, looked for anew only where something has changed (pure; not for several threads at once).

A node is an open span, so an agent that is called again inside its own call is two nodes, and legal re-entrancy is no
cycle. A span waits for all spans below it; a declared wait for those below it as it says, for the holder of its lock,
or for the agent that it names. A model or tool at work waits for nobody; neither does a wait nobody knows more of.

Conversations that wait for each other are an island: the graph of one is built and judged when something in it begins,
ends, or is told anew. Heartbeats that say nothing new cost nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hemostat.signals.loops.opensteps import OpenSteps, Place
from hemostat.signals.loops.waits import Deadlock, Node, Waiting, deadlocks
from hemostat.telemetry.steps import Operation, Step, WaitMode

ANY_OF = "?"
"""Marks the node that stands for a choice between several waits of one span."""
_WAIT = Operation.WAIT


@dataclass(slots=True)
class Island:
    """Places whose open spans wait for each other, or read each other's agents."""

    places: set[Place] = field(default_factory=set)
    deadlocks: list[Deadlock] = field(default_factory=list)


class WaitGraph:
    """Who waits for whom among open steps."""

    def __init__(self, steps: OpenSteps) -> None:
        self._steps = steps
        self._islands: dict[Place, Island] = {}
        self._stuck: dict[int, Island] = {}
        """Islands with deadlocks."""

    def deadlocks(self) -> list[Deadlock]:
        """Return every deadlock there is now, the oldest first."""
        changes = self._steps.changes()
        if changes is None:
            changes = {*self._islands, *self._steps.waiting()}
        for place in [place for changed in changes for place in self._dissolved(changed)]:
            if place not in self._islands and self._steps.waits_in(place):
                self._explore(place)
        found = [one for island in self._stuck.values() for one in island.deadlocks]
        return sorted(found, key=lambda d: (d.since, d.nodes))

    def members(self, found: Deadlock) -> list[Step]:
        """Return the open steps of a deadlock, in its order."""
        steps = (self._steps.get(span) for span, _ in found.nodes)
        return [step for step in steps if step is not None]

    def _dissolved(self, place: Place) -> Iterable[Place]:
        """Return the places of its island, which is none any more; the place itself if it was in none."""
        island = self._islands.get(place)
        if island is None:
            return (place,)
        for one in island.places:
            del self._islands[one]
        self._stuck.pop(id(island), None)
        return island.places

    def _explore(self, place: Place) -> None:
        """Build the island of a conversation and find its deadlocks: of who can go on nothing is noted."""
        island, waiting, todo = Island(), dict[Node, Waiting](), list[bytes]()
        self._enter(place, island, todo)
        seen: set[bytes] = set()
        while todo:
            span = todo.pop()
            step = self._steps.get(span)
            if step is None or span in seen:
                continue
            seen.add(span)
            self._enter((step.tenant, step.conversation, ""), island, todo)
            others, mode, guessed = self._others(span, step, island, waiting, todo)
            if others:
                waiting[(span, "")] = Waiting(tuple(others), mode, self._steps.since(span), guessed)
        island.deadlocks = deadlocks(waiting)
        if island.deadlocks:
            self._stuck[id(island)] = island

    def _enter(self, place: Place, island: Island, todo: list[bytes]) -> None:
        """Make a place a part of the island, with all that wait there and the island it was of."""
        if self._islands.get(place) is island:
            return
        for one in self._dissolved(place):
            self._islands[one] = island
            island.places.add(one)
            todo += self._steps.waits_in(one)

    def _others(
        self, span: bytes, step: Step, island: Island, waiting: dict[Node, Waiting], todo: list[bytes]
    ) -> tuple[list[Node], WaitMode, bool]:
        """Return whom an open span waits for, how, and whether that is a guess; add what is to be looked at next."""
        below = list(self._steps.below(span))
        if step.operation is not _WAIT:
            todo += below
            return self._all_of(span, below, waiting), WaitMode.ALL, False
        if below and step.awaited != "lock":
            todo += below
            return [(b, "") for b in below], step.mode, False
        calls, where = self._awaited(step, island, todo)
        todo += calls
        others = [(call, "") for call in calls]
        if len(calls) > 1:  # all who wait for them share one node: so many edges, not so many squared
            group: Node = (b"", "\0".join(where))
            waiting.setdefault(group, Waiting(tuple(others), WaitMode.ANY, float("-inf")))
            others = [group]
        return others, WaitMode.ANY, not where[1]

    def _all_of(self, span: bytes, below: list[bytes], waiting: dict[Node, Waiting]) -> list[Node]:
        """Return those below a span, and in the place of waits that each say "any of us" the choice between them."""
        choice = [b for b in below if self._is_choice(b)]
        if len(choice) < 2 or (first := self._steps.get(choice[0])) is None:
            return [(b, "") for b in below]
        group = tuple((b, "") for b in choice)
        chosen = set(choice)
        waiting[(span, ANY_OF)] = Waiting(group, first.mode, self._steps.since(choice[0]))
        return [(b, "") for b in below if b not in chosen] + [(span, ANY_OF)]

    def _awaited(self, step: Step, island: Island, todo: list[bytes]) -> tuple[list[bytes], Place]:
        """Return the activations of which one holds the lock, or answers, and where they are.

        Which of them it is is not known: only if none can go on it is stuck. Where the agent has none in the
        conversation that is named, others of that name are a guess: many conversations have a planner.
        """
        name = step.holder if step.awaited == "lock" else step.peer if step.awaited == "agent" else ""
        where = (step.tenant, step.holder_conversation or step.conversation, name)
        if not name:
            return [], where
        self._enter((*where[:2], ""), island, todo)
        if calls := self._steps.activations(where):
            return list(calls), where
        anywhere = (step.tenant, "", name)
        self._enter(anywhere, island, todo)
        return list(self._steps.activations(anywhere)), anywhere

    def _is_choice(self, span: bytes) -> bool:
        step = self._steps.get(span)
        return step is not None and step.operation is _WAIT and step.mode is not WaitMode.ALL
