"""What a step's content says, whatever its wrapping: equal when nothing new was said, different when something was."""

import json

import pytest

from hemostat.telemetry.steps import RECEIPT, Operation
from hemostat.telemetry.steps.content import content as content_at
from hemostat.telemetry.steps.content import spoken as spoken_at

CHAT, TOOL, AGENT = Operation.CHAT, Operation.TOOL, Operation.AGENT
NOW = 1767229840.0


def content(attributes, operation):
    return content_at(attributes, operation, NOW)


def spoken(message):
    return spoken_at(message, NOW)


def result(text):
    return content({"gen_ai.tool.call.result": text}, TOOL).result


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            '{"status": "running", "at": "2026-11-21T19:44:34Z"}',
            '{"status": "running", "at": "2026-11-21T19:45:01.5Z"}',
        ),
        ('{"status": "running", "at": 1767229840.073}', '{"status": "running", "at": 1767229841.134}'),
        ('{"at": 1767229840073, "n": 2}', '{"n": 2, "at": 1767229841134}'),
        ("job 5f1c6d9e-0d53-4c0e-9c57-0f2f4f6d2b11 waits", "job 00000000-0d53-4c0e-9c57-0f2f4f6d2b11 waits"),
        ('{"id": "call_9d7077b741c89740"}', '{"id": "call_278420a8dfe1d384"}'),
    ],
)
def test_a_result_that_differs_in_times_or_fresh_ids_brings_nothing_new(one, other):
    assert result(one) == result(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"status": "running"}', '{"status": "done"}'),
        ('{"items": 40, "next": 3}', '{"items": 60, "next": 4}'),
        ('{"order": 1234}', '{"order": 1235}'),
        ("run_tests failed", "run_lint failed"),
        ('{"loaded_bytes": 1500000000}', '{"loaded_bytes": 1533000000}'),
        ("2026-11-22T03:00:10Z", "2026-11-22T03:01:10Z"),
        ('{"order": "5f1c6d9e-0d53-4c0e-9c57-0f2f4f6d2b11"}', '{"order": "00000000-0d53-4c0e-9c57-0f2f4f6d2b11"}'),
        ("x" * 70_000 + "line 1 compiled", "x" * 70_000 + "line 2 compiled"),
    ],
)
def test_any_other_difference_is_news(one, other):
    """Counters are no times, ids that are all there is are what was asked for, and long texts end differently."""
    assert result(one) != result(other)


@pytest.mark.parametrize("text", ["ok", "Done.", '{"status": "ok"}', '{"success": true}', "saved successfully"])
def test_a_receipt_is_no_proof_of_anything(text):
    assert result(text) == RECEIPT


@pytest.mark.parametrize(
    "text", ["pending", "not found", "null", '{"status": "ok", "row": 4}', "ok, file a.py has 3 lines"]
)
def test_what_tells_anything_else_is_no_receipt(text):
    assert result(text) != RECEIPT


def test_a_date_that_was_asked_for_is_no_fresh_time():
    asked = [
        content({"gen_ai.tool.call.arguments": json.dumps({"on": f"2026-11-{d}T08:00:00Z"})}, TOOL) for d in (1, 2)
    ]
    assert asked[0].asked != asked[1].asked


def test_what_an_inference_does_is_what_it_says():
    def chat(asked, said, call):
        parts = [
            {"type": "text", "content": said},
            {"type": "tool_call", "id": call, "name": "f", "arguments": {"a": "1"}},
        ]
        return content(
            {
                "gen_ai.input.messages": asked,
                "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts}]),
            },
            CHAT,
        )

    one = chat("long history", "let us see", "call_9d7077b741c89740")
    assert one == chat("a longer history", "let us see", "call_278420a8dfe1d384")
    assert one.asked != chat("long history", "enough", "call_1").asked
    assert one.result is None


def test_answers_of_agents_are_compared_by_what_they_name():
    def agent(answer):
        return content({"gen_ai.output.messages": json.dumps([{"role": "a", "parts": [{"content": answer}]}])}, AGENT)

    assert agent("I looked, but order 77 is missing").result == agent("order 77 is still missing, sorry").result
    assert agent("order 77 is missing").result != agent("order 78 is missing").result
    assert agent("not found").result != agent("here it is").result


def test_messages_say_the_same_in_every_provider_s_wrapping():
    openai = {
        "id": "chatcmpl-1",
        "created": 1,
        "usage": {"n": 3},
        "choices": [{"message": {"role": "a", "content": "hi"}}],
    }
    genai = [{"role": "assistant", "parts": [{"type": "text", "content": "hi"}]}]
    assert spoken(openai) == spoken(json.dumps(genai)) == spoken("hi") == "hi"
    assert spoken({"unknown": 1}) == '{"unknown":1}'
    assert spoken(None) == ""


def test_hostile_messages_are_bounded():
    deep = "x"
    for _ in range(500):
        deep = {"content": deep}
    assert len(spoken(deep)) < 100_000
    assert content({"gen_ai.output.messages": "[" * 100_000}, CHAT).asked is not None
    assert content({}, CHAT) == content({}, TOOL) == content({}, AGENT)
