"""Who is asked, how often, and when nobody is: with a clock that moves only when somebody waits."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hemostat import metrics
from hemostat.diagnosis.answer import Answer, Spent
from hemostat.diagnosis.breaker import FAIL_MAX, REST_SECONDS, Breaker
from hemostat.diagnosis.fallback import LEAST_SECONDS, TRIES, Fallback
from hemostat.diagnosis.provider import ProviderError
from hemostat.errors import Refused, Retry

USER = {"role": "user", "content": "why?"}


class Clock:
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def monotonic(self):
        return self.now

    def time_ns(self):
        return int(self.now * 1e9)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Models:
    """Answers by script: an error to raise, None to answer, or a number of seconds that it takes to time out."""

    def __init__(self, clock, **scripts):
        self.clock, self.scripts, self.asked, self.sent = clock, scripts, [], []

    def provider_of(self, model):
        return model.split("/")[0]

    def complete(self, model, messages, schema, tools, seconds):
        self.asked.append((model, round(seconds, 3)))
        self.sent.append(messages)
        script = self.scripts[model.replace("/", "_")]
        step = script.pop(0) if script else None
        if isinstance(step, ProviderError):
            raise step
        if step == "hang":
            self.clock.now += seconds
            raise ProviderError("Timeout", f"{model}: too late")
        return Answer("{}", (), 10, 2, 0, 0.25, model)


def fallback(names=("a/1", "b/1"), random=lambda: 1.0, **scripts):
    clock = Clock()
    models = Models(clock, **{"a_1": [], "b_1": [], "a_2": []} | scripts)
    return Fallback(names, models, clock, clock.sleep, random), models, clock


def error(reason="Unavailable", after=None):
    return ProviderError(reason, f"a/1: {reason}", after)


def ask(made, clock, seconds=60.0, messages=(USER,)):
    return made.ask(messages, schema={}, tools=[], deadline=clock.now + seconds)


def test_the_first_of_the_list_answers():
    made, models, clock = fallback()
    assert ask(made, clock).model == "a/1"
    assert models.asked == [("a/1", 30.0)]


def test_what_passes_is_tried_again_after_a_growing_random_while():
    made, _, clock = fallback(a_1=[error(), error()], random=lambda: 0.5)
    assert ask(made, clock).model == "a/1"
    assert clock.slept == [0.25, 0.5]


def test_retry_after_is_kept():
    made, _, clock = fallback(a_1=[error("RateLimited", 7)])
    assert ask(made, clock).model == "a/1"
    assert clock.slept == [7]


def test_who_asks_for_more_time_than_there_is_gives_way_to_the_next_at_once():
    made, _, clock = fallback(a_1=[error("RateLimited", 31)])
    assert ask(made, clock).model == "b/1"
    assert clock.slept == []


def test_after_so_many_tries_the_next_is_asked():
    made, models, clock = fallback(a_1=[error()] * TRIES)
    assert ask(made, clock).model == "b/1"
    assert [model for model, _ in models.asked] == ["a/1"] * TRIES + ["b/1"]


@pytest.mark.parametrize("reason", ["BadKey", "NoSuchModel", "BadRequest", "PromptTooLong", "ModelRefused", "Failed"])
def test_what_would_not_pass_is_not_tried_again(reason):
    made, models, clock = fallback(a_1=[error(reason)])
    assert ask(made, clock).model == "b/1"
    assert len(models.asked) == 2


def test_one_that_hangs_leaves_time_for_the_next():
    made, models, clock = fallback(a_1=["hang"])
    assert ask(made, clock, 10).model == "b/1"
    assert models.asked == [("a/1", 5.0), ("b/1", 5.0)]


@pytest.mark.parametrize("seconds", [LEAST_SECONDS / 2, 0.0, -5.0])
def test_past_the_deadline_nobody_is_asked(seconds):
    made, models, clock = fallback()
    with pytest.raises(Retry):
        ask(made, clock, seconds)
    assert models.asked == []


def test_never_longer_than_the_deadline():
    made, _, clock = fallback(a_1=["hang"] * 9, b_1=["hang"] * 9)
    began = clock.now
    with pytest.raises(Retry, match="no model answers"):
        ask(made, clock, 10)
    assert clock.now - began <= 10


def test_when_none_would_answer_the_first_says_why():
    made, _, clock = fallback(a_1=[error("BadKey")], b_1=[error("ModelRefused")])
    with pytest.raises(Refused, match="BadKey") as raised:
        ask(made, clock)
    assert raised.value.reason == "BadKey"


def test_when_one_may_answer_later_it_says_when():
    made, _, clock = fallback(a_1=[error("BadKey")], b_1=[error("RateLimited", 300)])
    with pytest.raises(Retry) as raised:
        ask(made, clock)
    assert raised.value.delay_seconds == 300


def exhausted():
    """A provider that has just failed FAIL_MAX times."""
    made, models, clock = fallback(("a/1",), a_1=[error()] * FAIL_MAX)
    for _ in range(2):
        with pytest.raises(Retry):
            ask(made, clock)
    models.asked.clear()
    return made, models, clock


def test_who_fails_repeatedly_is_left_alone_and_then_probed():
    made, models, clock = exhausted()
    with pytest.raises(Retry, match="left alone"):
        ask(made, clock)
    assert models.asked == []
    clock.now += REST_SECONDS
    assert ask(made, clock).model == "a/1"
    assert ask(made, clock).model == "a/1"
    assert len(models.asked) == 2


def test_a_probe_that_fails_begins_the_rest_anew():
    made, models, clock = exhausted()
    models.scripts["a_1"] = [error()]
    clock.now += REST_SECONDS
    for _ in range(2):
        with pytest.raises(Retry):
            ask(made, clock)
    assert len(models.asked) == 1


def test_while_it_is_probed_others_are_not_let_through():
    made, models, clock = exhausted()
    clock.now += REST_SECONDS
    inner = []
    answers = models.complete

    def probing(*arguments):
        if not inner:
            inner.append(True)
            with pytest.raises(Retry):
                ask(made, clock)
        return answers(*arguments)

    models.complete = probing
    assert ask(made, clock).model == "a/1"
    assert len(models.asked) == 1


def test_the_second_model_stands_in_for_the_first_behind_one_gateway():
    """All have the same provider there: what is left alone is the model that failed, not who serves it."""
    made, models, clock = fallback(("a/1", "a/2"), a_1=[error()] * 99)
    assert [ask(made, clock).model for _ in range(4)] == ["a/2"] * 4
    assert [model for model, _ in models.asked].count("a/1") == FAIL_MAX


def test_requests_that_fail_together_count_once_and_are_tried_again():
    """Specialists ask at the same time: one bad moment of the provider would end the first model for all of them."""
    members = FAIL_MAX + 1
    made, models, clock = fallback(("a/1",), a_1=[error()] * members, random=lambda: 0.0)
    together, answers = threading.Barrier(members), models.complete
    made._sleep = lambda _: together.wait(20)

    def at_once(*arguments):
        try:
            return answers(*arguments)
        except ProviderError:
            together.wait(20)
            raise

    models.complete = at_once
    with ThreadPoolExecutor(members) as pool:
        found = list(pool.map(lambda _: ask(made, clock).model, range(members)))
    assert found == ["a/1"] * members


def test_who_is_left_alone_is_told_with_why(caplog):
    made, _, clock = exhausted()
    with pytest.raises(Retry, match=r"left alone.*a/1: Unavailable"):
        ask(made, clock)
    assert [r.getMessage() for r in caplog.records] == ["a/1 is left alone for 30 s: a/1: Unavailable"]


def test_what_began_before_the_breaker_opened_keeps_nobody_out_afterwards():
    clock = Clock()
    breaker = Breaker("a", "a/1", clock)
    slow = breaker.admit()
    for _ in range(FAIL_MAX):
        breaker.note(breaker.admit(), error())
    clock.now += REST_SECONDS
    probe = breaker.admit()
    breaker.note(slow, error())
    breaker.note(probe, None)
    breaker.admit()


def test_a_request_that_is_wrong_says_nothing_against_the_provider():
    made, models, clock = fallback(("a/1",), a_1=[error("BadRequest")] * 9)
    for _ in range(9):
        with pytest.raises(Refused):
            ask(made, clock)
    assert len(models.asked) == 9


def test_everything_that_is_sent_is_redacted():
    made, models, clock = fallback()
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"password": "zebra"}'}}
    messages = [
        {"role": "system", "content": "token=zebra1"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "postgres://u:zebra@db/x"},
    ]
    ask(made, clock, messages=messages)
    assert "zebra" not in str(models.sent)
    assert str(models.sent).count("[REDACTED:") == 3
    assert call["function"]["arguments"] == '{"password": "zebra"}', "what was given is left as it is"


def value(name, **labels):
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_is_used_is_in_metrics():
    before = value("hemostat_model_cost_usd_total", model="m/1")
    made, models, clock = fallback(("m/1",), m_1=[error("RateLimited")])
    ask(made, clock)
    assert value("hemostat_model_requests_total", provider="m", outcome="RateLimited") >= 1
    assert value("hemostat_model_requests_total", provider="m", outcome="Answered") >= 1
    assert value("hemostat_model_tokens_total", model="m/1", kind="input") >= 10
    assert value("hemostat_model_cost_usd_total", model="m/1") == before + 0.25
    assert value("hemostat_model_breaker_open", provider="m", model="m/1") == 0
    models.scripts["m_1"] = [error()] * 9
    for _ in range(2):
        with pytest.raises(Retry):
            ask(made, clock)
    assert value("hemostat_model_breaker_open", provider="m", model="m/1") == 1


def test_what_came_to_nothing_is_paid_for_too():
    """Providers charge for refusals and empty answers: a budget that does not count them is none."""
    empty, refused = error("EmptyAnswer"), error("ModelRefused")
    empty.spent, refused.spent = Spent(100, 5, 0.1), Spent(1000, 1, 0.5)
    told = metrics.MODEL_TOKENS.labels("a/1", "input")._value.get()
    made, _, clock = fallback(a_1=[empty, refused])
    answer = ask(made, clock)
    assert answer.model == "b/1"
    assert (answer.tokens_in, answer.tokens_out, answer.usd) == (1110, 8, pytest.approx(0.85))
    assert metrics.MODEL_TOKENS.labels("a/1", "input")._value.get() - told == 1100
    for last, kind in ((refused, Refused), (empty, Retry)):
        made, _, clock = fallback(names=("a/1",), a_1=[last] * TRIES)
        with pytest.raises(kind) as caught:
            ask(made, clock)
        assert caught.value.spent.tokens_in == (1000 if kind is Refused else 100 * TRIES)


def test_before_each_request_it_is_asked_whether_it_may_be_sent():
    """A retry is another request: what may leave, or what is left of a budget, may be less by then."""
    empty = error("EmptyAnswer")
    empty.spent = Spent(100, 5, 0.1)
    told = []

    def before(so_far):
        told.append(so_far.tokens_in)
        if len(told) == 3:
            raise Refused("NotPermitted", "withdrawn")

    made, models, clock = fallback(a_1=[empty] * TRIES)
    with pytest.raises(Refused) as caught:
        made.ask([USER], schema={}, tools=[], deadline=clock.now + 60, before=before)
    assert (caught.value.reason, told, len(models.asked)) == ("NotPermitted", [0, 100, 200], 2)
    assert (caught.value.spent.tokens_in, caught.value.asked) == (200, True)
