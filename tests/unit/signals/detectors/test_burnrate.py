"""The table of the SRE workbook, row by row."""

import math

import pytest

from hemostat.signals.detectors.burnrate import DAY, HOUR, PAIRS, WINDOWS, judge

QUIET = dict.fromkeys(WINDOWS, 0.0)


def test_the_limits_are_those_of_the_workbook():
    assert [pair.limit(30) for pair in PAIRS] == pytest.approx([14.4, 6.0, 1.0])


@pytest.mark.parametrize(("windows", "share", "wrong"), [
    ((HOUR, 300), 0.0145, True), ((HOUR, 300), 0.0143, False),
    ((6 * HOUR, 1800), 0.0061, True), ((6 * HOUR, 1800), 0.0059, False),
    ((3 * DAY, 6 * HOUR), 0.0011, True), ((3 * DAY, 6 * HOUR), 0.0009, False),
    ((HOUR,), 1.0, False), ((300,), 1.0, False), ((6 * HOUR, 300), 1.0, False),
])  # fmt: skip
def test_both_windows_of_a_pair_must_burn(windows, share, wrong):
    assert judge(99.9, {**QUIET, **dict.fromkeys(windows, share)}).wrong is wrong


def test_the_worst_pair_is_named_with_the_time_its_rate_leaves():
    burn = judge(99.9, {**QUIET, HOUR: 0.05, 300: 0.0288})
    assert burn.rate == pytest.approx(28.8)
    assert burn.pair == PAIRS[0]
    assert burn.seconds_left == pytest.approx(30 * DAY / 28.8)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_windows_without_data_are_no_evidence(missing):
    assert judge(99.9, {}).wrong is None
    assert judge(99.9, dict.fromkeys(WINDOWS, missing)).wrong is None
    assert judge(99.9, {HOUR: 0.5, 300: missing}).wrong is None
    assert judge(99.9, {HOUR: 0.5, 300: 0.5, DAY: missing}).wrong is True


def test_a_short_period_never_calls_the_planned_rate_wrong():
    assert judge(99.0, dict.fromkeys(WINDOWS, 0.0099), period_days=1).wrong is False


@pytest.mark.parametrize("objective", [100.0, 101.0, -1.0, math.nan])
def test_an_impossible_objective_is_refused(objective):
    with pytest.raises(ValueError, match="objective_percent"):
        judge(objective, QUIET)
