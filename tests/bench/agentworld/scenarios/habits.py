"""Wrappers around policies: everyday work before the task, and side calls every few steps."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..dice import pick
from ..policy import Action, CallTool, Finish, Plain, Policy, Seen
from .names import CHORES, SIDE


@dataclass(frozen=True)
class Chores:
    """Does `count` useful things first, each of which brings something new, then goes on as `inner`."""

    inner: Policy
    count: int
    seed: int

    def begin(self, task: str, notes: Hashable) -> Any:
        """Chores are done once in a conversation: notes say so."""
        done = notes is not None
        kept = notes[1] if isinstance(notes, tuple) else None
        return (self.count if done else 0, self.inner.begin(task, kept), False)

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """The next chore, or what the inner policy does."""
        done, inner, started = memory
        if done < self.count:
            tool = pick(CHORES, self.seed, 70, done)
            return (done + 1, inner, False), CallTool(tool, f"q=case-{self.seed % 9000}-{done}")
        inner, action = self.inner.decide(inner, seen if started else Seen("start"))
        return (done, inner, True), action

    def keep(self, memory: Any) -> Hashable:
        """The chores are done."""
        return ("done", self.inner.keep(memory[1]))

    def core(self, memory: Any) -> Hashable:
        """See Policy."""
        return (memory[0], self.inner.core(memory[1]), memory[2])


@dataclass(frozen=True)
class Noisy:
    """Makes a side call before every `every`-th action of `inner`."""

    inner: Policy
    every: int
    seed: int

    def begin(self, task: str, notes: Hashable) -> Any:
        """Count from the start, or from where the last turn ended."""
        count, kept = notes if isinstance(notes, tuple) else (0, None)
        return (count, None, self.inner.begin(task, kept))

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """A side call keeps what was seen for the action after it."""
        count, held, inner = memory
        if held is None and count + 1 == self.every:
            return (0, seen, inner), CallTool(pick(SIDE, self.seed, 80), "input=0", side=True)
        inner, action = self.inner.decide(inner, held or seen)
        return ((count + 1) % self.every, None, inner), action

    def keep(self, memory: Any) -> Hashable:
        """The counter goes on."""
        return (memory[0], self.inner.keep(memory[2]))

    def core(self, memory: Any) -> Hashable:
        """Without the counter."""
        return self.inner.core(memory[2])


@dataclass(frozen=True)
class Idle(Plain):
    """Has nothing to do but finish: the task was its chores."""

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Finish."""
        return memory, Finish("done=true")
