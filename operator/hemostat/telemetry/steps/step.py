"""`Step`: one thing an AI agent did or is doing, whatever framework told of it (pure value)."""

from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

RECEIPT = (1 << 64) - 1
"""Digest of a result that only says that it was done ("ok"): equal whatever was done, so it proves nothing."""


class Operation(StrEnum):
    """What kind of thing it is."""

    __hash__ = str.__hash__  # that of `Enum` is written in Python, and steps are looked up by it all the time
    CHAT = "Chat"
    """An inference: the model was asked."""
    TOOL = "Tool"
    AGENT = "Agent"
    """Another agent, or this one by its caller, was asked to do something and is waited for."""
    HANDOFF = "Handoff"
    """A message or the whole task was given to another agent; nobody waits."""
    WAIT = "Wait"
    """A lock, an agent or a person is waited for; only `hemostat.guard` tells."""
    WORKFLOW = "Workflow"


class Basis(StrEnum):
    """How it is known to which conversation the step belongs, surest first."""

    SESSION = "Session"
    TASK = "Task"
    """The task or context of the A2A protocol."""
    TRACE = "Trace"


class Failure(StrEnum):
    """How it failed."""

    __hash__ = str.__hash__
    NONE = ""
    RATE_LIMITED = "RateLimited"
    UNAVAILABLE = "Unavailable"
    TIMEOUT = "Timeout"
    INVALID = "Invalid"
    """What a model wrote could not be parsed or validated."""
    UNKNOWN_TOOL = "UnknownTool"
    REFUSED = "Refused"
    """Not allowed, or cut by us."""
    OTHER = "Other"


class WaitMode(StrEnum):
    """Whether an open step needs all that it waits for. Telemetry cannot tell; the guard can."""

    ALL = "All"
    ANY = "Any"
    UNKNOWN = "Unknown"


class Source(StrEnum):
    """Whose convention it was told in."""

    GENAI = "GenAI"
    """OpenTelemetry's conventions, new or old names, and what is close to them."""
    OPENINFERENCE = "OpenInference"
    TRACELOOP = "Traceloop"
    MESSAGING = "Messaging"
    """Messages between agents: AutoGen, Microsoft Agent Framework."""
    MCP = "MCP"
    A2A = "A2A"
    GUARD = "Guard"


@dataclass_transform(frozen_default=True)
def _value(made: type[T]) -> type[T]:
    """Make a dataclass that only the type checker keeps from being changed.

    `frozen` has every field set by a call: with so many fields it takes five times as long to make one.
    """
    return dataclass(slots=True, unsafe_hash=True)(made)


@_value
class Step:
    """One step. Ids are raw bytes, times are seconds since 1970 by the sender's clock, digests are 64 bits."""

    conversation: str
    basis: Basis
    service: str
    agent: str
    """Name of the logical agent; empty where the span names none: then `parent` tells callers apart."""
    operation: Operation
    peer: str
    """Tool, agent, model, lock or person."""
    source: Source
    trace: bytes
    span: bytes
    parent: bytes = b""
    started: float = 0.0
    ended: float | None = None
    """None: still open."""
    failed: Failure = Failure.NONE
    provider: str = ""
    arguments: int | None = None
    """Digest of what was asked; None where content is not sent. Equal content has equal digests."""
    about: int | None = None
    """Digest of what is named in what was asked, whatever the words (`digest.identity`)."""
    result: int | None = None
    sketch: bytes = b""
    """MinHash of the words that were asked or said (`digest.sketch`); empty without content."""
    tokens_in: int = 0
    """Of inferences only: what agents report is a sum of these."""
    tokens_out: int = 0
    tokens_cached: int = 0
    """Read from the provider's cache: part of `tokens_in`."""
    tokens_stored: int = 0
    """Written to it: part of `tokens_in`."""
    mode: WaitMode = WaitMode.UNKNOWN
    holder: str = ""
    """Who holds what is waited for, if the guard knows."""
    holder_conversation: str = ""
    """In which conversation; empty where the guard does not know: the step's own."""
    awaited: str = ""
    """Of waits: `lock`, `agent` or `person`."""
    tenant: str = ""
    """Whose conversations these are: equal ids of two tenants are two conversations."""
    payer: str = ""
    """For whom it is done, and whose budget pays: the end user, or else the tenant."""
    links: tuple[bytes, ...] = ()
    """Traces that the span links to."""
    instance: str = ""
    """The process that told of it; empty where the resource does not say."""

    def but(self, **changes: Any) -> "Step":
        """Return it with these fields changed: as `dataclasses.replace` does, which takes three times as long."""
        made = Step(*_FIELDS(self))
        for name, value in changes.items():
            setattr(made, name, value)
        return made


_FIELDS = attrgetter(*(field.name for field in fields(Step)))
