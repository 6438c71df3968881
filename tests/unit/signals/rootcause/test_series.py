"""Recorded metrics of any origin must become quantities, and their moves signs that name what moved."""

import numpy as np
import pytest

from hemostat.signals.rootcause import Sign, rank
from hemostat.signals.rootcause.meaning import Direction, Side, meaning
from hemostat.signals.rootcause.series import Recorded, paired, recording
from hemostat.signals.rootcause.shift import Window, troubles

AT = 1_000_000.0


def series(metric, service, before, after, peer="", pod="", noise=0.02, step=60.0):
    """Ten samples before `AT` and four after."""
    rng = np.random.default_rng(len(metric + service + peer))
    times = AT + step * (np.arange(14) - 9.5)
    level = np.where(times < AT, before, after)
    return Recorded(metric, service, peer, pod, times, level * (1 + noise * rng.standard_normal(14)))


def top(found, window=None):
    record = recording(found)
    return rank(troubles(record, AT, window), record.edges, record.services)


@pytest.mark.parametrize(
    ("name", "sign", "direction", "side"),
    [
        ("CpuUsageRate(%)", Sign.RESOURCE, Direction.UP, Side.UNSAID),
        ("container_memory_working_set_bytes", Sign.RESOURCE, Direction.UP, Side.UNSAID),
        ("http.server.request.duration", Sign.LATENCY, Direction.UP, Side.CALLEE),
        ("PodClientLatencyP90(s)", Sign.LATENCY, Direction.UP, Side.CALLER),
        ("istio_requests_total", Sign.TRAFFIC, Direction.BOTH, Side.UNSAID),
        ("request_errors_total", Sign.ERRORS, Direction.UP, Side.UNSAID),
        ("SuccessRate(%)", Sign.ERRORS, Direction.DOWN, Side.UNSAID),
    ],
)
def test_a_name_tells_its_meaning(name, sign, direction, side):
    said = meaning(name)
    assert said is not None
    assert (said.sign, said.direction, said.side) == (sign, direction, side)


@pytest.mark.parametrize("name", ["NodeCpuUsageRate(%)", "SyscallRead", "", "x" * 10_000])
def test_a_name_that_does_not_tell_is_not_guessed(name):
    assert meaning(name) is None


def test_metrics_not_understood_are_named():
    assert recording([series("frobnications", "cart", 1, 2)]).unused == ("frobnications",)


def test_own_cpu_is_the_cause_and_the_callers_latency_is_explained():
    found = top(
        [
            series("cpu_percent", "payment", 5, 90),
            series("cpu_percent", "checkout", 5, 5),
            series("server_latency_seconds", "checkout", 0.2, 0.9),
            series("server_latency_seconds", "payment", 0.1, 0.6),
            series("source_latency_seconds", "checkout", 0.1, 0.6, peer="payment"),
        ]
    )
    assert found[0].service == "payment"
    assert found[0].reasons[0].startswith("cpu_percent of payment rose from ")
    checkout = next(c for c in found if c.service == "checkout")
    assert "(may come from payment)" in checkout.reasons[0]


def test_what_an_edge_takes_beyond_its_callee_is_the_network_in_the_units_of_the_names():
    found = top(
        [
            series("source_latency_ms", "checkout", 5, 485, peer="payment", noise=0),
            series("destination_latency_seconds", "checkout", 0.004, 0.004, peer="payment", noise=0),
            series("source_latency_ms", "checkout", 5, 5, peer="cart"),
            series("destination_latency_seconds", "checkout", 0.004, 0.004, peer="cart"),
        ]
    )
    assert found[0].service == "payment"
    assert found[0].troubles[0].sign is Sign.NETWORK
    said = "network of checkout -> payment (beyond what payment itself reports) rose from 1 ms to 481 ms"
    assert found[0].reasons[0].startswith(said)


def test_a_service_that_stops_calling_gives_up_half_way():
    found = top(
        [
            series("requests", "checkout", 10, 10),
            series("requests", "payment", 10, 1),
            series("latency_seconds", "checkout", 0.1, 0.1, peer="payment"),
        ]
    )
    assert found[0].service == "checkout"
    assert found[0].reasons[0].startswith("payment calls per call of checkout fell from ")


def test_a_move_that_is_small_beside_the_highest_of_its_kind_is_nearly_nothing():
    slow = [series("latency_seconds", "frontend", 0.5, 0.5), series("latency_seconds", "cart", 0.001, 0.004)]
    alone = top(slow[1:])[0].score
    assert alone > 0.5
    assert top(slow)[0].score < 0.1 * alone


def test_nothing_later_than_the_window_is_looked_at():
    later = series("cpu_percent", "cart", 5, 5)
    values = later.values.copy()
    values[later.times > AT + 120] = 99.0
    changed = Recorded(later.metric, later.service, "", "", later.times, values)
    window = Window(after=120.0)
    assert troubles(recording([changed]), AT, window) == troubles(recording([later]), AT, window)
    assert troubles(recording([changed]), AT)[0].strength > 0.5


@pytest.mark.parametrize("kept", [slice(0, 0), slice(0, 1), slice(9, 14), slice(0, 10)])
def test_too_few_samples_on_a_side_are_no_sign_and_no_error(kept):
    whole = series("cpu_percent", "cart", 5, 90)
    short = Recorded("cpu_percent", "cart", "", "", whole.times[kept], whole.values[kept])
    assert troubles(recording([short]), AT) == ()


def test_a_constant_series_that_moves_is_a_sign_without_dividing_by_zero():
    (one,) = troubles(recording([series("errors", "cart", 0, 0.3, noise=0)]), AT)
    assert one.strength == pytest.approx(1.0)


def test_one_bad_pod_among_many_is_seen_and_named():
    pods = [series("cpu_percent", "cart", 5, 5, pod=f"cart-{i}") for i in range(9)]
    found = top([*pods, series("cpu_percent", "cart", 5, 95, pod="cart-9")])
    assert "(pod cart-9)" in found[0].reasons[0]
    assert "pod" not in top([series("cpu_percent", "cart", 5, 95, pod="cart-9")])[0].reasons[0]


def test_samples_are_paired_by_nearest_time_within_half_a_step():
    a = Recorded("m", "a", "", "", np.array([0.0, 60.0, 120.0, 180.0]), np.arange(4.0))
    b = Recorded("m", "b", "", "", np.array([1.0, 95.0, 119.0]), np.array([10.0, 20.0, 30.0]))
    times, one, other = paired(a, b)
    assert times.tolist() == [0.0, 120.0]
    assert one.tolist() == [0.0, 2.0]
    assert other.tolist() == [10.0, 30.0]
    assert len(paired(a, Recorded("m", "b", "", "", np.empty(0), np.empty(0)))[0]) == 0
