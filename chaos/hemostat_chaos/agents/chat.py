"""OpenAI's chat completions on the wire: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hemostat_chaos.agents.script import Answer, Call, Message
from hemostat_chaos.agents.usage import Usage

Json = dict[str, Any]
CREATED = 1_767_225_600
"""The same answer every time, its date included."""
_PIECE = 40


def messages(body: Mapping[str, Any]) -> list[Message]:
    """Read the conversation of a request; raise ValueError, TypeError or KeyError where it is none."""
    return [
        Message(str(one["role"]), text(one.get("content")), tuple(_call(call) for call in one.get("tool_calls") or ()))
        for one in body["messages"]
    ]


def text(content: Any) -> str:
    """Return the text of a message's content: a string, or parts of which some are text."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def completion(name: str, model: str, answer: Answer, usage: Usage) -> Json:
    """Return the whole answer at once; `name` makes its ids."""
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.calls:
        message["tool_calls"] = list(_calls(name, answer))
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(answer)}
    return {**_head(name, model, "chat.completion"), "choices": [choice], "usage": _usage(usage)}


def chunks(name: str, model: str, answer: Answer, usage: Usage | None) -> Iterator[Json]:
    """Yield the answer piece by piece; the usage last, if it was asked for."""
    head = _head(name, model, "chat.completion.chunk")

    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for start in range(0, len(answer.text), _PIECE):
        yield chunk({"content": answer.text[start : start + _PIECE]})
    for index, call in enumerate(_calls(name, answer)):
        function = call["function"]
        yield chunk({"tool_calls": [{"index": index, **call, "function": {**function, "arguments": ""}}]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": function["arguments"]}}]})
    yield chunk({}, _reason(answer))
    if usage is not None:
        yield {**head, "choices": [], "usage": _usage(usage)}


def _call(call: Mapping[str, Any]) -> Call:
    function = call["function"]
    return Call(str(function["name"]), arguments(function.get("arguments")))


def arguments(written: Any) -> Json:
    """Read a call's arguments, which are JSON in a string; what is none counts as no arguments."""
    try:
        read = json.loads(written or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _calls(name: str, answer: Answer) -> Iterator[Json]:
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        yield {"id": f"call_{name}{index}", "type": "function", "function": function}


def _reason(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _head(name: str, model: str, kind: str) -> Json:
    return {"id": f"chatcmpl-{name}", "object": kind, "created": CREATED, "model": model}


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
