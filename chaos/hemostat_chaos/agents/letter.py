"""What agents send each other, and how a turn can end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from hemostat_chaos.agents.kinds import KINDS

Conversation = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][-._a-zA-Z0-9]{0,100}$")]
Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")]


class Letter(BaseModel):
    """A question or a message to an agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conversation: Conversation
    kind: Kind
    text: Annotated[str, Field(max_length=100_000)]


class Report(BaseModel):
    """How a conversation ended, told to the planner, whose task it was: one of the three is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conversation: Conversation
    text: str = ""
    problem: dict[str, Any] | None = None
    """A refusal of the guard."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The turn ended by giving the conversation to another agent."""

    to: str


@dataclass(frozen=True, slots=True)
class Later:
    """The turn ended; the next one is due after so many seconds."""

    seconds: int


Outcome = str | HandedOver | Later


class Busy(Exception):
    """The model's provider refused: 429 or 503."""


class Hands(Protocol):
    """What an agent can do in a turn, whatever the framework; everything raises the guard's refusals."""

    async def use(self, tool: str, arguments: Mapping[str, str]) -> str:
        """Use a tool."""
        ...

    async def ask(self, agent: str, text: str) -> str:
        """Ask another agent and wait for the answer."""
        ...

    async def send(self, agent: str, text: str) -> None:
        """Hand the conversation over; the other agent goes on with it by itself."""
        ...

    async def revise(self, document: str) -> str:
        """Revise a document under its two locks."""
        ...
