"""The breaker of an edge: refuse while cut, one probe when half-open, and never longer than the order says."""

import asyncio
import threading

import pytest
from tests.unit.guard.support import WALL, Bench

from hemostat.guard import EdgeCut, acting
from hemostat.guard.orders import Cut, State


def cut(name="one", *, until=60.0, **fields):
    return Cut(id=name, until=WALL + until, reason="ping-pong", **{"caller": "planner", "callee": "critic", **fields})


def passes(bench, callee="critic", agent="planner", conversation="c"):
    with acting(agent, conversation):
        try:
            with bench.guard.call(callee):
                return True
        except EdgeCut:
            return False


def test_without_an_order_everything_passes():
    bench = Bench()
    assert passes(bench)
    assert bench.guard.breakers.held == ()


def test_a_cut_edge_refuses_with_all_that_the_caller_has_to_know():
    bench = Bench()
    bench.order(cut())
    with acting("planner", "c-7"), pytest.raises(EdgeCut) as caught, bench.guard.call("critic"):
        pytest.fail("the call went through")
    refusal = caught.value
    assert (refusal.edge, refusal.conversation, refusal.reason) == (("planner", "critic"), "c-7", "ping-pong")
    assert refusal.until == WALL + 60
    assert refusal.retryable is False


def test_only_that_edge_is_cut():
    bench = Bench()
    bench.order(cut())
    assert not passes(bench)
    assert passes(bench, callee="search")
    assert passes(bench, agent="writer")
    assert passes(bench, callee="planner", agent="critic")


def test_only_that_conversation_is_cut():
    bench = Bench()
    bench.order(cut(conversation="c-7"))
    assert not passes(bench, conversation="c-7")
    assert passes(bench, conversation="c-8")


def test_any_caller_of_a_provider():
    bench = Bench()
    bench.order(cut(caller="", callee="gpt"))
    assert not passes(bench, callee="gpt", agent="anyone")


def test_one_conversation_can_be_exempted():
    bench = Bench()
    bench.order(cut(), cut("two", conversation="c-7", state=State.CLOSED))
    assert passes(bench, conversation="c-7")
    assert not passes(bench, conversation="c-8")


def test_of_two_orders_for_the_same_edge_the_stricter_counts():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN, until=600), cut("two"))
    assert not passes(bench)
    bench.later(60)
    assert passes(bench)


def test_a_cut_ends_by_itself_though_nobody_takes_it_back():
    bench = Bench()
    bench.order(cut())
    bench.later(59)
    assert not passes(bench)
    bench.time.passed += 1
    assert passes(bench)
    bench.later(0)
    assert bench.guard.breakers.held == ()
    assert bench.states == ["accepted", "expired"]


def test_a_cut_ends_though_the_wall_clock_is_set_back():
    bench = Bench()
    bench.order(cut())
    bench.time.set_back = 3600
    bench.order(cut())
    bench.later(60)
    assert passes(bench)


def test_a_hold_is_counted_from_when_it_was_first_seen_though_nobody_takes_it_back():
    """`act` is down, or still verifies: what was said to hold for 60 s holds for 60 s, and its owner is told so."""
    bench = Bench()
    bench.later(30)
    bench.order(cut(until=6 * 3600, hold_seconds=60))
    with acting("planner", "c"), pytest.raises(EdgeCut) as caught, bench.guard.call("critic"):
        pytest.fail("the call went through")
    assert caught.value.until == pytest.approx(WALL + 90, abs=1e-3)
    bench.later(59)
    bench.order(cut(until=6 * 3600, hold_seconds=60))  # read again, as at the end of every watch
    assert not passes(bench)
    bench.later(1)
    assert passes(bench)
    bench.order(cut(until=6 * 3600, hold_seconds=60))
    assert passes(bench), "the key is still there, and is no new order"
    assert [event["hemostat.guard.until"] for event in bench.kept.named("hemostat.guard.order")] == [WALL + 90] * 2
    assert bench.states == ["accepted", "expired"]


def test_a_hold_never_outlasts_its_order():
    """Who sees it for the first time shortly before its end has little of it left: a pod that was restarted."""
    bench = Bench()
    bench.order(cut(until=10, hold_seconds=60))
    bench.later(10)
    assert passes(bench)


def test_probes_end_with_the_hold_and_one_that_succeeds_ends_it_before():
    bench = Bench()
    bench.order(cut(until=3600, hold_seconds=60, probe_seconds=25))
    bench.later(25)
    with pytest.raises(ZeroDivisionError), acting("planner", "c"), bench.guard.call("critic"):
        raise ZeroDivisionError
    bench.later(24)
    assert not passes(bench)
    bench.later(10)
    with pytest.raises(ZeroDivisionError), acting("planner", "c"), bench.guard.call("critic"):
        raise ZeroDivisionError
    assert not passes(bench), "until 84 s, were it not for the hold"
    bench.later(1)
    assert passes(bench)
    assert bench.guard.breakers.held == ()
    bench.order(cut("two", until=3600, hold_seconds=60, probe_seconds=25))
    bench.later(25)
    assert passes(bench)
    assert passes(bench), "closed: the first one was the probe"


def test_an_order_that_is_taken_back_ends_at_once():
    bench = Bench()
    bench.order(cut())
    bench.order()
    assert passes(bench)
    assert bench.states == ["accepted", "withdrawn"]


def test_an_order_that_is_over_when_it_comes_does_nothing():
    bench = Bench()
    bench.order(cut(until=-1))
    assert passes(bench)
    assert bench.states == []


def test_half_open_lets_one_probe_through_and_closes():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))
    with acting("planner", "c"), bench.guard.call("critic"):
        assert not passes(bench), "a second call while the probe runs"
    assert passes(bench)
    assert passes(bench)
    assert bench.states == ["accepted", "HalfOpen", "Closed"]


def test_a_failed_probe_opens_the_edge_again_and_its_error_is_the_callers():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))
    with pytest.raises(ZeroDivisionError), acting("planner", "c"), bench.guard.call("critic"):
        raise ZeroDivisionError
    assert not passes(bench)
    bench.later(59)
    assert not passes(bench)
    bench.later(1)
    assert passes(bench)


def test_a_probe_that_comes_round_to_the_same_edge_has_failed():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))

    def round_and_round():
        with acting("planner", "c"), bench.guard.call("critic"), bench.guard.call("critic"):
            pytest.fail("the loop goes on inside of its probe")

    with pytest.raises(EdgeCut):
        round_and_round()
    assert not passes(bench)
    assert bench.states == ["accepted", "HalfOpen", "Open"]


def test_an_open_edge_probes_by_itself_and_again_after_each_failure():
    bench = Bench()
    bench.order(cut(probe_seconds=10))
    bench.later(9)
    assert not passes(bench)
    bench.later(1)
    with pytest.raises(ZeroDivisionError), acting("planner", "c"), bench.guard.call("critic"):
        raise ZeroDivisionError
    bench.later(9)
    assert not passes(bench)
    bench.later(1)
    assert passes(bench)
    assert passes(bench)


def test_the_same_order_again_changes_nothing():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))
    assert passes(bench)
    for _ in range(3):
        bench.order(cut(state=State.HALF_OPEN))
    with acting("planner", "c"), bench.guard.call("critic"):
        assert passes(bench), "closed by its probe, and not half-open again"
    bench.order(cut(state=State.HALF_OPEN), cut("two", callee="search"))
    with acting("planner", "c"), bench.guard.call("critic"):
        assert passes(bench), "nor because of another order"


def test_a_probe_that_ends_after_a_new_order_does_not_close_what_is_ordered_now():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))
    with acting("planner", "c"), bench.guard.call("critic"):
        bench.order(cut("two"))
    assert not passes(bench)


def test_a_probe_that_is_cancelled_opens_the_edge_again():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))

    async def scenario():
        async def probe():
            with acting("planner", "c"):
                async with bench.guard.call("critic"):
                    await asyncio.Event().wait()

        task = asyncio.create_task(probe())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert not passes(bench)


def test_owner_and_operator_are_told_once_per_conversation_not_once_per_try():
    told = []
    bench = Bench(on_cut=told.append)
    bench.order(cut())
    for conversation in ["a", "b", "a", "a"]:
        passes(bench, conversation=conversation)
    assert [refusal.conversation for refusal in told] == ["a", "b"]
    events = bench.kept.named("hemostat.guard.cut")
    assert [event["gen_ai.conversation.id"] for event in events] == ["a", "b"]
    assert events[0]["hemostat.guard.order.id"] == "one"
    assert events[0]["hemostat.guard.until"] == WALL + 60
    assert bench.guard.breakers.held[0].refused == 4


def test_a_cut_further_down_is_told_as_that_edge_alone():
    told = []
    bench = Bench(on_cut=told.append)
    bench.order(cut(state=State.CLOSED), cut("two", caller="critic", callee="search"))
    outer = bench.guard.call("critic", caller="planner", conversation="c")
    inner = bench.guard.call("search", caller="critic", conversation="c")
    with pytest.raises(EdgeCut), outer, inner:
        pytest.fail("the call went through")
    assert [refusal.edge for refusal in told] == [("critic", "search")]
    assert [event["hemostat.guard.order.id"] for event in bench.kept.named("hemostat.guard.cut")] == ["two"]


def test_a_callback_that_raises_does_not_reach_the_application():
    def broken(refusal):
        raise ZeroDivisionError

    bench = Bench(on_cut=broken)
    bench.order(cut())
    assert not passes(bench)


def test_caller_and_conversation_come_from_the_span_when_nothing_else_is_said():
    bench = Bench()
    bench.order(cut(conversation="c-7"))
    attributes = {"gen_ai.agent.name": "planner", "gen_ai.conversation.id": "c-7"}
    span = bench.tracer.start_as_current_span("invoke_agent", attributes=attributes)
    with span, pytest.raises(EdgeCut), bench.guard.call("critic"):
        pytest.fail("the call went through")


def test_orders_for_another_service_are_not_ours():
    bench = Bench("crew")
    bench.order(cut(service="other"))
    assert passes(bench)
    bench.order(cut(service="crew"))
    assert not passes(bench)


def test_of_many_threads_one_is_the_probe():
    bench = Bench()
    bench.order(cut(state=State.HALF_OPEN))
    start, done = threading.Barrier(8), threading.Event()
    inside, refused = [], []

    def work():
        start.wait(5)
        try:
            with bench.guard.call("critic", caller="planner", conversation="c"):
                inside.append(1)
                assert done.wait(5)
        except EdgeCut:
            refused.append(1)
            if len(refused) == 7:
                done.set()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert (len(inside), len(refused)) == (1, 7)
    assert passes(bench)
