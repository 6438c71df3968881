"""Counters restart, stop and come late; their rate is never negative and never invented."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hemostat.signals.detectors import Counters

ROW = np.zeros(1, np.int64)


def rates(samples, **kwargs):
    bank = Counters(1, **kwargs)
    return [float(bank.step(ROW, np.array([value]), now)[0]) for now, value in samples]


@pytest.mark.parametrize(("samples", "last"), [
    ([(0, 10), (10, 60)], 5.0),
    ([(0, 1000), (10, 30)], 3.0),
    ([(0, 10), (10, np.nan), (20, 60)], 2.5),
    ([(0, 10), (10, 60), (5, 30)], np.nan),
    ([(0, 10), (10, 60), (10, 60)], np.nan),
    ([(0, 10), (10, 60), (10, 70), (20, 110)], 5.0),
    ([(0, 10), (5000, 60)], np.nan),
    ([(0, 10)], np.nan),
    ([(0, 10), (10, -5)], np.nan),
    ([(1e9, 10), (10, 60), (20, 80)], 2.0),
])  # fmt: skip
def test_the_last_rate(samples, last):
    assert rates(samples)[-1] == pytest.approx(last, nan_ok=True)


def test_a_series_without_a_row_has_no_rate_and_a_forgotten_row_begins_anew():
    bank = Counters(1)
    bank.step(ROW, np.array([1.0]), 0)
    assert np.isnan(bank.step(np.array([-1], np.int64), np.array([5.0]), 1)[0])
    bank.forget(ROW)
    assert np.isnan(bank.step(ROW, np.array([9.0]), 2)[0])


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats()), max_size=50))
@example([(-2.3e-308, 0.0), (0.0, 4.0)])
@example([(0.0, 0.0), (0.1, 1.7e308)])
def test_a_rate_is_finite_and_not_negative_or_absent(samples):
    assert all(np.isnan(rate) or 0 <= rate < np.inf for rate in rates(samples))
