"""Both of OpenAI's APIs tell the same conversation, and tokens are counted the same way every time."""

import json

import pytest

from hemostat_chaos.agents import chat, responses
from hemostat_chaos.agents.script import Answer, Call, Message
from hemostat_chaos.agents.usage import count, usage

CALLS = (Call("search", {"query": "clamps"}), Call("stock", {}))
CONVERSATION = [
    Message("system", "Be brief."),
    Message("user", "Find clamps."),
    Message("assistant", "", CALLS),
    Message("tool", "three"),
    Message("tool", "none"),
]
CHAT = {
    "model": "worker",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Find clamps."}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"query": "clamps"}'}},
                {"id": "2", "type": "function", "function": {"name": "stock", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "three"},
        {"role": "tool", "tool_call_id": "2", "content": "none"},
    ],
}
RESPONSES = {
    "model": "worker",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": "Find clamps."},
        {"type": "function_call", "call_id": "1", "name": "search", "arguments": '{"query": "clamps"}'},
        {"type": "function_call", "call_id": "2", "name": "stock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "three"},
        {"type": "function_call_output", "call_id": "2", "output": "none"},
    ],
}


def test_both_apis_tell_the_same_conversation():
    assert chat.messages(CHAT) == CONVERSATION
    assert responses.messages(RESPONSES) == CONVERSATION


def test_an_answer_goes_out_and_comes_back_the_same_by_both_apis():
    answer = Answer("Looking.", CALLS)
    used = usage(CONVERSATION, "", answer)
    whole = chat.completion("n", "worker", answer, used)["choices"][0]["message"]
    assert chat.messages({"messages": [whole]}) == [Message("assistant", "Looking.", CALLS)]
    output = responses.response("n", "worker", answer, used)["output"]
    assert responses.messages({"input": output}) == [Message("assistant", "Looking."), Message("assistant", "", CALLS)]


def test_the_pieces_of_a_stream_are_the_whole_answer():
    answer = Answer("word " * 50, CALLS)
    whole = chat.completion("n", "worker", answer, usage([], "", answer))["choices"][0]["message"]
    text, calls = "", {}
    for chunk in chat.chunks("n", "worker", answer, None):
        delta = chunk["choices"][0]["delta"]
        text += delta.get("content") or ""
        for part in delta.get("tool_calls", ()):
            call = calls.setdefault(part["index"], part)
            if call is not part:
                call["function"]["arguments"] += part["function"]["arguments"]
    assert text == whole["content"]
    assert [{**call, "index": None} for call in calls.values()] == [
        {**call, "index": None} for call in whole["tool_calls"]
    ]


def test_the_usage_of_a_stream_comes_only_to_those_who_ask():
    used = usage([], "", Answer("ok"))
    assert list(chat.chunks("n", "worker", Answer("ok"), used))[-1]["usage"]["completion_tokens"] == used.completion
    assert not any("usage" in chunk for chunk in chat.chunks("n", "worker", Answer("ok"), None))


def test_all_messages_and_tools_are_paid_for_and_what_was_read_last_time_is_cached():
    long = Message("user", "word " * 2000)
    first = usage([long], "", Answer("ok"))
    again = usage([long, Message("assistant", "ok"), Message("user", "more")], "", Answer("ok"))
    assert first.cached == 0
    assert first.prompt - 128 < again.cached <= first.prompt < again.prompt
    assert usage([long], json.dumps([{"name": "search"}]), Answer("ok")).prompt > first.prompt


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("word", 1), ("longer", 2), ("a, b", 3)])
def test_tokens(text, tokens):
    assert count(text) == tokens


@pytest.mark.parametrize(
    "body", [{}, {"messages": [{}]}, {"messages": 7}, {"messages": [{"role": "a", "tool_calls": [7]}]}]
)
def test_what_is_no_conversation_is_said_to_be_none(body):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        chat.messages(body)


def test_arguments_that_are_no_json_are_none_as_models_do_write_such():
    assert chat.arguments('{"query": ') == {}
    assert chat.arguments("[1]") == {}
