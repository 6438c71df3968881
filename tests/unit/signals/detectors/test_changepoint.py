"""A level that shifts and stays is told once, spikes and noise are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.api.watch import Direction
from hemostat.signals.detectors import RIGHT, UNKNOWN, WRONG, ChangePoint

ROW = np.zeros(1, np.int64)


def feed(bank, values, start=0.0, step=30.0):
    return np.array([bank.step(ROW, np.array([v]), start + n * step).wrong[0] for n, v in enumerate(values)])


@pytest.mark.parametrize(("direction", "factor", "word"), [
    (Direction.BOTH, 1.5, WRONG), (Direction.BOTH, 0.5, WRONG), (Direction.UP, 0.5, RIGHT),
    (Direction.DOWN, 0.5, WRONG), (Direction.BOTH, 1.15, RIGHT),
])  # fmt: skip
def test_a_shift_is_wrong_from_the_smallest_change_on_and_in_its_direction(direction, factor, word):
    rng = np.random.default_rng(1)
    bank = ChangePoint(1, direction=direction)
    feed(bank, rng.normal(100, 2, 100))
    assert feed(bank, rng.normal(100 * factor, 2, 12), start=3000)[-3:].tolist() == [word] * 3


def test_the_new_level_becomes_usual():
    rng = np.random.default_rng(2)
    bank = ChangePoint(1)
    said = feed(bank, np.concatenate([rng.normal(100, 2, 100), rng.normal(200, 2, 100)]))
    assert WRONG in said[100:120]
    assert set(said[150:]) == {RIGHT}


def test_a_spike_is_no_shift():
    values = np.random.default_rng(3).normal(100, 2, 200)
    values[100:103] = 900
    assert WRONG not in feed(ChangePoint(1), values)


def test_noise_as_wide_as_the_level_is_no_shift():
    said = feed(ChangePoint(1), np.random.default_rng(4).exponential(10, 20000))
    assert (said == WRONG).sum() == 0


def test_it_learns_first_and_half_of_the_samples_are_enough():
    values = np.random.default_rng(5).normal(100, 2, 300)
    values[::2] = np.nan
    bank = ChangePoint(1)
    said = feed(bank, values)
    assert set(said[:25]) == {UNKNOWN}
    assert set(said[81::2]) == {RIGHT}
    assert WRONG in feed(bank, np.full(20, 300.0), start=9000)


def test_a_long_gap_is_not_bridged():
    bank = ChangePoint(1)
    feed(bank, np.full(100, 10.0))
    assert WRONG not in feed(bank, np.full(25, 100.0), start=1e6)


def test_a_constant_series_and_an_offset_near_zero_are_right():
    assert set(feed(ChangePoint(1), np.zeros(100))[40:]) == {RIGHT}


@given(st.lists(st.tuples(st.floats(), st.floats(-1e6, 1e6)), max_size=80))
def test_no_input_breaks_it(samples):
    bank = ChangePoint(1)
    now = 0.0
    for value, moved in samples:
        now += moved
        verdict = bank.step(ROW, np.array([value]), now)
        assert 0.0 <= verdict.score[0] <= 1.0
    feed(bank, np.random.default_rng(0).normal(10, 1, 100), start=now + 1e8)
    assert bank.step(ROW, np.array([10.0]), now + 1e8 + 3000).known(0) is False
