"""Objectives of a Watch: their windows' queries, and what is said of them; the arithmetic has its own tests."""

import pytest

from hemostat.api.watch import SloSignal
from hemostat.signals.metric import Vector
from hemostat.signals.slo import observe, queries, query
from hemostat.telemetry.sample import Series

SLO = SloSignal(objective_percent="99", error_ratio="bad[$window] / all[$window]")


def vectors(**shares):
    windows = {"m5": 300, "m30": 1800, "h1": 3600, "h6": 21600, "d3": 259200}
    return {query(SLO, windows[n]): Vector([Series((), s)], 1, 0.0) for n, s in shares.items()}


def test_the_window_stands_wherever_it_is_wanted():
    assert query(SLO, 300) == "bad[300s] / all[300s]"


def test_longer_windows_are_asked_less_often():
    every = [queries(SLO)[query(SLO, window)] for window in (300, 1800, 3600, 21600, 259200)]
    assert every == sorted(every) == [5, 30, 60, 300, 300]


@pytest.mark.parametrize(
    ("shares", "wrong"),
    [
        ({"h1": 0.5, "m5": 0.5}, True),
        ({"h1": 0.5, "m5": 0.0}, False),
        ({"h1": 0.0, "m5": 0.5}, False),
        ({"h1": 0.5}, None),
        ({}, None),
        ({"h6": 0.1, "m30": 0.1}, True),
        ({"h1": 0.001, "m5": 0.001, "d3": 0.02, "h6": 0.02}, True),
    ],
)
def test_both_windows_of_a_pair_must_agree(shares, wrong):
    assert observe("good", SLO, vectors(**shares)).wrong is wrong


def test_no_more_past_is_claimed_than_there_may_be():
    """Two hours after the first sample it was said to burn "over 3 d": a range in PromQL yields what there is."""
    long = {query(SLO, 3 * 86400): 0.03, query(SLO, 6 * 3600): 0.03}
    found = observe("good", SLO, {q: Vector([Series((), v)], 1, 0.0) for q, v in long.items()})
    assert "over 3 d and 6 h, as far back as there are data" in found.note


def test_a_person_is_told_how_long_the_budget_lasts():
    found = observe("good", SLO, vectors(h1=0.2, m5=0.3))
    assert (found.key, found.value, found.threshold) == ("good/slo", pytest.approx(20), 14.4)
    assert found.note == (
        "the error budget of 30 d burns 20 times too fast over 1 h and 5 min: a whole one is empty in 1 d 12 h"
    )


def test_a_budget_that_lasts_is_not_said_to_burn_too_fast():
    note = observe("good", SLO, vectors(h1=0.0, m5=0.0)).note
    assert note.startswith("the error budget of 30 d burns at 0 % of what it allows")


def test_the_worst_of_several_series_counts_and_silence_is_no_evidence():
    both = {
        query(SLO, w): Vector([Series((("a", "1"),), 0.0), Series((("a", "2"),), 0.5)], 1, 0.0) for w in (300, 3600)
    }
    assert observe("good", SLO, both).wrong
    assert observe("good", SLO, {query(SLO, 300): Vector([], 1, 0.0), query(SLO, 3600): None}).wrong is None
