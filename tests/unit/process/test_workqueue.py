"""The queue: one worker a key, nothing lost, failures back off."""

import logging
import threading

import pytest

from hemostat import workqueue
from hemostat.errors import Broken, Refused, Retry
from hemostat.metrics import REGISTRY
from hemostat.workqueue import BACKOFF_SECONDS, WorkQueue

PATIENCE = 5.0


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def queue_of(handle=lambda _: None, clock=None):
    return WorkQueue("test", handle, clock or Clock())


def due(queue):
    """Take every key that is due now, as as many workers would."""
    found = []
    while (key := queue._pop()[0]) is not None:
        found.append(key)
    return found


def test_a_key_added_twice_is_worked_on_once(clock):
    queue = queue_of(clock=clock)
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert due(queue) == ["a", "b"]


def test_a_key_waits_for_its_time(clock):
    queue = queue_of(clock=clock)
    queue.add("later", 5)
    queue.add("sooner", 2)
    assert queue._pop() == (None, 2)
    clock.seconds += 2
    assert due(queue) == ["sooner"]
    clock.seconds += 3
    assert due(queue) == ["later"]


def test_the_earlier_time_counts_whichever_came_first(clock):
    queue = queue_of(clock=clock)
    queue.add("a", 10)
    queue.add("a", 1)
    queue.add("b", 1)
    queue.add("b", 10)
    clock.seconds += 1
    assert due(queue) == ["a", "b"]
    clock.seconds += 10
    assert due(queue) == []


def test_a_key_in_hand_is_not_given_to_another_worker_but_kept_for_later(clock):
    queue = queue_of(clock=clock)
    queue.add("a")
    assert due(queue) == ["a"]
    queue.add("a")
    queue.add("b")
    assert due(queue) == ["b"]
    queue._busy.clear()
    assert due(queue) == ["a"]


def test_old_entries_of_moved_keys_do_not_pile_up(clock):
    queue = queue_of(clock=clock)
    for delay in range(100, 0, -1):
        queue.add("a", delay)
    clock.seconds += 100
    assert due(queue) == ["a"]
    assert queue._heap == []
    assert queue._due == {}


def test_a_full_queue_drops_and_says_so(clock, monkeypatch, caplog):
    monkeypatch.setattr(workqueue, "MAX_KEYS", 2)
    queue = queue_of(clock=clock)
    for key in ("a", "b", "c", "a"):
        queue.add(key)
    assert due(queue) == ["a", "b"]
    assert "c is dropped" in caplog.text


def raising(*errors):
    left = list(errors)

    def handle(key):
        if left:
            raise left.pop(0)

    return handle


def test_failures_back_off_and_a_success_forgets_them(caplog):
    caplog.set_level(logging.CRITICAL)
    errors = [RuntimeError("x"), Refused("No", "y")] * 5
    queue = queue_of(raising(*errors))
    waits = [queue._work("a") for _ in errors]
    assert waits == [*BACKOFF_SECONDS, *[BACKOFF_SECONDS[-1]] * 3]
    assert queue._work("a") is None
    assert queue._failures == {}


def test_each_key_backs_off_by_itself(caplog):
    caplog.set_level(logging.CRITICAL)
    queue = queue_of(raising(*[RuntimeError("x")] * 4))
    assert [queue._work(key) for key in ("a", "a", "b", "a")] == [0.5, 1, 0.5, 2]


def test_what_is_not_ready_yet_says_itself_when_to_come_back():
    queue = queue_of(raising(Retry("not now", 7.5), Retry("not now")))
    assert [queue._work("a"), queue._work("a")] == [7.5, 2.0]
    assert queue._failures == {}


def test_what_is_broken_ends_the_worker():
    with pytest.raises(Broken):
        queue_of(raising(Broken("misconfigured")))._work("a")


def test_what_the_handler_returns_is_when_to_look_again():
    assert queue_of(lambda _: 3.0)._work("a") == 3.0


def test_idle_time_is_not_being_stuck(clock):
    queue = queue_of(clock=clock)
    clock.seconds += 3600
    assert queue.stuck_for() == 0
    queue.add("a")
    assert queue.stuck_for() == 0
    due(queue)
    clock.seconds += 0.5
    assert queue.stuck_for() == 0.5


def test_work_in_hand_or_overdue_that_nobody_finishes_is(clock):
    queue = queue_of(clock=clock)
    queue.add("a")
    queue.add("b", 10)
    clock.seconds += 30
    assert queue.stuck_for() == 30
    due(queue)
    clock.seconds += 100
    assert queue.stuck_for() == 100
    queue.last_progress = clock.seconds - 1
    assert queue.stuck_for() == 1


def test_how_long_a_queue_is_stuck_is_told_once_it_is_worked_on(clock):
    stuck = {"queue": "told"}
    queue = WorkQueue("told", lambda _: None, clock)
    assert REGISTRY.get_sample_value("hemostat_queue_stuck_seconds", stuck) is None
    queue.stop()
    queue.run()
    queue.add("a")
    clock.seconds += 30
    assert REGISTRY.get_sample_value("hemostat_queue_stuck_seconds", stuck) == 30


def test_what_is_due_later_is_no_reason_to_worry(clock):
    queue = queue_of(clock=clock)
    queue.add("a", 300)
    clock.seconds += 200
    assert queue.stuck_for() == 0


# --- with threads ------------------------------------------------------------------------------------------


def started(queue, count):
    threads = [threading.Thread(target=queue.run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def ended(queue, threads):
    queue.stop()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def test_many_workers_never_work_on_one_key_together_and_lose_none():
    lock, done = threading.Lock(), threading.Event()
    inside, together, counts = set(), [], dict.fromkeys("abcd", 0)

    def handle(key):
        with lock:
            together.append(key in inside)
            inside.add(key)
            counts[key] += 1
        queue.add(key)  # a change that arrives while the key is in hand
        with lock:
            inside.discard(key)
            if min(counts.values()) >= 50:
                done.set()

    queue = WorkQueue("test", handle)
    threads = started(queue, 4)
    for key in counts:
        queue.add(key)
    assert done.wait(PATIENCE)
    ended(queue, threads)
    assert not any(together)


def test_a_change_while_a_key_is_in_hand_is_seen_afterwards():
    entered, go_on, again = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def handle(key):
        seen.append(key)
        if len(seen) == 1:
            entered.set()
            assert go_on.wait(PATIENCE)
        else:
            again.set()

    queue = WorkQueue("test", handle)
    threads = started(queue, 2)
    queue.add("a")
    assert entered.wait(PATIENCE)
    queue.add("a")
    queue.add("a")
    go_on.set()
    assert again.wait(PATIENCE)
    ended(queue, threads)
    assert seen == ["a", "a"]


def test_the_returned_delay_brings_the_key_back():
    times, done = [], threading.Event()

    def handle(key):
        times.append(key)
        if len(times) < 3:
            return 0.001
        done.set()
        return None

    queue = WorkQueue("test", handle)
    threads = started(queue, 1)
    queue.add("a")
    assert done.wait(PATIENCE)
    ended(queue, threads)


def test_stopping_lets_the_key_in_hand_be_finished_and_takes_no_other():
    entered, go_on, finished = threading.Event(), threading.Event(), []

    def handle(key):
        entered.set()
        assert go_on.wait(PATIENCE)
        finished.append(key)
        return 0

    queue = WorkQueue("test", handle)
    threads = started(queue, 1)
    queue.add("a")
    assert entered.wait(PATIENCE)
    queue.add("b")
    queue.stop()
    go_on.set()
    ended(queue, threads)
    assert finished == ["a"]


def test_stopping_wakes_workers_that_wait():
    queue = queue_of()
    ended(queue, started(queue, 3))


def test_who_is_in_the_middle_of_something_comes_before_all_who_only_wait():
    order, done = [], threading.Event()

    def handle(key):
        order.append(key)
        if len(order) == 8:
            done.set()
        return 0.0 if key == "middle" and order.count("middle") < 3 else None

    queue = WorkQueue("test", handle)
    for key in ("a", "middle", "b", "c", "d", "e"):
        queue.add(key)
    threads = started(queue, 1)
    assert done.wait(PATIENCE)
    ended(queue, threads)
    assert order == ["a", "middle", "middle", "middle", "b", "c", "d", "e"]
