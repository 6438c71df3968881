"""Answers as providers send them, and as nobody should: none breaks what reads them, and each is paid for."""

from types import SimpleNamespace

import pytest

from hemostat.diagnosis.answer import Spent
from hemostat.diagnosis.completion import MAX_TEXT, MAX_TOLD, read
from hemostat.diagnosis.provider import ProviderError

MESSAGES = [{"role": "user", "content": "x" * 297}]


def response(content="hello", calls=None, tokens=(100, 10), choices=None):
    message = SimpleNamespace(content=content, tool_calls=calls)
    usage = SimpleNamespace(prompt_tokens=tokens[0], completion_tokens=tokens[1])
    chosen = [SimpleNamespace(message=message, finish_reason="stop")] if choices is None else choices
    return SimpleNamespace(choices=chosen, usage=usage)


def call(id_="1", name="look", arguments="{}"):
    return SimpleNamespace(id=id_, function=SimpleNamespace(name=name, arguments=arguments))


@pytest.mark.parametrize("many", [10**9 + 1, 10**30, 10**400])
def test_more_tokens_than_any_model_takes_are_not_believed(many):
    """They would fit into no status and no float: whoever wrote them there would never write anything again."""
    answer = read(response(tokens=(many, many)), "m", MESSAGES)
    assert (answer.tokens_in, answer.tokens_out) == (MAX_TOLD, MAX_TOLD)


def test_fewer_than_none_are_estimated():
    answer = read(response(tokens=(-5, -(10**9))), "m", MESSAGES)
    assert answer.tokens_in > 50
    assert answer.tokens_out == 1


def test_half_a_character_can_be_sent_again():
    answer = read(response("\ud800 x", [call("\udfff", "lo\ud800ok", '"\ud800"')]), "m", MESSAGES)
    (made,) = answer.calls
    assert (answer.text, made.id, made.name, made.arguments) == ("? x", "?", "lo?ok", '"?"')


def test_a_call_that_is_no_function_s_is_none():
    odd = SimpleNamespace(id="1", type="custom", custom=SimpleNamespace(name="look", input="x"))
    assert read(response("hello", [odd, call()]), "m", MESSAGES).calls == read(response(calls=[call()]), "m", []).calls
    with pytest.raises(ProviderError, match="empty") as raised:
        read(response("", [odd]), "m", MESSAGES)
    assert raised.value.spent == Spent(100, 10)


def test_an_answer_without_a_choice_is_paid_for():
    with pytest.raises(ProviderError, match="no choice") as raised:
        read(response(choices=[]), "m", MESSAGES)
    assert raised.value.spent == Spent(100, 10)


def test_ids_of_calls_are_of_the_answer_s_length():
    with pytest.raises(ProviderError, match="too many"):
        read(response("", [call("x" * (MAX_TEXT + 1))]), "m", MESSAGES)
