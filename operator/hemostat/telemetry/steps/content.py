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
from hemostat.telemetry.steps.step import RECEIPT, Operation

_CALLS = re.compile(r"\b(?:call|toolu|chatcmpl|msg|resp|run|fc|req)[_-](?=\w*\d)[\w-]{8,}", re.IGNORECASE)
"""Ids of calls and messages."""
_VOLATILE = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"  # UUID
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"  # ISO 8601
    r"|\b(?P<seconds>1\d{9})(?:\d{3}|\d{6}|\d{9}|\.\d+)?\b",  # seconds since 1970, or parts of them
    re.IGNORECASE,
)
NOW_SECONDS = 86_400.0
"""A number is a time if it is one that near to the step's: others count bytes, or orders."""
_KEYS = re.compile(r'"(?:[^"\\]|\\.)*":')
_SAYS = re.compile(r"[^\W_]")
_SPOKEN = (
    "content", "text", "parts", "message", "messages", "kwargs", "choices", "generations", "candidates", "output",
    "tool_calls", "tool_call", "function", "name", "arguments", "args", "input", "answer",
)  # fmt: skip
"""Keys under which messages have what was said, whoever wrote them; not roles, ids, models or usage."""
_MAX_DEPTH, _MAX_PARTS = 12, 256
_WORDS = re.compile(r"[^\W_]+")
_RECEIPTS = re.compile(
    r"ok|okay|done|success|successful|successfully|succeeded|true|ack|acknowledged|accepted|complete|completed|finished"
    r"|sent|saved|stored|written|updated|created|deleted|applied"
)
_MAX_RECEIPT = 64


@dataclass(frozen=True, slots=True)
class Content:
    """Digests; None where content is not sent."""

    asked: int | None
    about: int | None
    """What is named in what was asked."""
    result: int | None
    sketch: bytes
    """Of the words of what was asked."""


def content(attributes: Attributes, operation: Operation, at: float) -> Content:
    """Return what a span of this operation, at this time in seconds since 1970, has."""
    if operation is Operation.CHAT:
        said = spoken(opened(first(attributes, v.SAID)), at)
        return Content(digest(said), identity(said), None, sketch(said))
    if operation is Operation.AGENT:
        told, answer = (spoken(opened(first(attributes, names)), at) for names in (v.TOLD, v.ANSWERED))
        return Content(digest(told), identity(told), _answer(answer), sketch(told))
    asked = opened(first(attributes, v.ARGUMENTS))
    words = "" if asked is None else asked if isinstance(asked, str) else canonical(asked)
    return Content(digest(asked), identity(asked), _news(opened(first(attributes, v.RESULT)), at), sketch(words))


def spoken(message: Any, at: float) -> str:
    """Return what messages say: their texts and the calls they ask for; the whole where we know no messages in it."""
    found = parsed(message[:MAX_CONTENT] if isinstance(message, str) else message)
    if isinstance(found, dict | list):
        parts: list[str] = []
        _speak(found, parts, 0)
        found = "\n".join(parts) or canonical(found)
    return "" if found is None else _lasting(str(found), at)


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


def _news(result: Any, at: float) -> int | None:
    if result is None or result == "":
        return None
    text, rest = (result[:MAX_CONTENT], result[MAX_CONTENT:]) if isinstance(result, str) else (result, "")
    found = parsed(text)
    found = _CALLS.sub("*", found if isinstance(found, str) else canonical(found))
    if _is_receipt(found):
        return RECEIPT
    lasting = _lasting(found, at)
    # What is nothing but a time or an id is the news itself: the next event, the next order.
    says = rest or _SAYS.search(_KEYS.sub("", lasting)) or not _SAYS.search(_KEYS.sub("", found))
    return digest((lasting if says else found) + rest)


def _answer(answer: str) -> int | None:
    if _is_receipt(answer):
        return RECEIPT
    named = identity(answer)
    return digest(answer) if named is None else named


def _is_receipt(text: str) -> bool:
    """Tell whether it says that it was done, and nothing of what came of it."""
    if len(text) > _MAX_RECEIPT:
        return False
    words = _WORDS.findall(_KEYS.sub("", text).lower())
    return bool(words) and all(map(_RECEIPTS.fullmatch, words))


def _lasting(text: str, at: float) -> str:
    """Return it without times near to the step's, and without ids that are made anew for every call."""
    return _VOLATILE.sub(lambda found: _kept(found, at), _CALLS.sub("*", text))


def _kept(found: re.Match[str], at: float) -> str:
    seconds = found["seconds"]
    return found[0] if seconds and abs(int(seconds) - at) > NOW_SECONDS else "*"
