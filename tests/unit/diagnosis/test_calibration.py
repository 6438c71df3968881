"""Confidence is calibrated on outcomes: a gate acts on it without a person, so a wrong number here acts on pods."""

import random

import pytest

from hemostat.diagnosis.calibration import LEAST_OUTCOMES, Curve, Judged, Point, Worth, brier, least, risk_coverage


def seen(percent, right, wrong):
    return [Judged(percent, True)] * right + [Judged(percent, False)] * wrong


def test_nothing_seen_is_worth_nothing():
    for percent in range(101):
        assert Curve([]).worth(percent) == Worth(None, 0)


def test_it_speaks_only_from_enough_outcomes_on():
    few, enough = Curve(seen(100, LEAST_OUTCOMES - 1, 0)), Curve(seen(100, LEAST_OUTCOMES, 0))
    assert few.worth(100).percent is None
    assert str(few.worth(100)) == "uncalibrated: n=9 of 10"
    assert enough.worth(100) == Worth(92, 10)  # Laplace: 11 of 12
    assert str(enough.worth(100)) == "calibrated: n=10"


def test_outcomes_of_one_confidence_say_nothing_of_another():
    curve = Curve(seen(100, 50, 0))
    assert curve.worth(60) == Worth(None, 0)
    assert curve.worth(99) == Worth(None, 0)


def test_confidence_that_deceives_is_worth_less():
    assert Curve(seen(100, 5, 15)).worth(100) == Worth(27, 20)


def test_what_is_less_sure_is_never_worth_more():
    """A lucky streak at low confidence must not outdo what is known of high confidence."""
    curve = Curve(seen(30, 12, 0) + seen(60, 6, 6) + seen(100, 15, 5))
    worths = [curve.worth(p).percent for p in (30, 60, 100)]
    assert worths == [74, 74, 74]  # 33 of 44, and Laplace
    spread = Curve(seen(30, 3, 12) + seen(60, 6, 6) + seen(100, 19, 1))
    assert [spread.worth(p).percent for p in (30, 60, 100)] == [24, 50, 91]


def test_a_bin_of_one_is_pooled_where_it_contradicts_and_dumb_where_it_does_not():
    curve = Curve(seen(60, 90, 10) + seen(100, 0, 1))
    assert curve.worth(100) == Worth(88, 101)
    assert Curve(seen(60, 10, 90) + seen(100, 1, 0)).worth(100) == Worth(None, 1)


@pytest.mark.parametrize("seed", range(20))
def test_always_rising_and_within_bounds(seed):
    chance = random.Random(seed)
    judged = [Judged(chance.randint(0, 100), chance.random() < 0.6) for _ in range(chance.randint(0, 300))]
    curve = Curve(judged)
    known = [w.percent for p in range(101) if (w := curve.worth(p)).percent is not None]
    assert known == sorted(known)
    assert all(0 < k < 100 for k in known)
    counted = {j: judged.count(j) for j in judged}
    assert [Curve(counted).worth(p) for p in range(101)] == [curve.worth(p) for p in range(101)]


def test_it_finds_the_truth():
    """Where answers of confidence p are right with probability f(p), the curve tends to f."""
    chance, truth = random.Random(7), {10: 0.1, 40: 0.3, 60: 0.5, 90: 0.7, 100: 0.95}
    curve = Curve(Judged(p, chance.random() < f) for p, f in truth.items() for _ in range(4000))
    for percent, share in truth.items():
        assert curve.worth(percent).percent == pytest.approx(100 * share, abs=3)


def test_the_lowest_of_two_opinions_and_none_if_one_is_none():
    assert least(Worth(90, 20), Worth(60, 80)) == Worth(60, 80)
    assert least(Worth(10, 20), Worth(None, 3)) == Worth(None, 3)


def test_brier():
    assert brier([Judged(100, True), Judged(0, False)]) == 0
    assert brier([Judged(100, False)]) == 1
    assert brier([Judged(70, True), Judged(70, False)]) == pytest.approx((0.09 + 0.49) / 2)
    with pytest.raises(ValueError, match="nothing"):
        brier([])


def test_risk_rises_with_coverage_and_abstaining_covers_nothing():
    cases = [Judged(100, True), Judged(100, True), Judged(60, False), Judged(60, True), Judged(0, False)]
    assert risk_coverage(cases) == (Point(100, 0.4, 0.0), Point(60, 0.8, 0.25))
    assert risk_coverage([Judged(0, True)]) == ()
