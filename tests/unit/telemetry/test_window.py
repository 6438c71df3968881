"""Sliding windows count exactly, estimate quantiles closely, and stay small."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemostat.telemetry.sample import Call
from hemostat.telemetry.window import BUCKET_SECONDS, KEEP_SECONDS, MAX_EXEMPLARS, EdgeWindows


def call(caller="checkout", callee="payment", seconds=0.1, *, failed=False, trace="t"):
    return Call(trace, caller, callee, seconds, failed)


def one(windows, now, seconds=15.0):
    (stats,) = windows.into("payment", seconds, now)
    return stats


GAPS = st.floats(0, 40, allow_nan=False)
DURATIONS = st.floats(1e-4, 1e4, allow_nan=False)
ARRIVALS = st.lists(
    st.tuples(GAPS, st.sampled_from("ab"), DURATIONS, st.booleans()),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150)
@given(ARRIVALS, st.floats(5, 600), GAPS)
def test_counts_are_those_of_a_list_of_all_calls(arrivals, window, later):
    windows, now, oracle = EdgeWindows(), 1000.0, []
    for gap, caller, seconds, failed in arrivals:
        now += gap
        assert windows.add([call(caller, seconds=seconds, failed=failed)], now) == 1
        oracle.append((now, caller, seconds, failed))
    now += later
    found = {s.caller: s for s in windows.into("payment", window, now)}
    assert set(found) == {caller for _, caller, _, _ in oracle}
    for caller, stats in found.items():
        # a bucket of a second counts while any part of it is in the window, and is kept for ten minutes of traffic
        own = [o for o in oracle if o[1] == caller]
        newest = math.floor(own[-1][0])
        kept = [
            o
            for o in own
            if math.floor(o[0]) + BUCKET_SECONDS > now - window and math.floor(o[0]) >= newest - KEEP_SECONDS
        ]
        assert stats.calls == len(kept)
        assert stats.failures == sum(o[3] for o in kept)
        durations = sorted(o[2] for o in kept)
        if durations:
            exact = durations[math.ceil(0.95 * len(durations)) - 1]
            assert stats.p95_seconds == pytest.approx(exact, rel=0.1)
        else:
            assert stats.p95_seconds == 0


def test_the_window_slides():
    windows = EdgeWindows()
    for second in range(100):
        windows.add([call(failed=True)] * 2, second)
    assert one(windows, 99.5, seconds=10).calls == 2 * 11  # ten seconds and the bucket that is half in
    assert one(windows, 105.0, seconds=10).calls == 2 * 5
    assert one(windows, 200.0, seconds=10).calls == 0
    assert one(windows, 200.0, seconds=10).failures == 0


def test_only_edges_into_the_callee_are_told_in_a_stable_order():
    windows = EdgeWindows()
    windows.add([call("z"), call("a"), call("a", "inventory")], 1.0)
    assert [(s.caller, s.callee) for s in windows.into("payment", 15, 1.0)] == [("a", "payment"), ("z", "payment")]
    assert windows.into("nobody", 15, 1.0) == []


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-5, 1e-5 * 1.1, 18_446_744_073.7])
def test_extreme_durations_are_counted(seconds):
    windows = EdgeWindows()
    windows.add([call(seconds=seconds)], 1.0)
    assert one(windows, 1.0).p95_seconds == pytest.approx(max(seconds, 1e-5), rel=0.1)


def test_one_slow_call_in_twenty_does_not_move_the_95th_percentile_and_two_do():
    windows = EdgeWindows()
    windows.add([call(seconds=0.1)] * 19 + [call(seconds=9.0)], 1.0)
    assert one(windows, 1.0).p95_seconds == pytest.approx(0.1, rel=0.1)
    windows.add([call(seconds=9.0)], 1.0)
    assert one(windows, 1.0).p95_seconds == pytest.approx(9.0, rel=0.1)


def test_exemplars_are_the_newest_failures_of_the_window():
    windows = EdgeWindows()
    for i in range(10):
        windows.add([call(failed=True, trace=f"bad{i}"), call(trace=f"good{i}")], float(i))
    assert one(windows, 9.0).failed_traces == tuple(f"bad{i}" for i in range(10 - MAX_EXEMPLARS, 10))
    assert one(windows, 9.0, seconds=2.5).failed_traces == ("bad7", "bad8", "bad9")
    assert one(windows, 100.0).failed_traces == ()


def test_one_edge_too_many_is_dropped_and_counted():
    windows = EdgeWindows(max_edges=2)
    accepted = windows.add([call("a"), call("b"), call("c"), call("a"), call("d")], 1.0)
    assert (accepted, windows.dropped) == (3, 2)
    assert [s.caller for s in windows.into("payment", 15, 1.0)] == ["a", "b"]


def test_an_edge_that_fell_silent_makes_room():
    windows = EdgeWindows(max_edges=2)
    windows.add([call("a"), call("b")], 0.0)
    windows.add([call("b")], KEEP_SECONDS)
    assert windows.add([call("c")], KEEP_SECONDS + 2) == 1
    assert [s.caller for s in windows.into("payment", 15, KEEP_SECONDS + 2)] == ["b", "c"]
    assert windows.dropped == 0


def test_a_flood_of_new_edges_does_not_search_for_room_at_every_call():
    windows = EdgeWindows(max_edges=50)
    windows.add([call(f"known{i}") for i in range(50)], 0.0)
    searched = []
    forget = windows._forget
    windows._forget = lambda now: (searched.append(now), forget(now))
    windows.add([call(f"new{i}") for i in range(1000)], 5.0)
    assert windows.dropped == 1000
    assert len(searched) <= 1
    windows.add([call("new")], 5.0 + BUCKET_SECONDS)
    assert len(searched) <= 2


def test_memory_of_an_edge_is_bounded_by_time_and_by_spread():
    windows = EdgeWindows()
    for i in range(5_000):
        windows.add([call(seconds=1e-9 * 1.7 ** (i % 90), failed=True)], i * 0.7)
    edge = windows._edges["checkout", "payment"]
    assert len(edge.buckets) <= KEEP_SECONDS / BUCKET_SECONDS + 1
    assert len(edge.failed) <= MAX_EXEMPLARS
    durations = {index for bucket in edge.buckets for index in bucket.durations}
    assert len(durations) < 400
    assert all(a.start < b.start for a, b in pairwise(edge.buckets))


def test_a_clock_that_steps_back_loses_nothing_and_breaks_nothing():
    windows = EdgeWindows()
    windows.add([call()], 100.0)
    windows.add([call()], 40.0)
    assert one(windows, 100.0).calls == 2
    assert windows.newest == 100.0


def test_nothing_accepted_is_nothing_new():
    windows = EdgeWindows(max_edges=0)
    assert windows.add([call()], 5.0) == 0
    assert windows.newest == -math.inf


def test_a_flood_of_edges_and_durations_keeps_memory_bounded_and_the_present_whole():
    windows = EdgeWindows(max_cells=10_000)
    for second in range(100):
        flood = [call(f"c{i}", seconds=1e-4 * 1.2**k) for i in range(100) for k in range(5)]
        assert windows.add([*flood, call()], float(second)) == 501
    held = sum(1 + len(b.durations) for e in windows._edges.values() for b in e.buckets)
    assert held == windows._cells <= 10_000
    assert {s.caller: s.calls for s in windows.into("payment", 10, 99.0)}["checkout"] == 11
    windows.add([call()], 10_000.0)
    assert windows._cells == 2
