"""One poller for all Watches: each query once per interval, answers with their age, problems told, bounded."""

import pytest

from hemostat.errors import Refused, Retry
from hemostat.observe import kept, pace, poll, topic
from hemostat.observe.poll import Poller
from hemostat.observe.topic import Question
from hemostat.telemetry.answer import QueryFailed
from hemostat.telemetry.sample import Answer, History, Series

ONE = [Series((), 1.0)]


class Source:
    def __init__(self):
        self.answer = ONE
        self.asked, self.past = [], []

    def instant(self, query):
        self.asked.append(query)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, Answer) else Answer(self.answer)

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
    assert {poller.read(owner)[0]["q"].series == ONE for owner in ("a", "b", "c")} == {True}


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


@pytest.mark.parametrize(("every", "fresh_for"), [(1.0, topic.FRESH_SECONDS), (60.0, topic.FRESH_INTERVALS * 60)])
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
    assert vectors["q"].series == ONE
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
    assert poller.read("a") == ({"q": None}, [("BadQuery", "1:5: parse error: q")])


def test_a_preset_that_has_no_data_is_asked_less_and_less_and_again_at_once_when_it_has(poller, source):
    poller.want("a", [question(every=10.0, expected=False)])
    source.answer = []
    waits = [poller.ask("q") for _ in range(12)]
    assert waits[:2] == [pytest.approx(10.0)] * 2
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(topic.EMPTY_SECONDS)
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
    assert poller.read("a")[0]["q"].series == ONE


def test_too_many_queries_are_not_asked_and_it_is_said(poller, source, monkeypatch):
    monkeypatch.setattr(poll, "MAX_QUERIES", 3)
    poller.want("a", [question(f"q{i}") for i in range(5)])
    assert poller.ask("q4") is None
    vectors, problems = poller.read("a")
    assert set(vectors) == {"q0", "q1", "q2"}
    assert [reason for reason, _ in problems] == ["TooManyQueries"]


def test_the_time_that_asking_took_is_part_of_the_interval(poller, source, clock):
    source.instant = taking(clock, 1, ONE)
    poller.want("a", [question()])
    assert poller.ask("q") == pytest.approx(4.0)


# --- slow ones keep nobody waiting


def taking(clock, seconds, answer):
    """Return a source's `instant` that takes so long."""

    def instant(_):
        clock.now += seconds
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)

    return instant


def worked(queue):
    """Do what a worker does with the next key that is due; return the key."""
    key, _ = queue._pop()
    if key is not None:
        delay = queue._work(key)
        queue._busy.pop(key)
        if delay is not None:
            queue.add(key, delay)
    return key


def waiting(queue):
    return set(queue._due)


def test_what_was_never_asked_begins_among_the_slow_and_leaves_them_when_it_is_quick(poller):
    poller.want("a", [question()])
    assert (waiting(poller.slow), waiting(poller.quick)) == ({"q"}, set())
    assert worked(poller.slow) == "q"
    assert (waiting(poller.slow), waiting(poller.quick)) == (set(), {"q"})


def test_a_query_that_became_slow_is_asked_by_the_other_workers_until_it_is_quick_again(poller, source, clock):
    """32 slow queries of one Watch held all workers: other Watches had no answer for 74 of 90 s."""
    poller.want("a", [question()])
    worked(poller.slow)
    source.instant = taking(clock, 3, ONE)
    poller.quick._due["q"] = 0.0
    poller.quick._heap[:] = [(0.0, 0, "q")]
    worked(poller.quick)
    assert (waiting(poller.slow), waiting(poller.quick)) == ({"q"}, set())
    source.instant = taking(clock, 0.1, ONE)
    assert poller.ask("q") > 0
    assert poller._queue("q") is poller.quick


def test_a_new_query_is_asked_before_those_that_are_known_to_be_slow(poller, source, clock):
    source.instant = taking(clock, 4, QueryFailed("slow"))
    poller.want("bad", [question(f"slow{i}") for i in range(8)])
    for _ in range(8):
        assert worked(poller.slow).startswith("slow")
    for key in waiting(poller.slow):
        poller.slow.add(key)  # all of them are due
    poller.want("good", [question()])
    assert worked(poller.slow) == "q"


def test_an_entry_in_the_queue_that_a_query_has_left_asks_nothing(poller, source):
    poller.want("a", [question()])
    worked(poller.slow)
    poller.slow.add("q")
    assert worked(poller.slow) == "q"
    assert source.asked == ["q"]
    assert waiting(poller.slow) == set()


def test_a_query_that_fails_while_prometheus_is_there_waits_longer_each_time_but_not_for_ever(poller, source, clock):
    poller.want("a", [question()])
    source.instant = taking(clock, 3, QueryFailed("no answer within 3 s"))
    waits = [poller.ask("q") + 3 for _ in range(6)]
    assert waits == [pytest.approx(w) for w in (12, 24, 48, 60, 60, 60)]
    assert poller.read("a")[1] == [("QueryFailed", "no answer within 3 s: q")]
    source.instant = taking(clock, 0.1, ONE)
    assert poller.ask("q") + 0.1 == pytest.approx(5)
    assert poller.read("a")[1] == []


def test_a_prometheus_that_is_away_is_no_fault_of_its_queries(poller, source):
    poller.want("a", [question()])
    poller.ask("q")
    source.answer = Retry("down", 2)
    assert [poller.ask("q") for _ in range(5)] == [pytest.approx(5)] * 5
    assert poller._queue("q") is poller.quick


def test_a_slow_query_is_fresh_when_it_is_asked_again():
    """What takes less than the deadline of 3 s never goes stale for being slow."""
    assert pace.pause(5, 3, 0) < topic.FRESH_SECONDS
    assert pace.pause(30, 3, 0) == 30
    assert pace.pause(300, 3, 5) == 300, "what is wanted seldom is not asked more often for failing"


# --- what is kept is bounded


def wide(count, text="x"):
    return [Series((("pod", f"{i}-{text}"),), float(i)) for i in range(count)]


def test_data_that_are_not_whole_are_data_and_say_so(poller, source):
    poller.want("a", [question()])
    source.answer = Answer(ONE, 0, ("store 3 is down",))
    poller.ask("q")
    vectors, problems = poller.read("a")
    assert vectors["q"].series == ONE
    assert problems == [("PartialData", "store 3 is down: q")]
    source.answer = Answer(wide(3), 4)
    poller.ask("q")
    vectors, ((reason, said),) = poller.read("a")
    assert (vectors["q"].left_out, reason) == (4, "PartialData")
    assert "only 3 of 7 series" in said


def test_answers_are_bounded_in_bytes_and_the_first_leave_room_for_the_others(source, clock):
    """Eight queries of 150,000 series kept 526 MB."""
    poller = Poller(source, clock, kept.Room(1_000_000))
    source.answer = wide(50, "x" * 100_000)
    poller.want("a", [question(f"q{i}") for i in range(8)])
    for i in range(8):
        poller.ask(f"q{i}")
    vectors, _ = poller.read("a")
    counts = [len(v.series) for v in vectors.values()]
    assert counts[0] == 2
    assert sum(counts) * 100_000 < 1_000_000
    source.answer = ONE
    poller.want("b", [question("small")])
    poller.ask("small")
    assert poller.read("b")[0]["small"].series == ONE
    for owner in ("a", "b"):
        poller.forget(owner)
    assert poller._room.free == 1_000_000


def test_an_answer_that_comes_when_nobody_wants_it_any_more_takes_no_room(source, clock):
    poller = Poller(source, clock, kept.Room(1_000_000))
    poller.want("a", [question(look_back_seconds=3600.0)])

    def late(_):
        poller.forget("a")
        return Answer(ONE)

    source.instant = late
    poller.ask("q")
    assert poller._room.free == 1_000_000


def test_what_is_counted_is_what_a_series_takes():
    big = Series((("pod", "x" * 10_000),), 1.0)
    assert 10_000 < kept.size_of(big) < 10_500
    assert kept.size_of(Series((("a", "\U0001f600" * 1000),), 1.0)) > 4_000, "characters are not bytes"
