"""A cut stays typed along a chain of agents, and no generic retry takes it for a passing fault."""

import json

import openai
import pybreaker
import pytest
import requests
from openai._base_client import SyncAPIClient

from hemostat.guard import PROBLEM_HEADERS, PROBLEM_STATUS, EdgeCut, Halted, Parked, from_problem

CUT = EdgeCut("planner", "critic", conversation="c-7", reason="ping-pong", until=1.5)
HALTED = Halted(conversation="c-7", reason="budget", until=None)


@pytest.mark.parametrize("refusal", [CUT, HALTED])
def test_it_crosses_http_and_stays_what_it_is(refusal):
    back = from_problem(json.loads(json.dumps(refusal.as_problem())))
    assert type(back) is type(refusal)
    assert vars(back) == vars(refusal)
    assert str(back) == str(refusal)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "about:blank"},
        CUT.as_problem() | {"reason": 7},
        CUT.as_problem() | {"reason": "x" * 2000},
        CUT.as_problem() | {"until": "soon"},
        CUT.as_problem() | {"until": True},
    ],
)
def test_another_problem_is_no_refusal(body):
    assert from_problem(body) is None


@pytest.mark.parametrize("refusal", [CUT, HALTED])
def test_it_is_of_no_kind_that_is_retried(refusal):
    """RuntimeError is among what LangGraph's default_retry_on leaves alone; the others are what retries look for."""
    assert isinstance(refusal, RuntimeError)
    assert not isinstance(refusal, OSError | TimeoutError | pybreaker.CircuitBreakerError | requests.RequestException)
    assert refusal.retryable is False


def test_a_client_of_a_model_provider_does_not_retry_the_answer():
    client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9")
    assert isinstance(client, SyncAPIClient)
    answer = type("Answer", (), {"status_code": PROBLEM_STATUS, "headers": PROBLEM_HEADERS})
    assert not client._should_retry(answer)
    answer.status_code = 503
    assert not client._should_retry(answer), "whatever a gateway makes of the status"


@pytest.mark.parametrize("until", [None, -1, 1e300, float("inf"), float("nan")])
def test_an_end_that_is_no_time_is_not_told(until):
    assert "until" not in str(Halted(conversation="c", reason="loop", until=until))


def test_the_owner_is_told_in_words_what_stopped_until_when_and_what_it_has_used():
    parked = Parked("c", "Cycle of a, b", 1_795_290_000.0, turns=12, tokens=3400, task={"kind": "debate"})
    assert str(parked) == (
        "conversation c is halted until 2026-11-21 19:40:00Z: Cycle of a, b. Do not retry; its task is parked. "
        "(12 turns and 3400 tokens so far)"
    )
