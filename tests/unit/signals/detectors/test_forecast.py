"""Time left is right when there is a trend, and there is none in noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.signals.detectors import UNKNOWN, WRONG, Forecast

ROW = np.zeros(1, np.int64)


def feed(bank, values, start=0.0, step=60.0):
    return [bank.step(ROW, np.array([v]), start + n * step) for n, v in enumerate(values)]


@pytest.mark.parametrize("limit", [0.0, 1e10])
def test_the_time_left_of_a_noisy_trend(limit):
    rng = np.random.default_rng(1)
    minutes = np.arange(120.0)
    used = 5e9 + 20e6 * minutes + rng.normal(0, 20e6, 120)
    values = used if limit else 1e10 - used
    seen = feed(Forecast(1, limit), values)[-1]
    truth = (1e10 - 5e9 - 20e6 * 119) / 20e6 * 60
    assert seen.known(0) is True
    assert seen.seconds_left[0] == pytest.approx(truth, rel=0.1)
    assert seen.seconds_left[0] <= seen.seconds_left_at_most[0] < 14400
    assert abs(seen.per_second[0]) == pytest.approx(20e6 / 60, rel=0.1)


def test_a_slow_trend_has_time():
    seen = feed(Forecast(1, 100.0), 10 + 0.01 * np.arange(120.0))[-1]
    assert seen.known(0) is False
    assert seen.seconds_left[0] == pytest.approx((100 - 11.19) / 0.01 * 60, rel=0.01)


@pytest.mark.parametrize("noise", ["white", "bursts", "walk-like"])
def test_noise_near_the_limit_cries_no_wolf(noise):
    rng = np.random.default_rng(2)
    values = (
        80
        + {
            "white": rng.normal(0, 2, 5000),
            "bursts": rng.exponential(2, 5000),
            "walk-like": np.convolve(rng.normal(0, 1, 5009), np.ones(10) / 3, "valid"),
        }[noise]
    )
    said = [v.known(0) for v in feed(Forecast(1, 100.0, within_seconds=3600), values)]
    assert np.mean([s is True for s in said]) < 0.002


def test_a_sawtooth_shorter_than_the_history_is_no_trend():
    values = 40 + np.arange(1000) % 20 * 2.0
    assert not any(v.known(0) for v in feed(Forecast(1, 100.0), values))


def test_reached_is_wrong_whatever_the_trend_and_which_side_is_remembered():
    bank = Forecast(1, 100.0)
    feed(bank, np.full(60, 90.0))
    seen = feed(bank, np.full(60, 101.0), start=3600)[-1]
    assert seen.known(0) is True
    assert seen.seconds_left[0] == 0


def test_what_was_first_seen_beyond_the_limit_comes_back():
    """It was wrong for ever: the side of first sight was taken for the right one."""
    bank = Forecast(1, 0.0)
    expired = feed(bank, -100.0 - 60.0 * np.arange(100))
    renewed = feed(bank, 90 * 86400 - 60.0 * np.arange(200), start=6000)
    assert not any(v.known(0) for v in expired + renewed)
    assert renewed[-1].seconds_left[0] == pytest.approx(90 * 86400 - 199 * 60, rel=1e-3)
    assert feed(bank, [-1.0], start=18000)[-1].known(0) is True
    assert not any(v.known(0) for v in feed(Forecast(1, 100.0), np.repeat([110.0, 50.0], 100)))


def test_what_runs_down_to_a_limit_above_zero_is_told_before_and_when_it_is_there():
    bank = Forecast(1, 10.0, within_seconds=3600)
    seen = feed(bank, 40 - 0.25 * np.arange(140.0))
    assert seen[100].known(0) is True
    assert seen[-1].known(0) is True
    assert seen[-1].seconds_left[0] == 0


def sawtooth(rng, low, high, hours, period=3600, step=15.0):
    t = np.arange(0, hours * 3600, step)
    return low + (high - low) * (t % period) / period + rng.normal(0, 1, len(t))


def test_a_rise_like_those_that_turned_is_not_believed_and_one_that_goes_further_is():
    """Memory that is collected every hour was wrong 40 % of the time, 29 times a day."""
    rng = np.random.default_rng(4)
    bank = Forecast(1, 100.0, within_seconds=3600, history_seconds=1800)
    healthy = np.array([v.known(0) is True for v in feed(bank, sawtooth(rng, 40, 80, 24), step=15.0)])
    assert np.count_nonzero(healthy[1:] & ~healthy[:-1]) <= 2
    assert not healthy[3 * 240 :].any()
    leak = 40 + 40 / 240 * np.arange(360) + rng.normal(0, 1, 360)
    told = [v.known(0) is True for v in feed(bank, leak, start=86400.0, step=15.0)]
    assert 80 < leak[told.index(True)] < 88
    assert all(told[told.index(True) :])


def test_a_rise_that_came_true_is_believed_again():
    """A container that is killed at its limit and leaks again."""
    rng = np.random.default_rng(5)
    bank = Forecast(1, 100.0, within_seconds=3600, history_seconds=1800)
    said = [v.known(0) is True for v in feed(bank, sawtooth(rng, 20, 99.9, 8), step=15.0)]
    assert [any(said[n : n + 239]) for n in range(240, 1680, 240)] == [True] * 6


def test_what_turned_long_ago_is_forgotten():
    bank = Forecast(1, 100.0, within_seconds=3600, history_seconds=1800)
    rise = 40 + np.arange(0, 40, 1 / 6)
    feed(bank, rise, step=15.0)
    day = feed(bank, np.full(6000, 40.0), start=3600, step=15.0)
    assert not any(v.known(0) for v in day[240:])
    again = feed(bank, rise, start=3600 + 90000, step=15.0)
    assert any(v.known(0) for v in again)


def test_one_outlier_moves_nothing():
    values = 10 + 0.5 * np.arange(100.0)
    spoiled = values.copy()
    spoiled[70] = 1e6
    clean, dirty = feed(Forecast(1, 1000.0), values)[-1], feed(Forecast(1, 1000.0), spoiled)[-1]
    assert dirty.seconds_left[0] == pytest.approx(clean.seconds_left[0], rel=0.05)


def test_a_certificate_expires_when_it_says():
    seen = feed(Forecast(1, 0.0, within_seconds=7 * 86400), 5 * 86400 - 60.0 * np.arange(100))[-1]
    assert seen.known(0) is True
    assert seen.seconds_left[0] == pytest.approx(5 * 86400 - 99 * 60, rel=1e-3)


def test_too_little_history_says_nothing():
    assert {int(v.wrong[0]) for v in feed(Forecast(1, 10.0), np.arange(10.0))} == {UNKNOWN}


@given(st.lists(st.tuples(st.floats(), st.floats(-1e6, 1e6)), max_size=80))
def test_no_input_breaks_it(samples):
    bank = Forecast(1, 100.0)
    now = 0.0
    for value, moved in samples:
        now += moved
        seen = bank.step(ROW, np.array([value]), now)
        assert 0.0 <= seen.score[0] <= 1.0
        assert not seen.seconds_left[0] < 0
    seen = feed(bank, np.full(100, 10.0), start=now + 1e8)[-1]
    assert seen.wrong[0] != UNKNOWN
    assert seen.wrong[0] != WRONG or seen.seconds_left[0] == 0
