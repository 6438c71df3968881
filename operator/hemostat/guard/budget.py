"""What a conversation may use, how it stands, and what is handed to its owner when it is halted."""

import json
from dataclasses import asdict, dataclass
from enum import Enum, auto
from typing import Any

from hemostat.guard.refusal import Halted


@dataclass(frozen=True, slots=True)
class Limits:
    """What one conversation may use; 0 sets no limit. Soft: the agent is told to come to an end. Hard: it is halted."""

    soft_turns: int = 0
    hard_turns: int = 0
    soft_tokens: int = 0
    hard_tokens: int = 0


class Standing(Enum):
    """What a turn may do."""

    GO = auto()
    WRAP_UP = auto()
    """A soft limit is passed: answer with what there is."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A halted conversation, as it is handed to its owner; `as_json` is all that driving it again needs."""

    conversation: str
    reason: str
    until: float | None
    """Unix seconds; None: until `resume`."""
    turns: int
    tokens: int
    task: Any
    """What `remember` was given last; None if nothing."""

    def __str__(self) -> str:
        """Say it to the conversation's owner."""
        used = f"{self.turns} turns and {self.tokens} tokens so far"
        return f"{Halted(conversation=self.conversation, reason=self.reason, until=self.until)} ({used})"

    def as_json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(asdict(self), sort_keys=True)
