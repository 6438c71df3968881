"""The series of a rule: bounds, detectors that learn, and what people are told."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.api.incident import SignalSource
from hemostat.api.watch import ChangePoint, Forecast, MetricSignal, SignalKind, Unusual
from hemostat.signals.confirm import confirms
from hemostat.signals.metric import MAX_SERIES, MetricJudge, Vector, look_back, series_key, timing
from hemostat.signals.rules import of_metric, paced
from hemostat.signals.words import amount, duration
from hemostat.telemetry.sample import History, Series


def rule(name="errors", **how):
    return of_metric(name, MetricSignal(query="q", **how))


def vector(*values, number=1, time=0.0):
    return Vector([Series((("pod", str(i)),), v) for i, v in enumerate(values)], number, time)


def alone(value, number=1, time=0.0, past=()):
    return Vector([Series((), value)], number, time, past)


def judge(found, given_, tracked=()):
    return MetricJudge(found).judge(given_, tracked)


@pytest.mark.parametrize(
    ("bound", "values", "wrong", "worst"),
    [
        ({"above": "5"}, (6,), True, 6),
        ({"above": "5"}, (5,), False, 5),
        ({"above": "5"}, (1, 9, 2), True, 9),
        ({"above": "5"}, (1, 3, 2), False, 3),
        ({"below": "5"}, (4,), True, 4),
        ({"below": "5"}, (5,), False, 5),
        ({"below": "5"}, (9, 1, 8), True, 1),
        ({"below": "0"}, (-1,), True, -1),
        ({"above": "-1"}, (math.inf,), True, math.inf),
        ({"below": "1"}, (math.inf,), False, math.inf),
    ],
)
def test_the_worst_series_is_compared_with_the_bound(bound, values, wrong, worst):
    found = judge(rule(**bound), vector(*values))[0]
    assert (found.wrong, found.value, found.samples) == (wrong, worst, len(values))
    assert (found.name, found.source) == ("errors", SignalSource.PROMETHEUS)
    assert found.threshold == float(next(iter(bound.values())))


@pytest.mark.parametrize("given_", [None, vector()])
@pytest.mark.parametrize("how", [{"above": "5"}, {"unusual": Unusual()}, {"forecast": Forecast(limit="0")}])
def test_no_vector_is_no_evidence(given_, how):
    (found,) = judge(rule(**how), given_)
    assert (found.key, found.wrong, found.value, found.samples) == ("errors/metric", None, None, 0)


def test_a_rule_brings_its_own_kind_and_times():
    found = rule(above="1", kind=SignalKind.SATURATION, for_seconds=3, clear_seconds=7)
    assert judge(found, vector(2))[0].kind is SignalKind.SATURATION
    assert (timing(found).for_seconds, timing(found).clear_seconds) == (3, 7)


def test_right_series_are_one_observation_unless_they_are_tracked():
    assert [o.key for o in judge(rule(above="5"), vector(1, 2, 3))] == ["errors/metric"]
    tracked = judge(rule(above="5"), vector(1, 2, 3), {"errors/metric{pod=1}"})
    assert [(o.key, o.wrong) for o in tracked] == [("errors/metric{pod=1}", False)]


def test_a_tracked_series_is_shown_before_worse_ones():
    """Else a signal that fires would fall silent because others are worse."""
    found = judge(rule(above="5"), vector(*range(6, 100)), {"errors/metric{pod=0}"})
    assert found[0].key == "errors/metric{pod=0}"


def test_series_beyond_the_bound_are_not_judged_and_counted():
    it = MetricJudge(rule(above="5"))
    it.judge(vector(*[1.0] * (MAX_SERIES + 3)), ())
    assert it.dropped == 3


def test_a_rule_that_never_sees_a_series_costs_next_to_nothing():
    """A hundred Watches by default are two thousand rules; a bank and a table each were 150 MB."""
    import tracemalloc

    tracemalloc.start()
    judges = [MetricJudge(rule(unusual=Unusual())) for _ in range(200)]
    for one in judges:
        one.judge(None, ())
        one.judge(vector(), ())
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(judges) < 8192


def test_an_unusual_value_is_told_with_the_usual_band():
    it = MetricJudge(rule(unusual=Unusual()))
    for i in range(300):
        (found,) = it.judge(alone(10.0 + (i % 7) / 10, number=i, time=i * 60.0), ())
    assert found.wrong is False
    (found,) = it.judge(alone(100.0, number=300, time=300 * 60.0), ())
    assert found.wrong
    assert found.threshold < 100
    assert "errors is 100, usual is " in found.note


def test_a_series_that_is_being_learned_is_no_evidence():
    (found,) = judge(rule(unusual=Unusual()), alone(1.0))
    assert (found.wrong, found.samples) == (None, 1)
    assert "learning" in found.note


def test_the_same_answer_read_twice_is_learned_once():
    """A Watch may look more often than Prometheus answers."""
    once, often = MetricJudge(rule(forecast=Forecast(limit="0"))), MetricJudge(rule(forecast=Forecast(limit="0")))
    for i in range(60):
        given_ = alone(1000.0 - 10 * i, number=i, time=i * 60.0)
        first = once.judge(given_, ())
        for _ in range(3):
            assert often.judge(given_, ()) == first


def test_looks_between_two_answers_cost_nothing(monkeypatch):
    it = MetricJudge(rule(above="5"))
    given_ = vector(6, 1)
    first = it.judge(given_, {"errors/metric{pod=0}"})
    monkeypatch.setattr(it, "_judge", None)
    assert it.judge(given_, {"errors/metric{pod=0}"}) is first


def test_a_forecast_says_how_much_time_is_left():
    it = MetricJudge(rule(forecast=Forecast(limit="0", within_seconds=7200, history_seconds=3600), unit="GiB"))
    for i in range(62):
        (found,) = it.judge(alone(100.0 - i, number=i, time=i * 60.0), ())
    assert found.wrong
    assert (found.value, found.threshold) == (39.0, 0.0)
    assert found.note.startswith("errors is 39 GiB, reaches 0 GiB in 3")
    assert found.note.endswith(" min")


def test_a_forecast_of_what_moves_away_is_right():
    it = MetricJudge(rule(forecast=Forecast(limit="0", within_seconds=7200)))
    for i in range(62):
        (found,) = it.judge(alone(100.0 + i, number=i, time=i * 60.0), ())
    assert found.wrong is False
    assert "does not reach" in found.note


def test_a_shift_that_stays_is_wrong_and_a_small_one_is_not():
    for change, wrong in ((50.0, True), (5.0, False)):
        it = MetricJudge(rule(change_point=ChangePoint(min_change_percent=20)))
        for i in range(200):
            (found,) = it.judge(alone(100.0 + (change if i > 180 else 0.0), number=i, time=i * 30.0), ())
        assert found.wrong is wrong


def test_the_past_is_learned_at_the_first_look():
    """A restart, or a new Watch, must not be blind for the hours that learning takes."""
    past = [History((), tuple((i * 60.0, 10.0 + (i % 7) / 10) for i in range(300)))]
    (found,) = judge(rule(unusual=Unusual()), alone(100.0, time=300 * 60.0, past=past))
    assert found.wrong


def test_only_rules_that_learn_want_the_past():
    assert look_back(rule(above="1")) == 0
    assert look_back(rule(unusual=Unusual())) > look_back(rule(forecast=Forecast(limit="1"))) > 0


def test_values_below_the_floor_are_never_wrong():
    from dataclasses import replace

    it = MetricJudge(replace(rule(unusual=Unusual()), floor=50.0))
    for i in range(300):
        it.judge(alone(1.0 + (i % 7) / 10, number=i, time=i * 60.0), ())
    assert it.judge(alone(49.0, number=300, time=300 * 60.0), ())[0].wrong is False
    assert it.judge(alone(51.0, number=301, time=301 * 60.0), ())[0].wrong is True


def test_what_confirms_an_unattended_action_is_a_fixed_bound_that_is_exceeded_now():
    series = [Series((), 9.0)]
    assert confirms(rule(above="5"), series) == "errors is 9, limit 5"
    assert confirms(rule(above="10"), series) is None
    assert confirms(rule(below="10"), [Series((("pod", "a"),), 11.0), *series]) == "errors is 9, limit 10"
    assert confirms(rule(below="9"), series) is None
    assert confirms(rule(above="5"), []) is None
    assert confirms(rule(unusual=Unusual()), series) is None


@given(st.dictionaries(st.text(max_size=40), st.text(max_size=400), max_size=6))
def test_hostile_labels_make_a_bounded_line_and_keep_their_identity(labels):
    found = rule(above="5")
    series = Series(tuple(sorted(labels.items())), 9.0)
    key = series_key(found, series)
    assert len(key) < 300
    assert "\n" not in key
    other = Series((*series.labels, ("zz", "more")), 9.0)
    assert series_key(found, other) != key
    (seen,) = judge(found, Vector([series], 1, 0.0))
    assert "\n" not in seen.subject + seen.note
    assert len(seen.subject) <= 160


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (90, "1 min 30 s"), (7800, "2 h 10 min"), (7200, "2 h"), (518400, "6 d"),
     (-7800, "-2 h 10 min"), (math.inf, "for ever"), (59.7, "1 min")],
)  # fmt: skip
def test_time_spans_are_said_in_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(6.0, "", "6"), (0.25, "", "0.25"), (71.23, "%", "71.2%"), (12345.0, "", "12.3K"), (9999.0, "", "9999"),
     (3 * 2**30, "B", "3 GiB"), (7800.0, "s", "2 h 10 min"), (1.5, "s", "1.5 s"), (math.inf, "ms", "infms"),
     (12300.0, "ms", "12.3 s"), (9999.0, "ms", "9999 ms"), (7800000.0, "ms", "2 h 10 min")],
)  # fmt: skip
def test_values_are_said_with_their_unit(value, unit, text):
    assert amount(value, unit) == text


def test_labels_that_read_alike_are_series_of_their_own():
    """An Incident's status with the same key twice is refused as a whole."""
    values = [(("a", "1,b=2"),), (("a", "1"), ("b", "2")), (("a", "1\\,b=2"),)]
    keys = {series_key(rule(above="1"), Series(labels, 5.0)) for labels in values}
    assert len(keys) == len(values)


@pytest.mark.parametrize("interval", [5, 90, 300])
@pytest.mark.parametrize(
    ("how", "value"),
    [
        ({"forecast": Forecast(limit="0")}, lambda t: 1000 - t / 40),
        ({"forecast": Forecast(limit="0", history_seconds=60)}, lambda t: 1000 - t / 40),
        ({"change_point": ChangePoint()}, lambda t: 10.0 if t < 30_000 else 30.0),
    ],
)
def test_rules_that_look_back_judge_however_seldom_they_are_asked(interval, how, value):
    found = paced(rule(**how), interval)
    one = MetricJudge(found)
    said = [one.judge(alone(value(t), t, float(t)), ())[0].wrong for t in range(0, 39_900, interval)]
    assert {True, False} <= set(said)
