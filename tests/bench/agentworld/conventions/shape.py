"""What a convention makes of one operation."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..dice import seed_of
from ..policy import Failure
from ..probe import Span
from ..setting import SESSIONS, Setting

Value = str | int | float | bool | tuple[str, ...]
Attributes = dict[str, Value]
Kind = Literal["internal", "client", "server"]


@dataclass(slots=True)
class Shape:
    """A span in a convention: attributes set at its start, and those known only at its end.

    `remote` names the service that records it when it is not the agent's own; `inside` shortens it by so many seconds.
    `above`: it is the caller's, around the span's own shape.
    """

    name: str
    kind: Kind
    first: Attributes
    last: Attributes = field(default_factory=dict)
    remote: str = ""
    inside: float = 0.0
    above: bool = False


Convention = Callable[[Span, Setting], list[Shape]]
"""Returns the span's own shape first, shapes of spans below it after; nothing if the operation is not recorded."""

ERRORS: dict[Failure, tuple[str, str]] = {
    "unavailable": ("503", "503 Service Unavailable"),
    "rate_limited": ("429", "429 Too Many Requests: rate limit reached"),
    "timeout": ("TimeoutError", "timed out"),
    "refused": ("PermissionError", "refused"),
    "too_long": ("context_length_exceeded", "maximum context length exceeded"),
    "cancelled": ("CancelledError", "cancelled"),
}
"""`error.type` and the text of each failure as clients report them."""


def agent_id(span: Span, setting: Setting) -> str:
    """Return the id of an agent's instance: another one every turn, as several frameworks do."""
    return f"{seed_of(setting.seed, 'agent', span.agent, span.turn):016x}"


def call_id(span: Span, setting: Setting) -> str:
    """Return the id of one tool call."""
    return f"call_{seed_of(setting.seed, 'call', span.start):016x}"


def message(role: str, text: str) -> str:
    """Return one message in the JSON of the GenAI conventions."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def wait_shape(span: Span, setting: Setting) -> Shape:
    """Return a wait the application declared to its guard; no convention of its own knows waits.

    A lock's name says whose it is: conversations do not share locks here.
    """
    if span.peer == "person":
        return _wait(span.peer, "person", "all", span.agent, setting)
    return _wait(f"lock:{span.peer}/{setting.session[:8]}", "lock", "all", span.agent, setting)


def call_shape(span: Span, setting: Setting) -> Shape:
    """Return the wait of a caller around the invocation of another agent, declared to its guard."""
    shape = _wait(span.agent, "agent", span.waits or "all", span.caller, setting)
    shape.inside, shape.above = -0.004, True
    return shape


def _wait(name: str, kind: str, mode: str, agent: str, setting: Setting) -> Shape:
    first: Attributes = {"hemostat.wait.for": name, "hemostat.wait.kind": kind, "hemostat.wait.mode": mode}
    first["gen_ai.agent.name"] = agent
    if setting.identity in SESSIONS:
        first["gen_ai.conversation.id"] = setting.session
    return Shape(f"wait {name}", "internal", first)
