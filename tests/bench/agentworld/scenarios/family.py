"""What a family of conversations is, and the everyday parts all of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..dice import whole
from ..plan import Plan
from ..policy import Policy
from ..tools import Clock, Shelf, Tool
from .habits import Chores
from .names import CHORES, SIDE


@dataclass(frozen=True)
class Family:
    """`build(seed, flipped)`: the two plans of a seed differ in one causal fact.

    `guarded`: share of its deployments that run the in-process guard.
    """

    name: str
    build: Callable[[int, bool], Plan]
    guarded: float = 0.5


def everyday(**own: Tool) -> Mapping[str, Tool]:
    """Return the tools of the task together with those of everyday work."""
    shelf, clock = Shelf(), Clock()
    return {**dict.fromkeys(CHORES, shelf), **dict.fromkeys(SIDE, clock), **own}


def busy(policy: Policy, seed: int, most: int = 5) -> Chores:
    """Return the policy after some useful work."""
    return Chores(policy, whole(0, most, seed, 60), seed)


def passes(seed: int, low: int = 5, high: int = 10) -> int:
    """Return how many passes through a loop are watched."""
    return whole(low, high, seed, 61)
