"""No sender alone can take all there is, and everything that was given back is there again."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from hemostat.telemetry.shares import Shares
from hemostat.telemetry.turns import Turns

ASKING = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40)), max_size=40)


def test_one_sender_gets_half_and_leaves_room_for_the_next():
    shares = Shares(8)
    assert [shares.take("a") for _ in range(8)] == [True] * 4 + [False] * 4
    assert [shares.take("b") for _ in range(4)] == [True, True, False, False]
    assert shares.take("c")


def test_what_is_asked_for_at_first_is_given_when_there_is_room_at_all():
    assert Shares(8).take("a", 8)
    assert not Shares(8).take("a", 9)


@given(ASKING)
def test_never_more_than_there_is_and_all_of_it_again_at_the_end(asking):
    shares, held = Shares(100), []
    for who, size in asking:
        if shares.take(who, size):
            held.append((who, size))
    assert sum(size for _, size in held) <= 100
    for who, size in held:
        shares.give(who, size)
    assert shares.take("d", 100)


def test_a_turn_that_ends_goes_to_who_waits_and_may_have_it():
    turns = Turns(2)
    assert turns.enter("a", 0)
    assert not turns.enter("a", 0), "it has its share"
    assert turns.enter("b", 0)
    assert not turns.enter("c", 0), "there is none"
    greedy = threading.Thread(target=turns.enter, args=("a", 60), daemon=True)
    came = []
    patient = threading.Thread(target=lambda: came.append(turns.enter("c", 60)))
    for n, thread in enumerate((greedy, patient), 1):
        thread.start()
        while turns.waiting < n:
            thread.join(0.001)
    turns.leave("b")
    patient.join(10)
    assert came == [True]
    turns.leave("c")
    turns.leave("a")
    greedy.join(10)
    assert not greedy.is_alive()


def test_who_stopped_waiting_takes_no_turn():
    turns = Turns(1)
    assert turns.enter("a", 0)
    assert not turns.enter("b", 0.001)
    turns.leave("a")
    assert turns.enter("c", 0)
