"""What an agent can do and see, and what a policy is: a pure function from memory and sight to the next action.

Meanings are short strings `key=value;key=value`; the words an SDK would record are made from them elsewhere.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Failure = Literal["", "unavailable", "rate_limited", "timeout", "refused", "too_long", "cancelled"]
Mode = Literal["all", "any"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last action brought. `full`: the context is beyond seven tenths of the model's window."""

    what: Literal["start", "result", "answers", "granted", "timeout", "rested", "thought"]
    text: str = ""
    failure: Failure = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class CallTool:
    """Call a tool; `side` calls have nothing to do with the task (noise)."""

    tool: str
    about: str
    reworded: bool = False
    side: bool = False


@dataclass(frozen=True, slots=True)
class Errand:
    """A task for another agent."""

    agent: str
    task: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Invoke agents and wait for all or for the first of them."""

    errands: tuple[Errand, ...]
    mode: Mode = "all"
    reworded: bool = False


@dataclass(frozen=True, slots=True)
class HandOver:
    """Give the conversation to another agent and end one's own turn."""

    agent: str
    message: str
    reworded: bool = False


@dataclass(frozen=True, slots=True)
class Acquire:
    """Wait for a lock, for ever or `timeout` seconds."""

    lock: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Give a lock back."""

    lock: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Think:
    """One more inference and nothing else; what it is worth is judged by the tool `judge`, which nobody traces."""

    judge: str
    about: str


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Wait for a person."""

    question: str


@dataclass(frozen=True, slots=True)
class Compact:
    """Shorten one's own context."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End this task."""

    answer: str
    solved: bool = True


Action = CallTool | Ask | HandOver | Acquire | Release | Rest | Think | AskPerson | Compact | Finish
SILENT = (Acquire, Release, Rest, Compact)
"""Actions of the agent's own code, decided without asking a model."""


class Policy(Protocol):
    """How an agent decides. Memories are opaque hashable values, known only to the policy that made them."""

    def begin(self, task: str, notes: Hashable) -> Any:
        """Return the memory at the start of a turn; `notes` are what this agent kept from earlier turns."""

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Return the next memory and action; pure."""

    def keep(self, memory: Any) -> Hashable:
        """Return what to keep for the agent's next turn in this conversation."""

    def core(self, memory: Any) -> Hashable:
        """Return the memory without what only spaces out side calls."""


class Plain:
    """Base of policies that keep nothing between turns and have no side calls."""

    def begin(self, task: str, notes: Hashable) -> Any:
        """Start with the task and nothing else."""
        return task

    def keep(self, memory: Any) -> Hashable:
        """Forget."""
        return None

    def core(self, memory: Any) -> Hashable:
        """Everything matters."""
        held: Hashable = memory
        return held


def fields(text: str) -> dict[str, str]:
    """Return a meaning as a mapping."""
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)
