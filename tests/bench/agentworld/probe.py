"""What an SDK inside the agents' processes sees: spans with what is known at their start, at their end and between.

It is told of calls, never of the hidden state. One `Span` here may become none, one or several in a convention.
"""

from dataclasses import dataclass, field
from typing import Literal

from .policy import Failure, Mode

Operation = Literal["workflow", "agent", "chat", "tool", "handoff", "wait"]


@dataclass(slots=True)
class Span:
    """One operation. `end` is None while it is open. `peer`: tool, agent, lock, person or model.

    `asked` and `answered` are texts (arguments as JSON for tools); `waits` how a caller waits for an invoked agent;
    `holders` who was known to hold the lock, since when.
    """

    operation: Operation
    agent: str
    peer: str
    start: float
    parent: int | None
    end: float | None = None
    asked: str = ""
    answered: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    failure: Failure = ""
    waits: Mode | None = None
    caller: str = ""
    turn: int = 0
    holders: list[tuple[float, str]] = field(default_factory=list)


@dataclass(slots=True)
class Probe:
    """Collects the spans of one conversation in the order of their start."""

    spans: list[Span] = field(default_factory=list)

    def open(self, span: Span) -> int:
        """Start a span and return its number."""
        self.spans.append(span)
        return len(self.spans) - 1

    def close(self, number: int, at: float, answered: str = "", failure: Failure = "") -> None:
        """End a span, once."""
        span = self.spans[number]
        if span.end is None:
            span.end, span.answered, span.failure = at, answered, failure
