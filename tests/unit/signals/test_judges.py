"""What the trace detector says of one look."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import T0, at

from hemostat.api.incident import SignalSource
from hemostat.api.watch import TraceSignal
from hemostat.signals import trace
from hemostat.signals.trace import WARM_UP_LOOKS, Normal
from hemostat.telemetry.graph import CallStats, EdgeStats

# --- trace -------------------------------------------------------------------------------------------------

SIGNAL = TraceSignal()
LATENCY, ERRORS = "calls/latency/checkout->payment", "calls/errors/checkout->payment"


def edge(calls=100, failures=0, p95=0.1, traces=()):
    return EdgeStats("checkout", "payment", calls, failures, p95, tuple(traces))


def look(stats, normal=None, now=T0, signal=SIGNAL):
    observations, learned = trace.judge("calls", signal, [stats], normal or {}, now)
    return {o.key: o for o in observations}, learned


def learn(p95s, normal=None):
    normal = normal or {}
    for i, p95 in enumerate(p95s):
        _, normal = look(edge(p95=p95), normal, at(i))
    return normal


@pytest.mark.parametrize(
    ("calls", "failures", "wrong"),
    [(100, 5, False), (100, 6, True), (100, 0, False), (9, 9, None), (10, 10, True), (0, 0, None)],
)
def test_the_share_of_failures_is_judged_when_there_is_traffic(calls, failures, wrong):
    found = look(edge(calls, failures, traces=("t1", "t2")))[0][ERRORS]
    assert (found.wrong, found.samples, found.unit) == (wrong, calls, "%")
    said = f"% of {calls} calls checkout -> payment fail" if calls else "no calls checkout -> payment"
    assert found.note.endswith(said)
    assert found.traces == ("t1", "t2")
    assert found.source is SignalSource.TRACES


@pytest.mark.parametrize(
    ("calls", "failures", "seconds"),
    [(10, 1, 60), (10, 2, 60), (10, 3, 2), (50, 4, 60), (50, 7, 2), (1000, 60, 60), (1000, 80, 2)],
)
def test_failures_that_may_be_chance_must_last_longer(calls, failures, seconds):
    found = look(edge(calls, failures))[0][ERRORS]
    assert found.wrong
    assert trace.timing(found).for_seconds == seconds


def test_latency_is_not_judged_before_it_is_known():
    normal = {}
    for i in range(WARM_UP_LOOKS):
        found, normal = look(edge(p95=0.1 if i else 50.0), normal, at(i))
        assert (found[LATENCY].wrong, found[LATENCY].threshold) == (False, None)
    assert look(edge(p95=0.1), normal)[0][LATENCY].threshold is not None


@pytest.mark.parametrize(("p95", "wrong"), [(0.1, False), (0.29, False), (0.31, True), (9.0, True)])
def test_latency_is_judged_against_what_is_usual(p95, wrong):
    found = look(edge(p95=p95), learn([0.1] * WARM_UP_LOOKS))[0][LATENCY]
    assert found.threshold == pytest.approx(300, rel=0.01)
    assert (found.wrong, found.value) == (wrong, pytest.approx(p95 * 1000))


def test_below_the_floor_latency_is_never_wrong():
    normal = learn([0.001] * WARM_UP_LOOKS)
    assert look(edge(p95=0.049), normal)[0][LATENCY].wrong is False
    assert look(edge(p95=0.051), normal)[0][LATENCY].wrong is True


def test_latency_without_traffic_says_nothing():
    assert look(edge(calls=9, p95=9.0), learn([0.1] * WARM_UP_LOOKS))[0][LATENCY].wrong is None


def test_a_fault_does_not_become_normal():
    before = learn([0.1] * 20)
    normal = before
    for i in range(500):
        found, normal = look(edge(p95=2.0), normal, at(i))
        assert found[LATENCY].wrong
    assert normal == before


def test_the_latency_of_failing_calls_does_not_become_normal():
    before = learn([0.1] * 20)
    _, after = look(edge(failures=50, p95=0.001), before)
    assert after == before


def test_nothing_is_learned_from_too_little_traffic():
    assert look(edge(calls=9))[1] == {}
    before = learn([0.1] * WARM_UP_LOOKS)
    assert look(edge(calls=9, p95=0.2), before)[1] == before


def test_the_first_looks_weigh_the_same():
    assert math.exp(learn([0.1, 0.4])[LATENCY].log_seconds) == pytest.approx(0.2)
    assert math.exp(learn([0.1, 0.1, 0.8])[LATENCY].log_seconds) == pytest.approx(0.2)


def test_what_swings_widely_by_itself_is_not_slow_because_it_swings():
    """On a starved machine latencies swing by factors; every swing was an alarm."""
    calm, wild = learn([0.1, 0.11] * 50), learn([0.05, 0.2, 0.1, 0.12] * 25)
    slow = edge(p95=0.45)
    assert look(slow, calm)[0][LATENCY].wrong is True
    assert look(slow, wild)[0][LATENCY].wrong is False
    assert look(edge(p95=5.0), wild)[0][LATENCY].wrong is True


def swinging(deviation, looks, seed=1):
    """Return 95th percentiles around 50 ms of windows of 15 s, looked at every 5 s."""
    noise = random.Random(seed)
    logs = [noise.gauss(0, deviation * math.sqrt(3)) for _ in range(looks + 2)]
    return [0.05 * math.exp(sum(logs[i : i + 3]) / 3) for i in range(looks)]


def first_alarm(p95s, normal):
    for i, p95 in enumerate(p95s):
        found, normal = look(edge(p95=p95), normal, at(i))
        if found[LATENCY].wrong:
            return i
    return None


@pytest.mark.parametrize("deviation", [0.05, 0.5])
@pytest.mark.parametrize(("growth", "looks"), [(1.02, 90), (1.04, 45), (1.08, 20)])
def test_what_becomes_slower_look_by_look_is_slow(deviation, growth, looks):
    """Every look was below the limit and raised it: from 50 ms to 5.5 s nothing fired, and the limit was 125 s."""
    calm, then = swinging(deviation, 60), swinging(deviation, looks, seed=2)
    ramp = [p95 * growth**i for i, p95 in enumerate(then)]
    assert first_alarm(ramp, learn(calm)) is not None


@pytest.mark.parametrize("deviation", [0.05, 0.5])
def test_a_great_step_is_slow_at_once_however_much_the_edge_swings(deviation):
    assert first_alarm([1.5], learn(swinging(deviation, 60))) == 0


def test_no_swinging_raises_the_limit_beyond_all_bounds():
    """Latencies of a first minute on a busy machine made a limit of minutes."""
    normal = learn([0.01, 0.01, 0.01, 0.9, 0.9, 0.9, 0.9] * 20)
    usual = 1000 * math.exp(normal[LATENCY].log_seconds)
    assert look(edge(), normal)[0][LATENCY].threshold == pytest.approx(trace.MAX_FACTOR * usual)


def test_what_is_slower_than_usual_does_not_count_as_swinging():
    normal = learn([0.05] * 60)
    assert learn([0.1] * 30, normal)[LATENCY].spread == pytest.approx(normal[LATENCY].spread, abs=1e-9)


@pytest.mark.parametrize("deviation", [0.1, 0.25, 0.5])
def test_healthy_edges_that_swing_are_not_slow(deviation):
    """At 0.5 one look in twenty is 2.3 times as slow as usual."""
    slow = 0
    for seed in range(5):
        normal = learn(swinging(deviation, 60, seed))
        for i, p95 in enumerate(swinging(deviation, 200, seed + 100)):
            found, normal = look(edge(p95=p95), normal, at(i))
            slow += found[LATENCY].wrong
    assert slow <= 2, "of 1,000 looks; and a single one is no signal"


def test_a_percentile_of_few_calls_must_be_slower():
    known = learn([0.1] * WARM_UP_LOOKS)
    assert look(edge(calls=10, p95=0.5), known)[0][LATENCY].wrong is False
    assert look(edge(calls=10, p95=0.7), known)[0][LATENCY].wrong is True
    assert look(edge(calls=40, p95=0.5), known)[0][LATENCY].wrong is True


def test_a_slow_drift_becomes_normal():
    normal = learn([0.1] * 20)
    normal = learn([0.2] * 200, normal)
    assert math.exp(normal[LATENCY].log_seconds) == pytest.approx(0.2, rel=0.05)


@given(st.lists(st.floats(0, 1e4, allow_nan=False), min_size=1, max_size=30))
def test_what_is_learned_lies_between_what_was_seen(p95s):
    normal = learn(p95s)
    usual = math.exp(normal[LATENCY].log_seconds)
    assert max(min(p95s), 1e-5) * 0.999 <= usual <= max(max(p95s), 1e-5) * 1.001


def test_what_was_given_is_left_alone():
    given_ = {}
    look(edge(), given_)
    assert given_ == {}


def test_a_restart_during_an_incident_judges_by_the_remembered_baseline():
    resumed = {LATENCY: Normal(math.log(0.1), WARM_UP_LOOKS, T0)}
    found, after = look(edge(p95=2.0), resumed, at(60))
    assert found[LATENCY].wrong
    assert after == resumed


@pytest.mark.parametrize(("age", "usable"), [(0, True), (23 * 3600, True), (25 * 3600, False)])
def test_a_baseline_is_usable_for_a_day(age, usable):
    assert trace.fresh(Normal(0.0, 9, T0), at(age)) is usable


SLOW = {"calls": 20, "p95_seconds": 9.0}


@pytest.mark.parametrize(
    ("recent", "seconds"),
    [
        (None, 4),
        (CallStats(**SLOW), 4),
        (CallStats(calls=20, p95_seconds=0.1), 60),  # a stall that is over
        (CallStats(calls=2, p95_seconds=1.0, p50_seconds=0.1), 60),  # one of two calls is slow by chance
        (CallStats(calls=2, p95_seconds=1.0, p50_seconds=0.9), 4),  # all are slow where there are few
        (CallStats(), 60),  # nothing arrived just now: nobody knows
    ],
)
def test_what_is_only_remembered_as_slow_must_last_longer(recent, seconds):
    """A second's stall keeps the 95th percentile of the window high until it leaves the window."""
    found = look(replace(edge(p95=9.0), recent=recent), learn([0.1] * WARM_UP_LOOKS))[0][LATENCY]
    assert found.wrong
    assert trace.timing(found).for_seconds == seconds


@pytest.mark.parametrize(("recent", "seconds"), [(CallStats(20, 9), 2), (CallStats(20, 0), 60), (CallStats(), 60)])
def test_failures_that_are_over_must_be_seen_again(recent, seconds):
    found = look(replace(edge(100, 50), recent=recent))[0][ERRORS]
    assert found.wrong
    assert trace.timing(found).for_seconds == seconds
