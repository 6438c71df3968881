"""Windows count exactly, estimate quantiles closely, join the two ends of a call, and stay small."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.telemetry.requests import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, request, span

from hemostat.telemetry.kernel import join, tables
from hemostat.telemetry.kernel.scan import MAX_LINKS_OF_SPAN
from hemostat.telemetry.window import COARSE_SECONDS, FINE_SECONDS, KEEP_SECONDS, TraceWindows


def call(caller="checkout", callee="payment", seconds=0.1, *, failed=False, trace=b"t" * 16):
    return request(caller, span(seconds=seconds, failed=failed, trace=trace, own=b"", peer__service=callee))


def one(windows, now, seconds=15.0):
    (stats,) = windows.read(now).into("payment", seconds)
    return stats


def feed(windows, now, *bodies):
    for body in bodies:
        windows.take(body, now)


def edges(windows, now=1.0):
    return {(e.caller, e.callee): (e.calls, e.served.calls) for e in windows.read(now).graph(60).edges}


GAPS = st.floats(0, 40, allow_nan=False)
ARRIVALS = st.lists(
    st.tuples(GAPS, st.sampled_from("ab"), st.floats(1e-4, 1e4), st.booleans()), min_size=1, max_size=40
)


@given(ARRIVALS, st.floats(5, FINE_SECONDS - 5), GAPS)
def test_counts_are_those_of_a_list_of_all_calls(arrivals, window, later):
    windows, now, oracle = TraceWindows(), 1000.0, []
    for gap, caller, seconds, failed in arrivals:
        now += gap
        feed(windows, now, call(caller, seconds=seconds, failed=failed))
        oracle.append((now, caller, round(seconds * 1e9) / 1e9, failed))
    now += later
    found = {s.caller: s for s in windows.read(now).into("payment", window)}
    assert set(found) == {caller for _, caller, _, _ in oracle}
    for caller, stats in found.items():
        # a second counts while any part of it is in the window
        kept = [o for o in oracle if o[1] == caller and math.floor(o[0]) + 1 > now - window]
        assert stats.calls == len(kept)
        assert stats.failures == sum(o[3] for o in kept)
        assert stats.total_seconds == pytest.approx(sum(o[2] for o in kept))
        durations = sorted(o[2] for o in kept)
        exact = durations[math.ceil(0.95 * len(durations)) - 1] if durations else 0
        assert stats.p95_seconds == pytest.approx(exact, rel=0.06)


def test_the_window_slides():
    windows = TraceWindows()
    for second in range(100):
        feed(windows, second, *[call(failed=True)] * 2)
    assert one(windows, 99.5, seconds=10).calls == 2 * 11  # ten seconds and the one that is half in
    assert one(windows, 105.0, seconds=10).calls == 2 * 5
    assert one(windows, 200.0, seconds=10).calls == 0
    assert one(windows, 200.0, seconds=10).failures == 0


def test_what_goes_on_is_told_apart_from_what_the_window_remembers():
    windows = TraceWindows()
    feed(windows, 1.0, *[call(seconds=5.0, failed=True)] * 9)
    feed(windows, 6.0, call(), call())
    (stats,) = windows.read(7.5).into("payment", 15)
    assert (stats.calls, stats.failures) == (11, 9)
    assert (stats.recent.calls, stats.recent.failures) == (2, 0)
    assert stats.recent.p95_seconds < 0.2 < stats.p95_seconds
    (later,) = windows.read(9.5).into("payment", 15)
    assert (later.calls, later.recent.calls) == (11, 0)


def test_what_is_older_than_a_minute_is_kept_in_tens_and_lost_to_nobody():
    windows = TraceWindows()
    for second in range(KEEP_SECONDS):
        feed(windows, second, call(failed=second % 7 == 0))
    last = KEEP_SECONDS - 1
    assert one(windows, last, KEEP_SECONDS).calls == KEEP_SECONDS
    assert one(windows, last, KEEP_SECONDS).failures == math.ceil(KEEP_SECONDS / 7)
    assert 300 <= one(windows, last, 300).calls <= 300 + COARSE_SECONDS
    assert len(windows._fine) <= FINE_SECONDS + COARSE_SECONDS
    assert len(windows._coarse) <= KEEP_SECONDS / COARSE_SECONDS + 2


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-5, 1.1e-5, 7200.0, 200_000.0])
def test_extreme_durations_are_counted(seconds):
    windows = TraceWindows()
    feed(windows, 1.0, call(seconds=seconds))
    assert one(windows, 1.0).p95_seconds == pytest.approx(max(seconds, 1e-5), rel=0.06)


def test_one_slow_call_in_twenty_does_not_move_the_95th_percentile_and_two_do():
    windows = TraceWindows()
    feed(windows, 1.0, *[call(seconds=0.1)] * 19, call(seconds=9.0))
    assert one(windows, 1.0).p95_seconds == pytest.approx(0.1, rel=0.06)
    feed(windows, 1.0, call(seconds=9.0))
    assert one(windows, 1.0).p95_seconds == pytest.approx(9.0, rel=0.06)


def test_exemplars_are_the_newest_failures_and_the_slowest_calls_of_the_window():
    windows = TraceWindows()
    for i in range(10):
        feed(windows, i, call(failed=True, seconds=1 + i % 4, trace=bytes([i]) * 16), call(trace=b"g" * 16))
    failed = one(windows, 9.0).failed_traces
    assert failed == tuple(f"{i:02x}" * 16 for i in range(5, 10))
    assert one(windows, 9.0, seconds=2.5).failed_traces == failed[-4:]  # the second that is half in counts
    slow = one(windows, 9.0).slow_traces
    assert {slow[0], slow[1]} == {"03" * 16, "07" * 16}
    assert one(windows, 100.0).failed_traces == one(windows, 100.0).slow_traces == ()


# --- the two ends of a call -----------------------------------------------------------------------------------


@pytest.mark.parametrize("client_first", [True, False])
def test_the_callees_own_name_wins_over_a_host_name(client_first):
    windows = TraceWindows()
    client = request("checkout", span(CLIENT, server__address="10.1.2.3", seconds=0.3))
    server = request("payment", span(SERVER, parent=b"12345678", own=b"87654321", seconds=0.1))
    feed(windows, 1.0, *([client, server] if client_first else [server, client]))
    assert edges(windows) == {("checkout", "payment"): (1, 1)}
    stats = one(windows, 1.0)
    assert (stats.total_seconds, stats.served.total_seconds) == (pytest.approx(0.3), pytest.approx(0.1))


@pytest.mark.parametrize("client_first", [True, False])
def test_a_call_that_names_nobody_is_joined_and_counted_once(client_first):
    windows = TraceWindows()
    client = request("checkout", span(CLIENT))
    server = request("payment", span(SERVER, parent=b"12345678", own=b"87654321"))
    feed(windows, 1.0, *([client, server] if client_first else [server, client]))
    assert edges(windows) == {("checkout", "payment"): (1, 1)}


def test_a_host_with_several_services_behind_it_stays_one_of_its_own():
    windows = TraceWindows()
    for i, service in enumerate(["payment", "stock"]):
        own = bytes([i + 1]) * 8
        feed(windows, 1.0, request("checkout", span(CLIENT, own=own, server__address="gateway")))
        feed(windows, 1.0, request(service, span(SERVER, parent=own, own=b"x" * 8)))
    assert edges(windows) == {
        ("checkout", "gateway"): (2, 0),
        ("checkout", "payment"): (1, 1),
        ("checkout", "stock"): (1, 1),
    }


def test_queues_are_edges_joined_by_links():
    windows = TraceWindows()
    for i in range(3):
        attributes = {"messaging__destination__name": "orders", "server__address": "kafka-0"}
        feed(windows, 1.0, request("checkout", span(PRODUCER, own=bytes([i + 1]) * 8, **attributes)))
    batch = span(CONSUMER, own=b"x" * 8, links=[bytes([i + 1]) * 8 for i in range(3)])
    feed(windows, 2.0, request("shipping", batch))
    assert edges(windows, 2.0) == {("checkout", "shipping"): (3, 3)}


def test_links_beyond_what_is_looked_at_are_counted_as_dropped():
    windows = TraceWindows()
    feed(windows, 1.0, request("audit", span(CONSUMER, links=[i.to_bytes(8, "big") for i in range(1, 41)])))
    assert windows.dropped()["links"] == 40 - MAX_LINKS_OF_SPAN
    feed(windows, 2.0, request("audit", span(INTERNAL, links=[b"12345678"] * 40)))
    assert windows.dropped()["links"] == 40 - MAX_LINKS_OF_SPAN, "they would have been no calls"


def test_links_of_other_spans_are_no_calls():
    windows = TraceWindows()
    feed(windows, 1.0, request("checkout", span(CLIENT)), request("audit", span(INTERNAL, links=[b"12345678"])))
    assert edges(windows) == {}


def test_an_end_that_comes_too_late_is_not_joined():
    windows = TraceWindows()
    feed(windows, 1.0, request("checkout", span(CLIENT)))
    late = join.KEEP_SECONDS + 2.0
    feed(windows, late, request("payment", span(SERVER, parent=b"12345678", own=b"87654321")))
    assert edges(windows, late) == {}


def test_skewed_clocks_and_late_spans_hide_no_calls():
    windows = TraceWindows()
    for start in (0, 1, 10**18, (1 << 64) - 10**9):
        feed(windows, 1.0, request("checkout", span(start=start, own=b"", peer__service="payment")))
    assert one(windows, 1.0).calls == 4


@pytest.mark.parametrize(
    ("peer", "name"),
    [("payment.shop.svc.cluster.local", "payment"), ("payment.shop.svc", "payment"), ("payment.v2", "payment.v2"),
     ("10.0.0.1", "10.0.0.1"), ("api.example.com", "api.example.com"), ("::1", "::1")],
)  # fmt: skip
def test_a_cluster_internal_host_is_called_as_its_service(peer, name):
    windows = TraceWindows()
    feed(windows, 1.0, call(callee=peer))
    assert edges(windows) == {("checkout", name): (1, 0)}


def test_services_are_told_by_what_they_served():
    windows = TraceWindows()
    feed(windows, 1.0, request("payment", span(SERVER), span(SERVER, failed=True), span(CONSUMER), span(INTERNAL)))
    (stats,) = windows.read(1.0).graph(10).services.values()
    assert (stats.calls, stats.failures) == (3, 1)


# --- agents ---------------------------------------------------------------------------------------------------


def test_agents_are_told_by_their_genai_spans():
    def gen(operation, **rest):
        rest = {k.replace("ai__", "gen_ai__"): v for k, v in rest.items()}
        return span(INTERNAL, gen_ai__operation__name=operation, gen_ai__agent__name="planner", **rest)

    windows = TraceWindows()
    usage = {"ai__usage__input_tokens": 100, "ai__usage__output_tokens": 20}
    feed(
        windows,
        1.0,
        request(
            "assistant",
            gen("invoke_agent", **usage),
            gen("invoke_agent", failed=True, **usage),
            gen("chat", **usage, ai__response__finish_reasons=["stop"]),
            gen("chat", **usage, ai__response__finish_reasons=["length"]),
            gen("chat", error__type="JSONDecodeError"),
            gen("execute_tool", ai__tool__name="search"),
            gen("execute_tool", ai__tool__name="serch", error__type="ToolNotFoundError"),
        ),
    )
    (agent,) = windows.read(1.0).agents("assistant", 60)
    assert (agent.agent, agent.tasks, agent.tasks_failed) == ("planner", 2, 1)
    assert (agent.tokens, agent.tokens_of_successes) == (240, 120)
    assert (agent.outputs, agent.outputs_truncated, agent.outputs_invalid) == (3, 1, 1)
    assert (agent.tool_calls, agent.tools_unknown) == (2, 1)
    assert windows.read(100.0).agents("assistant", 60) == []


# --- readings -------------------------------------------------------------------------------------------------


def test_a_reading_stays_what_it_was_whatever_is_counted_afterwards():
    """Answers are worked out without the lock, while requests are being counted."""
    windows = TraceWindows()
    client, server = (
        span(CLIENT, server__address="gateway", failed=True),
        span(SERVER, parent=b"12345678", own=b"x" * 8),
    )
    feed(windows, 1.0, request("checkout", client), call("checkout", "stock", failed=True))
    reading, kept = windows.read(1.0), windows.read(1.0)
    before = kept.graph(60), kept.into("stock", 60), kept.operations("checkout", 60)
    feed(windows, 1.0, request("payment", server), *[call(c, failed=True, trace=b"n" * 16) for c in "abc"])
    feed(windows, 2.0, *[call("checkout", "stock", seconds=9.0, failed=True, trace=bytes([i]) * 16) for i in range(9)])
    assert (reading.graph(60), reading.into("stock", 60), reading.operations("checkout", 60)) == before
    assert edges(windows, 2.0) != {(e.caller, e.callee): (e.calls, e.served.calls) for e in before[0].edges}
    assert ("checkout", "payment") in edges(windows, 2.0), "a name that was learnt later is seen by later readings"


def test_numbers_that_were_given_anew_are_called_by_their_new_names():
    windows = TraceWindows()
    for round_, began in enumerate((1.0, 10_000.0, 20_000.0)):
        for i in range(50):
            feed(windows, began, call(f"{'abc'[round_]}{i}", f"callee{i}-{round_}"))
        assert edges(windows, began) == {(f"{'abc'[round_]}{i}", f"callee{i}-{round_}"): (1, 0) for i in range(50)}
    assert len(windows.read(20_000.0).labels) == 2 * 50, "the first two rounds are forgotten"


def test_what_takes_the_lock_is_little_however_large_the_graph():
    """A reading of 5,000 edges must not hold up ingest; it took a second when the answer was made under the lock."""
    windows = TraceWindows()
    for i in range(100):
        spans = [span(own=b"", peer__service=f"s{(i * 7 + k) % 100}", trace=bytes([k]) * 16) for k in range(1, 51)]
        feed(windows, 1.0, request(f"s{i}", *spans))
    taken = []
    for _ in range(5):
        began = time.thread_time()
        reading = windows.read(1.5)
        taken.append(time.thread_time() - began)
    assert len(reading.graph(60).edges) == 5_000
    assert min(taken) < 0.2  # 3 ms on the machine this was written on


# --- bounds ---------------------------------------------------------------------------------------------------


def test_a_noisy_service_does_not_crowd_out_the_others():
    windows = TraceWindows()
    for begin in range(0, 40_000, 8_000):
        flood = [span(INTERNAL, name=f"GET /{i}", own=b"") for i in range(begin, begin + 8_000)]
        feed(windows, 1.0, request("noisy", *flood))
    assert windows.dropped()["operations"] > 20_000
    for i in range(100):
        assert windows.take(call(f"quiet{i}"), 2.0).rejected == 0
    assert len(windows.read(2.0).into("payment", 15)) == 100
    noisy = windows.read(2.0).operations("noisy", 60)
    assert sum(o.stats.calls for o in noisy) == 40_000  # none is lost, only their names
    assert next(o for o in noisy if o.name == "(other)").stats.calls == windows.dropped()["operations"]


def test_one_service_too_many_is_rejected_and_told():
    windows = TraceWindows()
    for i in range(tables.MAX_SERVICES + 10):
        rejected = windows.take(call(f"service{i}"), 1.0).rejected
        assert rejected == (i >= tables.MAX_SERVICES)
    assert windows.dropped()["services"] == 10


def test_a_flood_of_services_leaves_room_for_those_that_are_watched():
    """2,048 made-up names kept the watched service out for ten minutes."""
    windows = TraceWindows()
    windows.keep("early", 1.0)
    for i in range(tables.MAX_SERVICES):
        windows.take(call(f"service{i}"), 1.0)
    assert windows.refuses(1.0)
    assert windows.take(call("early"), 1.0).rejected == 0
    assert windows.take(call("late"), 1.0).rejected == 1
    windows.keep("late", 2.0)
    assert windows.take(call("late"), 2.0).rejected == 0
    assert {e.caller for e in windows.read(2.0).into("payment", 15)} >= {"early", "late"}


def test_a_silent_service_is_kept_while_it_is_watched_and_no_longer():
    windows = TraceWindows()
    for second in range(0, 3 * KEEP_SECONDS, 100):
        windows.keep("quiet", second)
        windows.take(call("busy"), second)
    assert windows._fold.counters[tables.C_SERVICES] == 2
    windows.take(call("busy"), 4 * KEEP_SECONDS + 100)
    assert windows._fold.counters[tables.C_SERVICES] == 1


def test_refusing_is_told_for_a_minute():
    windows = TraceWindows()
    for i in range(tables.MAX_SERVICES):
        windows.take(call(f"service{i}"), 1.0)
    windows.take(request(None, span()), 1.0)
    assert not windows.refuses(1.0)
    windows.take(call("late"), 2.0)
    windows.take(call("service1"), 50.0)
    assert windows.refuses(61.0)
    assert not windows.refuses(62.0)


def test_what_fell_silent_makes_room_and_is_not_mixed_up():
    windows = TraceWindows()
    for i in range(tables.MAX_SERVICES):
        feed(windows, 1.0, call(f"old{i}"))
    assert windows.take(call("new"), 2.0).rejected == 1
    late = 1.0 + KEEP_SECONDS + 4 * COARSE_SECONDS
    for i in range(tables.MAX_SERVICES):
        assert windows.take(call(f"new{i}"), late).rejected == 0
    assert {e.caller for e in windows.read(late).into("payment", 600)} == {
        f"new{i}" for i in range(tables.MAX_SERVICES)
    }
    assert all(e.calls == 1 for e in windows.read(late).into("payment", 600))


def test_names_that_collide_are_told_apart_by_their_bytes():
    windows = TraceWindows()
    windows._fold.counters[tables.C_SEED] = 0
    for i in range(3000):
        feed(windows, 1.0, call("checkout", f"{i:03x}" * 40))
    assert all(e.calls == 1 for e in windows.read(1.0).graph(10).edges)
    assert len(windows.read(1.0).graph(10).edges) == 3000


def test_a_clock_that_steps_back_loses_nothing_and_breaks_nothing():
    windows = TraceWindows()
    feed(windows, 100.0, call())
    feed(windows, 40.0, call())
    assert one(windows, 100.0).calls == 2
    assert windows.newest == 100.0


def test_nothing_counted_is_nothing_new():
    windows = TraceWindows()
    feed(windows, 5.0, request(None, span()))
    assert windows.newest == -math.inf


def test_a_flood_keeps_memory_bounded_and_the_present_whole():
    windows = TraceWindows(max_bytes=40_000)
    for second in range(40):
        spans = [span(own=b"", seconds=1e-4 * 1.3**k, peer__service=f"p{i}") for i in range(20) for k in range(5)]
        feed(windows, second, request("flood", *spans), call())
    assert windows._bytes() <= 40_000
    assert windows.read(39.0).into("payment", 5)[0].calls == 6
