"""Tokens, counted the same way every time."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hemostat_chaos.agents.script import Answer, Call, Message

# Near enough to the 3 to 4 letters of a real tokeniser, and nobody has to download a vocabulary.
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")
_PER_MESSAGE = 3
_CACHE_FROM, _CACHE_STEP = 1024, 128


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer cost, in tokens; `cached` is the part of `prompt` that the provider had seen before."""

    prompt: int
    cached: int
    completion: int


def count(text: str) -> int:
    """Count the tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def usage(messages: Sequence[Message], tools: str, answer: Answer) -> Usage:
    """Count one answer: all messages and the tools' schemas are read, and what was read last time is cached.

    As at OpenAI a prefix is cached from 1,024 tokens on, in steps of 128.
    """
    sizes = [_PER_MESSAGE + count(message.text) + _calls(message.calls) for message in messages]
    schemas = count(tools)
    last = max((n for n, message in enumerate(messages) if message.role == "assistant"), default=0)
    seen = schemas + sum(sizes[:last]) if last else 0
    cached = seen - seen % _CACHE_STEP if seen >= _CACHE_FROM else 0
    return Usage(schemas + sum(sizes), cached, _PER_MESSAGE + count(answer.text) + _calls(answer.calls))


def _calls(calls: Sequence[Call]) -> int:
    return sum(count(call.name) + count(json.dumps(call.arguments, sort_keys=True)) for call in calls)
