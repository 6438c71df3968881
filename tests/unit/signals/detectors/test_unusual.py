"""The default detector: what is wrong is found, what is healthy is left alone, nothing breaks it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.api.watch import Direction, Sensitivity
from hemostat.signals.detectors import RIGHT, UNKNOWN, WRONG, Unusual

ROW = np.zeros(1, np.int64)
BLOCK = 120.0
DAY = 720


def feed(bank, values, start=0.0, step=BLOCK):
    """Feed one series; return all its verdicts."""
    return [bank.step(ROW, np.array([value]), start + nth * step) for nth, value in enumerate(values)]


def words(verdicts):
    return np.array([int(verdict.wrong[0]) for verdict in verdicts])


def daily(rng, days, noise=1.0):
    phase = 2 * np.pi * np.arange(days * DAY) / DAY
    return 100 + 30 * np.sin(phase) + 10 * np.sin(2 * phase) + rng.normal(0, noise, days * DAY)


def test_it_learns_before_it_judges():
    said = words(feed(Unusual(1), np.random.default_rng(1).normal(10, 1, 100)))
    assert set(said[:60]) == {UNKNOWN}
    assert UNKNOWN not in set(said[62:])


@pytest.mark.parametrize(("direction", "jump", "word"), [
    (Direction.BOTH, 12, WRONG), (Direction.BOTH, -12, WRONG), (Direction.UP, 12, WRONG),
    (Direction.UP, -12, RIGHT), (Direction.DOWN, -12, WRONG), (Direction.DOWN, 12, RIGHT),
])  # fmt: skip
def test_a_jump_is_wrong_at_once_in_its_direction(direction, jump, word):
    bank = Unusual(1, direction=direction)
    feed(bank, np.random.default_rng(2).normal(50, 1, 300))
    assert words(feed(bank, [50 + jump], start=300 * BLOCK))[0] == word


def test_a_level_that_stays_becomes_usual():
    rng = np.random.default_rng(3)
    bank = Unusual(1)
    feed(bank, rng.normal(50, 1, 300))
    said = words(feed(bank, rng.normal(80, 1, 200), start=300 * BLOCK))
    assert said[:8].tolist() == [WRONG] * 8
    assert WRONG not in said[60:]


def test_a_season_is_learned_and_its_absence_is_wrong_though_no_value_is_extreme():
    rng = np.random.default_rng(4)
    values = daily(rng, 3)
    bank = Unusual(1)
    said = words(feed(bank, values))
    assert WRONG not in said[DAY + 60 :]
    usual = daily(rng, 1)[: DAY // 2]
    assert WRONG not in words(feed(bank, usual, start=3 * DAY * BLOCK))
    assert WRONG in words(feed(bank, np.full(60, 100.0) + 25 * (np.arange(60) % 20 > 9), start=3.5 * DAY * BLOCK))


def test_the_expected_band_follows_the_season():
    values = daily(np.random.default_rng(5), 3)
    verdicts = feed(Unusual(1), values)[2 * DAY :]
    inside = [v.low[0] <= x <= v.high[0] for v, x in zip(verdicts, values[2 * DAY :], strict=True)]
    assert np.mean(inside) > 0.95
    assert np.mean([abs(v.expected[0] - x) for v, x in zip(verdicts, values[2 * DAY :], strict=True)]) < 8
    assert np.mean([v.high[0] - v.low[0] for v in verdicts]) < 60


def test_sensitivity_orders_what_is_wrong():
    rng = np.random.default_rng(6)
    values = np.concatenate([rng.normal(0, 1, 400), rng.normal(0, 1, 400) + (rng.random(400) < 0.05) * 6])
    counts = [(words(feed(Unusual(1, sensitivity=s), values)) == WRONG).sum() for s in Sensitivity]
    assert counts[0] <= counts[1] <= counts[2]
    assert counts[0] < counts[2]


def test_bursts_that_recur_are_usual_and_one_ten_times_as_high_is_not():
    rng = np.random.default_rng(13)
    minutes = np.arange(1440)
    values = rng.normal(5, 0.5, 1440) + (minutes % 60 < 3) * rng.normal(60, 6, 1440)
    bank = Unusual(1)
    assert WRONG not in words(feed(bank, values, step=60.0))
    assert WRONG in words(feed(bank, [600.0, 600.0], start=1440 * 60.0, step=60.0))


def test_noise_cries_no_wolf():
    rng = np.random.default_rng(14)
    series = 60
    bank, rows = Unusual(series), np.arange(series)
    makers = (rng.standard_normal, rng.standard_exponential, lambda n: rng.poisson(4, n))
    alarms = sum(
        (bank.step(rows, np.concatenate([make(series // 3) for make in makers]), now).wrong == WRONG).sum()
        for now in np.arange(0, 2 * 86400, 60.0)
    )
    assert alarms <= 12  # 120 series-days: looks, not episodes


def test_a_lone_spike_inside_the_range_does_not_make_its_block_unusual():
    rng = np.random.default_rng(15)
    values = rng.normal(50, 1, 2000)
    values[::97] = 80.0
    said = words(feed(Unusual(1), values, step=30.0))
    assert WRONG not in said[1000:]


@pytest.mark.parametrize("start", [0.0, 1.7e9])
def test_the_same_values_get_the_same_verdicts_wherever_the_clock_stands(start):
    values = np.random.default_rng(7).normal(5, 1, 200)
    assert words(feed(Unusual(1), values, start=start)).tolist() == words(feed(Unusual(1), values)).tolist()


def test_a_large_offset_costs_no_precision():
    values = 1.7e9 + daily(np.random.default_rng(8), 3)
    verdicts = feed(Unusual(1), values)[2 * DAY :]
    assert np.mean([abs(v.expected[0] - x) for v, x in zip(verdicts, values[2 * DAY :], strict=True)]) < 8


def test_no_evidence_is_neither_wrong_nor_right_nor_learned():
    bank, same = Unusual(2), Unusual(2)
    rows = np.array([0, 1], np.int64)
    rng = np.random.default_rng(9)
    for nth in range(150):
        value = rng.normal(5, 1)
        now = nth * BLOCK
        first = bank.step(rows, np.array([value, value]), now)
        bad = bank.step(rows, np.array([np.nan, np.inf]), now + 30)
        late = bank.step(rows, np.array([99.0, 99.0]), now - 30 if nth else now)
        second = same.step(rows, np.array([value, value]), now)
        assert bad.wrong.tolist() == late.wrong.tolist() == [UNKNOWN, UNKNOWN]
        assert first.score.tolist() == second.score.tolist()
    assert bank.step(np.array([-1], np.int64), np.array([5.0]), 1e6).known(0) is None


def test_rows_do_not_touch_each_other():
    rng = np.random.default_rng(10)
    values = rng.normal(5, 1, (200, 3))
    together = Unusual(3)
    order = np.array([2, 0, 1], np.int64)
    alone = [Unusual(1) for _ in range(3)]
    for nth, line in enumerate(values):
        seen = together.step(order, line, nth * BLOCK)
        for position in range(3):
            single = alone[position].step(ROW, line[position : position + 1], nth * BLOCK)
            assert single.score[0] == seen.score[position]


def test_a_forgotten_row_is_new():
    bank = Unusual(1)
    feed(bank, np.random.default_rng(11).normal(5, 1, 100))
    bank.forget(ROW)
    assert words(feed(bank, [5.0], start=100 * BLOCK))[0] == UNKNOWN


def test_a_clock_that_was_set_back_is_followed():
    bank = Unusual(1)
    rng = np.random.default_rng(12)
    feed(bank, rng.normal(5, 1, 100), start=1e9)
    assert UNKNOWN not in words(feed(bank, rng.normal(5, 1, 20), start=0))


def test_memory_per_series_is_under_four_kilobytes():
    assert Unusual.bytes_per_series < 4096


wild = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -float("inf")]),
)


@given(st.lists(st.tuples(wild, st.floats(-1e4, 1e5)), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_no_input_breaks_it(samples, seed):
    bank = Unusual(1)
    feed(bank, np.random.default_rng(seed).normal(0, 1, 90))
    now = 90 * BLOCK
    for value, moved in samples:
        now += moved
        verdict = bank.step(ROW, np.array([value]), now)
        assert 0.0 <= verdict.score[0] <= 1.0
        if verdict.known(0) is not None:
            assert verdict.low[0] <= verdict.expected[0] <= verdict.high[0]
    said = words(feed(bank, np.random.default_rng(seed).normal(0, 1, 30), start=now + 1e5))
    assert UNKNOWN not in said


def test_one_odd_sample_of_a_constant_series_is_wrong_once():
    """When its range was accepted, twenty minutes later, the grain of a range of nothing was a surprise."""
    values = np.zeros(900)
    values[700] = 1.0
    said = words(feed(Unusual(1), values, step=30.0))
    assert np.flatnonzero(said == WRONG).tolist() == [700]


def test_one_outlier_does_not_blind_for_what_comes_after():
    """A range a thousand times as wide as usual made all distances alike, and a level three times as high unseen."""
    values = np.random.default_rng(16).normal(10, 1, 1600)
    values[1000] = 1e4
    values[1400:] = 30.0
    said = words(feed(Unusual(1), values, step=30.0))
    assert np.flatnonzero(said[:1400] == WRONG).tolist() == [1000]
    assert WRONG in said[1400:1430]


@pytest.mark.parametrize(
    ("begin", "hours", "change"),
    [(2, 8, lambda v: 0 * v), (14, 7.5, lambda v: 0 * v), (6, 3, lambda v: v + 40)],
)
def test_a_daily_wave_does_not_hide_what_is_far_beyond_it(begin, hours, change):
    """A wave of 50+-20 with noise 2 that falls to zero at its peak, or doubles: twenty standard deviations of noise."""
    seconds = 300
    time = np.arange(0, 12 * 86400, seconds)
    values = 50 + 20 * np.sin(2 * np.pi * time / 86400) + np.random.default_rng(0).normal(0, 2, len(time))
    fault = (time >= 11 * 86400 + begin * 3600) & (time < 11 * 86400 + (begin + hours) * 3600)
    values[fault] = change(values[fault])
    bank, rows = Unusual(1), np.zeros(1, np.int64)
    said = [int(bank.step(rows, np.array([v]), float(t)).wrong[0]) for t, v in zip(time, values, strict=True)]
    wrong = np.array(said) == WRONG
    assert wrong[fault][:3].all()
    assert not wrong[~fault & (time < 11 * 86400)].any()
