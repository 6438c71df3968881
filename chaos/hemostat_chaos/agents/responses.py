"""OpenAI's responses on the wire: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hemostat_chaos.agents import chat
from hemostat_chaos.agents.script import Answer, Call, Message
from hemostat_chaos.agents.usage import Usage

Json = dict[str, Any]


def messages(body: Mapping[str, Any]) -> list[Message]:
    """Read the conversation of a request; raise ValueError, TypeError or KeyError where it is none.

    Tool calls stand beside messages here: those in a row were one turn.
    """
    found: list[Message] = []
    if body.get("instructions"):
        found.append(Message("system", str(body["instructions"])))
    given = body["input"]
    if isinstance(given, str):
        return [*found, Message("user", given)]
    previous = ""
    for item in given:
        kind = item.get("type") or "message"
        if kind == "function_call":
            before = found.pop().calls if previous == kind else ()
            call = Call(str(item["name"]), chat.arguments(item.get("arguments")))
            found.append(Message("assistant", calls=(*before, call)))
        elif kind == "function_call_output":
            found.append(Message("tool", chat.text(item["output"])))
        elif kind == "message":
            found.append(Message(str(item["role"]), chat.text(item.get("content"))))
        previous = kind
    return found


def response(name: str, model: str, answer: Answer, usage: Usage) -> Json:
    """Return the whole answer at once; `name` makes its ids."""
    return {
        "id": f"resp_{name}",
        "object": "response",
        "created_at": chat.CREATED,
        "status": "completed",
        "model": model,
        "output": list(_output(name, answer)),
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.prompt + usage.completion,
        },
    }


def _output(name: str, answer: Answer) -> Iterator[Json]:
    if answer.text:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        yield {
            "id": f"msg_{name}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    for index, call in enumerate(answer.calls):
        yield {
            "id": f"fc_{name}{index}",
            "call_id": f"call_{name}{index}",
            "type": "function_call",
            "status": "completed",
            "name": call.name,
            "arguments": json.dumps(call.arguments),
        }
