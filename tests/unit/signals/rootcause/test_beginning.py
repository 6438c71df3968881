"""The time of trouble must be found as a stream would find it: soon, without looking ahead, not in what is jumpy."""

import numpy as np
import pytest

from hemostat.errors import Refused
from hemostat.signals.rootcause.beginning import beginnings
from hemostat.signals.rootcause.series import Recorded, recording

STEP = 60.0


def recorded(values, metric="cpu_percent", service="cart", start=0.0):
    values = np.asarray(values, dtype=np.float64)
    return Recorded(metric, service, "", "", start + STEP * np.arange(len(values)), values)


def healthy(n=200, seed=3, level=10.0):
    return level * (1 + 0.03 * np.random.default_rng(seed).standard_normal(n))


def test_a_lasting_move_is_noticed_two_steps_after_it_began():
    values = healthy()
    values[120:] *= 4
    (one,) = beginnings(recording([recorded(values)]))
    assert one.noticed == pytest.approx(121 * STEP)
    assert one.began == pytest.approx(119 * STEP)
    assert one.what == ("cpu_percent of cart",)


def test_one_odd_sample_is_no_trouble():
    values = healthy()
    values[120] *= 10
    assert beginnings(recording([recorded(values)])) == ()


def test_nothing_later_takes_part():
    values = healthy(seed=5)
    values[120:130] *= 5
    whole = beginnings(recording([recorded(values)]))
    other = values.copy()
    other[123:] = 1e6 * healthy(len(other) - 123, seed=9)
    assert beginnings(recording([recorded(other)]))[0] == whole[0]
    cut = beginnings(recording([recorded(values[:123])]))
    assert cut == whole[:1]


def test_what_is_always_jumpy_must_jump_further():
    calm, jumpy = healthy(), healthy(seed=4)
    jumpy[5::9] *= 5
    jumpy[6::9] *= 5  # two in a row every nine samples
    calm[150:] *= 5
    found = beginnings(recording([recorded(jumpy, service="jumpy"), recorded(calm, service="calm")]))
    late = [b for b in found if b.noticed > 60 * STEP]
    assert [b.what for b in late] == [("cpu_percent of calm",)]


def test_healthy_series_with_gaps_are_silent():
    rng = np.random.default_rng(1)
    series = []
    for i in range(20):
        whole = recorded(healthy(400, seed=i), service=f"s{i}")
        kept = rng.random(400) > 0.2
        series.append(Recorded(whole.metric, whole.service, "", "", whole.times[kept], whole.values[kept]))
    assert beginnings(recording(series)) == ()


def test_no_series_no_trouble():
    assert beginnings(recording([])) == ()
    assert beginnings(recording([recorded([])])) == ()


def test_a_recording_with_a_hole_of_years_is_refused_not_gone_through():
    far = Recorded("cpu", "a", "", "", np.array([0.0, 1.0, 2.0, 3.0, 1e9]), np.ones(5))
    with pytest.raises(Refused, match="give it"):
        beginnings(recording([far]))


def test_series_of_different_steps_are_judged_each_in_its_own():
    slow = healthy()
    slow[120:] *= 4
    fine = Recorded("cpu_percent", "db", "", "", 20.0 * np.arange(600), healthy(600, seed=8))
    alone = beginnings(recording([recorded(slow)]))
    assert beginnings(recording([recorded(slow), fine])) == alone
    assert len(alone) == 1


def test_trouble_seen_at_two_cadences_is_one():
    slow, values = healthy(), healthy(600, seed=8)
    slow[120:] *= 4
    values[120 * 3 :] *= 4
    fine = Recorded("cpu_percent", "db", "", "", 20.0 * np.arange(600), values)
    (one,) = beginnings(recording([recorded(slow), fine]))
    assert one.what == ("cpu_percent of db",)
    assert one.noticed == pytest.approx(7200, abs=60)
