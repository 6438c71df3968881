"""The open-loop schedule and the mix of routes."""

from itertools import pairwise

import pytest

from hemostat_chaos.shop.load import Mix, Pace
from hemostat_chaos.shop.roles import BUY
from hemostat_chaos.shop.settings import read


def test_requests_are_due_at_even_distances_however_late_the_sender_is():
    pace, now, sent = Pace(10, 0.0), 0.0, []
    for delay in (0, 0, 0.25, 0, 0, 0):
        wait, missed = pace.next(now)
        now += wait
        sent.append(round(now, 3))
        now += delay
        assert missed == 0
    assert sent == [0.0, 0.1, 0.2, 0.45, 0.45, 0.5]  # what a delay held up is sent after it


def test_a_long_stall_is_skipped_and_counted():
    pace = Pace(10, 0.0)
    pace.next(0.0)
    wait, missed = pace.next(5.05)
    assert missed == 49
    assert wait == 0.0
    assert pace.next(5.05)[0] == pytest.approx(0.05)


def test_the_mix_is_seeded_and_of_the_share_set():
    settings = read("load", {"POD_NAME": "load-1"})
    one, two = Mix(settings), Mix(settings)
    drawn = [one.next() for _ in range(1000)]
    assert drawn == [two.next() for _ in range(1000)]
    assert 250 <= sum(call is BUY for call in drawn) <= 350
    assert any(a is not b for a, b in pairwise(drawn))
