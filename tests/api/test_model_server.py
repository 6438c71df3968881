"""The scripted model as it is served: what clients of OpenAI's API see, whole and streamed, well and in trouble."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.frameworks import served

from hemostat_chaos.agents.model import MAX_BODY, Model
from hemostat_chaos.agents.script import load

SCRIPTS = """
worker: {turns: [[{tool: search, arguments: {query: clamps}}]], rounds: 1, say: [Found.]}
other: {}
"""
QUESTION = {"model": "worker", "messages": [{"role": "user", "content": "Find clamps."}]}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


@pytest.fixture
def url() -> Iterator[str]:
    with served(Model(load(SCRIPTS)).application()) as address:
        yield address


def ask(url: str, path: str, body: Any = None, method: str = "") -> tuple[int, dict[str, str], bytes]:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, method=method or ("GET" if data is None else "POST"))
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_the_same_question_gets_the_same_answer_to_the_byte(url):
    first, again = ask(url, CHAT, QUESTION), ask(url, CHAT, QUESTION)
    assert first[0] == 200
    assert first[2] == again[2]
    (call,) = json.loads(first[2])["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"query": "clamps"}


def test_a_stream_ends_with_its_usage_and_done(url):
    status, headers, body = ask(url, CHAT, QUESTION | {"stream": True, "stream_options": {"include_usage": True}})
    events = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["usage"] == json.loads(ask(url, CHAT, QUESTION)[2])["usage"]


def test_both_apis_answer_alike(url):
    responses = json.loads(ask(url, RESPONSES, {"model": "worker", "input": "Find clamps."})[2])
    chat = json.loads(ask(url, CHAT, QUESTION)[2])
    assert responses["output"][0]["name"] == "search"
    assert responses["usage"]["input_tokens"] == chat["usage"]["prompt_tokens"]


def test_faults_are_switched_for_some_scripts_while_it_runs(url):
    assert ask(url, "/faults", {"rate_limited": True, "retry_after": 7, "scripts": ["worker"]}, "PUT")[0] == 200
    status, headers, body = ask(url, CHAT, QUESTION)
    assert (status, headers["Retry-After"]) == (429, "7")
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    assert ask(url, CHAT, QUESTION | {"model": "other"})[0] == 200
    assert ask(url, "/faults", {"unavailable": True}, "PUT")[0] == 200
    assert ask(url, CHAT, QUESTION)[0] == 503
    assert ask(url, "/faults", {"slow": 0.3}, "PUT")[0] == 200
    began = time.monotonic()
    assert ask(url, CHAT, QUESTION)[0] == 200
    assert time.monotonic() - began >= 0.3


def test_the_usage_counts_answers_and_not_refusals(url):
    ask(url, CHAT, QUESTION)
    ask(url, "/faults", {"rate_limited": True}, "PUT")
    ask(url, CHAT, QUESTION)
    usage = json.loads(ask(url, "/usage")[2])
    assert usage["worker"]["answers"] == 1
    assert usage["worker"]["prompt"] > 0
    assert usage["other"] == {"answers": 0, "refusals": 0, "prompt": 0, "completion": 0}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CHAT, b"{", 400),
        (CHAT, b"[]", 400),
        (CHAT, {"model": "worker"}, 400),
        (CHAT, {"model": "worker", "messages": [7]}, 400),
        (CHAT, b"[" * 100_000, 400),
        (CHAT, QUESTION | {"model": "nobody"}, 404),
        (CHAT, b" " * (MAX_BODY + 1), 413),
        (RESPONSES, {"model": "worker", "input": "x", "stream": True}, 400),
        (RESPONSES, {"model": "worker", "input": [{"type": "function_call"}]}, 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(url, path, body, status):
    found, _, said = ask(url, path, body)
    assert (found, bool(said)) == (status, True)


@pytest.mark.parametrize("faults", [b"{", {"slow": 1e9}, {"growing": -1}, {"sloow": 1}])
def test_faults_that_make_no_sense_are_refused_and_change_nothing(url, faults):
    before = ask(url, "/faults")[2]
    assert ask(url, "/faults", faults, "PUT")[0] == 400
    assert ask(url, "/faults")[2] == before


def test_models_are_the_scripts(url):
    assert [model["id"] for model in json.loads(ask(url, "/v1/models")[2])["data"]] == ["worker", "other"]
