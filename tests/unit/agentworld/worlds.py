"""Tiny worlds made by hand, small enough to see the truth by looking at them."""

from dataclasses import dataclass
from typing import Any

from tests.bench.agentworld.plan import Plan
from tests.bench.agentworld.policy import Action, Ask, Errand, Finish, Plain, Policy, Seen
from tests.bench.agentworld.run import Record, Run
from tests.bench.agentworld.tools import Shelf, Tool
from tests.bench.agentworld.world import World


@dataclass(frozen=True)
class Does(Plain):
    """Does a list of things, then finishes, or begins again."""

    actions: tuple[Action, ...]
    again: bool = False

    def begin(self, task: str, notes: Any) -> Any:
        return 0

    def decide(self, memory: int, seen: Seen) -> tuple[int, Action]:
        if memory >= len(self.actions):
            return memory, Finish("done")
        following = memory + 1
        return (following % len(self.actions) if self.again else following), self.actions[memory]


def world(policies: dict[str, Policy], tools: dict[str, Tool] | None = None, **more: Any) -> World:
    """Return a world that begins with the first agent."""
    plan = Plan(policies, tools or {"shelf": Shelf()}, Errand(next(iter(policies)), "task=own"), "by hand", **more)
    return World(plan)


def performed(one: World, seed: int = 1) -> Record:
    """Return the record of a run."""
    return Run(one, seed, 1000.0, stamps=False).perform()


def moved(one: World, agents: str) -> World:
    """Make the turns of these agents move, in this order (names separated by spaces)."""
    for agent in agents.split():
        one.move(next(number for number, frame in one.frames.items() if frame.agent == agent))
    return one


def all_of(*names: str) -> Ask:
    return Ask(tuple(Errand(name, "task=own") for name in names))


def any_of(*names: str) -> Ask:
    return Ask(tuple(Errand(name, "task=own") for name in names), "any")
