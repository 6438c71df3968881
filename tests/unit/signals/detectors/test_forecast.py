"""Time left is right when there is a trend, and there is none in noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.signals.detectors import UNKNOWN, WRONG, Forecast
from hemostat.signals.detectors.forecast import words

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


@pytest.mark.parametrize(("left", "slope", "unit", "text"), [
    (7800, 3.2e6 / 60, "B", "full in 2 h 10 min at 3.2 MB/min"),
    (90, 0.01, "", "full in 2 min at 36/h"),
    (50, -1, "s", "used up in 50 s at 60 s/min"),
    (3 * 86400 + 3600, 0.2, "connections", "full in 3 d 1 h at 12 connections/min"),
    (40 * 86400, 1e-9, "", "full in 40 d at 8.64e-05/d"),
    (0, 1, "B", "full"), (0, -1, "B", "used up"), (np.inf, -1, "B", "not running out"),
])  # fmt: skip
def test_what_a_person_reads(left, slope, unit, text):
    assert words(left, slope, unit) == text
