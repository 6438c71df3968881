"""One poller for all Watches: each query once per interval, answers with their age, problems told, bounded."""

import pytest

from hemostat.errors import Refused, Retry
from hemostat.observe import poll
from hemostat.observe.poll import Poller, Question
from hemostat.telemetry.sample import History, Series

ONE = [Series((), 1.0)]


class Source:
    def __init__(self):
        self.answer = ONE
        self.asked, self.past = [], []

    def instant(self, query):
        self.asked.append(query)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def between(self, query, start, end, step_seconds):
        self.past.append((query, (end - start).total_seconds()))
        if isinstance(self.answer, Exception):
            raise self.answer
        return [History((), ((1.0, 2.0),))]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def poller(source, clock):
    return Poller(source, clock)


def question(query="q", every=5.0, **more):
    return Question(query, every, **more)


def test_what_several_want_is_asked_once_and_all_read_it(poller, source):
    for owner in ("a", "b", "c"):
        poller.want(owner, [question()])
    assert poller.ask("q") == pytest.approx(5.0)
    assert source.asked == ["q"]
    assert {poller.read(owner)[0]["q"].series is ONE for owner in ("a", "b", "c")} == {True}


def test_a_query_is_asked_as_often_as_the_most_eager_wants(poller):
    poller.want("slow", [question(every=60.0)])
    poller.want("fast", [question(every=2.0)])
    assert poller.ask("q") == pytest.approx(2.0)
    poller.forget("fast")
    assert poller.ask("q") == pytest.approx(60.0)


def test_what_nobody_wants_is_asked_no_more_and_forgotten(poller, source):
    poller.want("a", [question(), question("r")])
    poller.want("a", [question("r")])
    assert poller.ask("q") is None
    poller.forget("a")
    assert poller.ask("r") is None
    assert source.asked == []
    assert poller.read("a") == ({}, [])
    assert not poller._topics
    assert not poller._owners


def test_before_the_first_answer_there_is_none(poller):
    poller.want("a", [question()])
    assert poller.read("a") == ({"q": None}, [])


def test_each_answer_has_a_number_so_that_it_is_learned_once(poller):
    poller.want("a", [question()])
    numbers = []
    for _ in range(3):
        poller.ask("q")
        numbers += [poller.read("a")[0]["q"].number] * 2
    assert numbers == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("every", "fresh_for"), [(1.0, poll.FRESH_SECONDS), (60.0, poll.FRESH_INTERVALS * 60)])
def test_an_old_answer_is_no_evidence(poller, clock, every, fresh_for):
    poller.want("a", [question(every=every)])
    poller.ask("q")
    clock.now += fresh_for - 1
    assert poller.read("a")[0]["q"] is not None
    clock.now += 2
    assert poller.read("a")[0]["q"] is None


def test_a_prometheus_that_fails_leaves_the_last_answer_until_it_is_old(poller, source, clock):
    poller.want("a", [question()])
    poller.ask("q")
    source.answer = Retry("down", 15)
    assert poller.ask("q") == pytest.approx(15)
    vectors, problems = poller.read("a")
    assert vectors["q"].series is ONE
    assert problems == [("PrometheusUnavailable", "down")]
    clock.now += 60
    assert poller.read("a")[0]["q"] is None
    source.answer = ONE
    poller.ask("q")
    assert poller.read("a")[1] == []


def test_a_wrong_query_says_so_has_no_answer_and_is_asked_seldom(poller, source):
    poller.want("a", [question()])
    poller.ask("q")
    source.answer = Refused("BadQuery", "1:5: parse error")
    assert poller.ask("q") == pytest.approx(poll.REFUSED_SECONDS)
    assert poller.read("a") == ({"q": None}, [("BadQuery", "1:5: parse error")])


def test_a_preset_that_has_no_data_is_asked_less_and_less_and_again_at_once_when_it_has(poller, source):
    poller.want("a", [question(every=10.0, expected=False)])
    source.answer = []
    waits = [poller.ask("q") for _ in range(12)]
    assert waits[:2] == [pytest.approx(10.0)] * 2
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(poll.EMPTY_SECONDS)
    source.answer = ONE
    assert poller.ask("q") == pytest.approx(10.0)


def test_what_a_person_wrote_is_asked_as_often_as_ever(poller, source):
    poller.want("a", [question(every=10.0, expected=False)])
    poller.want("b", [question(every=10.0)])
    source.answer = []
    assert [poller.ask("q") for _ in range(12)] == [pytest.approx(10.0)] * 12


def test_the_past_is_asked_for_once_and_let_go(poller, source, clock):
    poller.want("a", [question(look_back_seconds=3600.0)])
    poller.ask("q")
    assert poller.read("a")[0]["q"].past
    clock.now += poll.PAST_KEPT + 1
    poller.ask("q")
    assert poller.read("a")[0]["q"].past == ()
    assert [query for query, _ in source.past] == ["q"]
    assert source.past[0][1] == pytest.approx(3600, rel=0.01)


def test_a_past_of_too_many_series_is_not_kept(poller, source):
    source.between = lambda *_: [History((("n", str(i)),), ()) for i in range(poll.MAX_PAST + 1)]
    poller.want("a", [question(look_back_seconds=3600.0)])
    poller.ask("q")
    assert poller.read("a")[0]["q"].past == ()


def test_an_unknown_past_keeps_nobody_from_the_present(poller, source):
    def refuse(*_):
        raise Retry("no range queries here")

    source.between = refuse
    poller.want("a", [question(look_back_seconds=3600.0)])
    poller.ask("q")
    assert poller.read("a")[0]["q"].series is ONE


def test_too_many_queries_are_not_asked_and_it_is_said(poller, source, monkeypatch):
    monkeypatch.setattr(poll, "MAX_QUERIES", 3)
    poller.want("a", [question(f"q{i}") for i in range(5)])
    assert poller.ask("q4") is None
    vectors, problems = poller.read("a")
    assert set(vectors) == {"q0", "q1", "q2"}
    assert [reason for reason, _ in problems] == ["TooManyQueries"]


def test_the_time_that_asking_took_is_part_of_the_interval(poller, source, clock):
    def slow(_):
        clock.now += 3
        return ONE

    source.instant = slow
    poller.want("a", [question()])
    assert poller.ask("q") == pytest.approx(2.0)
