"""What was asked, what it was about and what came of it, as digests (pure).

What an inference does is what it says, so that is what it "asks": what it was asked is only what came before. A result
that differs from the last one in nothing but times, or ids that are made anew for every call, brings nothing new. No
model says the same thing twice in the same words, so two answers of agents are one if they name the same.
"""

import re
from dataclasses import dataclass
from typing import Any

from hemostat.telemetry.steps import vocabulary as v
from hemostat.telemetry.steps.attributes import Attributes, first
from hemostat.telemetry.steps.digest import MAX_CONTENT, canonical, digest, identity, parsed, sketch
from hemostat.telemetry.steps.envelope import opened
from hemostat.telemetry.steps.step import Operation

_VOLATILE = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"  # UUID
    r"|\b(?:call|toolu|chatcmpl|msg|resp|run|fc|req)[_-](?=\w*\d)[\w-]{8,}"  # ids of calls and messages
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"  # ISO 8601
    r"|\b1[5-9]\d{8}(?:\d{3}|\d{6}|\d{9}|\.\d+)?\b",  # seconds since 1970, or parts of them
    re.IGNORECASE,
)
_SPOKEN = (
    "content", "text", "parts", "message", "messages", "kwargs", "choices", "generations", "candidates", "output",
    "tool_calls", "tool_call", "function", "name", "arguments", "args", "input", "answer",
)  # fmt: skip
"""Keys under which messages have what was said, whoever wrote them; not roles, ids, models or usage."""
_MAX_DEPTH, _MAX_PARTS = 12, 256


@dataclass(frozen=True, slots=True)
class Content:
    """Digests; None where content is not sent."""

    asked: int | None
    about: int | None
    """What is named in what was asked."""
    result: int | None
    sketch: bytes
    """Of the words of what was asked."""


def content(attributes: Attributes, operation: Operation) -> Content:
    """Return what a span of this operation has."""
    if operation is Operation.CHAT:
        said = spoken(opened(first(attributes, v.SAID)))
        return Content(digest(said), identity(said), None, sketch(said))
    if operation is Operation.AGENT:
        told, answer = (spoken(opened(first(attributes, names))) for names in (v.TOLD, v.ANSWERED))
        named = identity(answer)
        return Content(digest(told), identity(told), digest(answer) if named is None else named, sketch(told))
    asked = opened(first(attributes, v.ARGUMENTS))
    words = "" if asked is None else asked if isinstance(asked, str) else canonical(asked)
    return Content(digest(asked), identity(asked), _news(opened(first(attributes, v.RESULT))), sketch(words))


def spoken(message: Any) -> str:
    """Return what messages say: their texts and the calls they ask for; the whole where we know no messages in it."""
    found = parsed(message[:MAX_CONTENT] if isinstance(message, str) else message)
    if isinstance(found, dict | list):
        parts: list[str] = []
        _speak(found, parts, 0)
        found = "\n".join(parts) or canonical(found)
    return "" if found is None else _VOLATILE.sub("*", str(found))


def _speak(message: Any, parts: list[str], depth: int) -> None:
    if depth > _MAX_DEPTH or len(parts) > _MAX_PARTS:
        return
    if isinstance(message, list):
        for inner in message:
            _speak(inner, parts, depth + 1)
    elif isinstance(message, dict):
        for key in _SPOKEN:
            if key in message:
                _speak(message[key], parts, depth + 1)
    elif isinstance(message, str) and message:
        parts.append(message)


def _news(result: Any) -> int | None:
    if result is None or result == "":
        return None
    found = parsed(result[:MAX_CONTENT] if isinstance(result, str) else result)
    return digest(_VOLATILE.sub("*", found if isinstance(found, str) else canonical(found)))
