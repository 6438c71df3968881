"""Waits are visible while they last, and a halt or a cut that says so ends what hangs."""

import asyncio
import contextlib
import threading

import pytest
from tests.unit.guard.support import WALL, Bench

from hemostat.guard import Actor, EdgeCut, Halted, acting, current
from hemostat.guard.orders import Cut, Halt

START, HEARTBEAT, END = "hemostat.span.start", "hemostat.span.heartbeat", "hemostat.span.end"


def halt(conversation="c"):
    return Halt(id="stop", conversation=conversation, until=WALL + 60, reason="deadlock")


def test_a_wait_is_told_with_all_that_was_declared():
    bench = Bench()
    with acting("planner", "c-7"), bench.guard.wait("lock:orders", kind="lock", mode="any", holder="writer"):
        bench.later(5)
    assert bench.kept.names == [START, HEARTBEAT, END]
    for event in bench.kept.named(HEARTBEAT):
        assert (
            event.items()
            >= {
                "hemostat.wait.for": "lock:orders",
                "hemostat.wait.kind": "lock",
                "hemostat.wait.mode": "any",
                "hemostat.wait.holder": "writer",
                "gen_ai.agent.name": "planner",
                "gen_ai.conversation.id": "c-7",
            }.items()
        )


def test_what_is_not_known_is_not_told():
    bench = Bench()
    with bench.guard.wait("person:anna", kind="person"):
        (start,) = bench.kept.named(START)
    assert not {"hemostat.wait.holder", "gen_ai.agent.name", "gen_ai.conversation.id"} & start.keys()
    assert (start["hemostat.wait.kind"], start["hemostat.wait.mode"]) == ("person", "all")


def held_by(bench):
    """Return the holder and its conversation as a heartbeat tells them now."""
    bench.later(5)
    event = bench.kept.named(HEARTBEAT)[-1]
    return event.get("hemostat.wait.holder"), event.get("hemostat.wait.holder_conversation")


def test_who_holds_the_lock_is_told_to_those_who_wait_as_it_changes():
    bench = Bench()
    planner, writer = contextlib.ExitStack(), contextlib.ExitStack()
    with acting("planner", "c-1"):
        planner.enter_context(bench.guard.holding("lock:orders"))
    with acting("critic", "c-1"), bench.guard.wait("lock:orders"):
        assert held_by(bench) == ("planner", "c-1")
        planner.close()
        assert held_by(bench) == ("", "")
        with acting("writer", "c-2"):
            writer.enter_context(bench.guard.holding("lock:orders"))
        assert held_by(bench) == ("writer", "c-2")
        with acting("other", "c-1"), bench.guard.holding("lock:another"):
            assert held_by(bench) == ("writer", "c-2")
    writer.close()
    assert bench.guard._waits._holders == bench.guard._waits._waiting == {}


def test_of_several_who_hold_none_is_told_until_one_is_left():
    """A semaphore: any of them may let go, so nobody is who is waited for. The same agent again is still one."""
    bench = Bench()
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    for name, stack in [("a", first), ("b", second)]:
        with acting(name, "c"):
            stack.enter_context(bench.guard.holding("lock:pool"))
    with acting("z", "c"), bench.guard.wait("lock:pool"):
        assert held_by(bench) in ((None, None), ("", ""))
        first.close()
        assert held_by(bench) == ("b", "c")
        with acting("b", "c"):
            second.enter_context(bench.guard.holding("lock:pool"))
        assert held_by(bench) == ("b", "c")
        second.close()


def test_a_holder_that_is_named_is_believed():
    bench = Bench()
    with acting("a", "c"), bench.guard.holding("lock:orders"), bench.guard.wait("lock:orders", holder="far"):
        assert held_by(bench) == ("far", None)


def test_a_wait_of_a_thread_is_told_by_its_own_thread():
    bench = Bench()
    lock, entered, done = threading.Lock(), threading.Event(), threading.Event()
    lock.acquire()

    def work():
        with acting("planner", "c"), bench.guard.wait("lock:orders"):
            entered.set()
            lock.acquire()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(5)
    assert bench.kept.names == [START]
    lock.release()
    assert done.wait(5)
    thread.join(5)
    assert bench.kept.names == [START, END]


async def hang(bench, passage, outcome):
    try:
        async with passage:
            await asyncio.Event().wait()
    except (Halted, EdgeCut) as refusal:
        outcome.append(refusal)


def run(bench, passages, *orders):
    """Start one task per passage, give the orders, and return how each task ended."""

    async def scenario():
        outcome = []
        tasks = [asyncio.create_task(hang(bench, passage, outcome)) for passage in passages]
        await asyncio.sleep(0)
        await asyncio.to_thread(bench.order, *orders)
        for _ in range(20):
            await asyncio.sleep(0)
        pending = [task for task in tasks if not task.done()]
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return outcome, len(pending)

    return asyncio.run(scenario())


def test_a_halt_from_another_thread_ends_a_mutual_wait():
    bench = Bench()
    passages = []
    for agent, lock in [("a", "lock:2"), ("b", "lock:1")]:
        with acting(agent, "c"):
            passages.append(bench.guard.wait(lock))
    outcome, pending = run(bench, passages, halt())
    assert [type(refusal) for refusal in outcome] == [Halted, Halted]
    assert pending == 0
    assert [event["hemostat.span.status"] for event in bench.kept.named(END)] == ["error", "error"]


def test_a_halt_leaves_other_conversations_alone():
    bench = Bench()
    with acting("a", "other"):
        passage = bench.guard.wait("lock:1")
    assert run(bench, [passage], halt()) == ([], 1)


def test_a_cut_ends_calls_under_way_only_if_it_says_so():
    told = []
    bench = Bench(on_cut=told.append)

    def order(*, abort):
        return Cut(id=f"cut-{abort}", caller="a", callee="b", until=WALL + 60, reason="ring", abort=abort)

    def passage():
        return bench.guard.call("b", caller="a", conversation="c")

    assert run(bench, [passage()], order(abort=False)) == ([], 1)
    bench.order()
    outcome, pending = run(bench, [passage()], order(abort=True))
    assert [type(refusal) for refusal in outcome] == [EdgeCut]
    assert pending == 0
    assert [refusal.conversation for refusal in told] == ["c"], "the owner is told of what was ended, too"


def test_what_a_halt_ends_is_parked():
    parked = []
    bench = Bench(on_park=parked.append)
    with acting("a", "c"):
        passage = bench.guard.wait("lock:1")
    outcome, _ = run(bench, [passage], halt())
    assert len(outcome) == 1
    assert [record.conversation for record in parked] == ["c"]


def test_a_halted_conversation_neither_calls_nor_waits():
    bench = Bench()
    bench.order(halt())
    with acting("a", "c"):
        with pytest.raises(Halted), bench.guard.call("b"):
            pytest.fail("the call went through")
        with pytest.raises(Halted), bench.guard.wait("lock:1"):
            pytest.fail("the wait began")
    assert START not in bench.kept.names


def test_a_timeout_of_the_application_stays_its_own():
    bench = Bench()

    async def scenario():
        with pytest.raises(TimeoutError):
            async with bench.guard.wait("lock:1"), asyncio.timeout(0):
                await asyncio.Event().wait()

    asyncio.run(scenario())
    assert bench.guard.scopes._open == set()


def test_a_cancellation_of_the_application_stays_its_own():
    bench = Bench()

    async def scenario():
        task = asyncio.create_task(hang(bench, bench.guard.wait("lock:1"), []))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_what_has_been_left_cannot_be_ended_any_more():
    bench = Bench()

    async def scenario():
        failed = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        async with bench.guard.wait("lock:1"):
            (scope,) = bench.guard.scopes._open
        scope.end(Halted(conversation="c", reason="late", until=None))
        await asyncio.sleep(0)
        return asyncio.current_task().cancelling(), failed

    assert asyncio.run(scenario()) == (0, [])


def test_a_cut_leaves_the_consumer_of_a_stream_alone_and_ends_the_stream_once_it_is_waited_for():
    """Cancelling the task while the generator stands at its `yield` would break off the consumer's own work."""
    bench = Bench()
    order = Cut(id="x", caller="a", callee="b", until=WALL + 60, reason="ring", abort=True)

    async def stream():
        async with bench.guard.call("b", caller="a", conversation="c"):
            yield 1
            await asyncio.Event().wait()

    async def scenario():
        chunks = stream()
        assert await anext(chunks) == 1
        bench.order(order)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the consumer's own work: not cancelled
        rest = asyncio.get_running_loop().create_task(ticks())
        with pytest.raises(EdgeCut):
            async with asyncio.timeout(5):
                await anext(chunks)
        rest.cancel()

    async def ticks():
        while True:
            await asyncio.sleep(0)
            bench.guard.ticker.tick()

    asyncio.run(scenario())
    assert bench.guard.scopes._open == set()


def test_a_cut_ends_a_stream_that_hangs_with_its_consumer_and_one_behind_a_context_manager():
    bench = Bench()
    order = Cut(id="x", caller="a", callee="b", until=WALL + 60, reason="ring", abort=True)

    async def stream():
        async with bench.guard.call("b", caller="a", conversation="c"):
            await asyncio.Event().wait()
            yield 1

    async def consume():
        async for _ in stream():
            pytest.fail("it hangs")

    @contextlib.asynccontextmanager
    async def wrapped():
        async with bench.guard.call("b", caller="a", conversation="c"):
            yield

    async def behind():
        async with wrapped():
            await asyncio.Event().wait()

    async def scenario():
        tasks = [asyncio.create_task(work()) for work in (consume, behind)]
        await asyncio.sleep(0)
        bench.order(order)
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)

    assert [type(end) for end in asyncio.run(scenario())] == [EdgeCut, EdgeCut]


def test_a_stream_that_goes_on_in_another_task_is_left_alone():
    """The task that began it does something else by now, or is gone."""
    bench = Bench()

    async def stream():
        async with bench.guard.call("b", caller="a", conversation="c"):
            for chunk in range(3):
                yield chunk
                await asyncio.sleep(0)

    async def scenario():
        chunks, other = stream(), asyncio.Event()

        async def begins():
            await anext(chunks)
            await other.wait()
            return "undisturbed"

        first = asyncio.create_task(begins())
        await asyncio.sleep(0)
        bench.order(Cut(id="x", caller="a", callee="b", until=WALL + 60, reason="ring", abort=True))
        rest = [chunk async for chunk in chunks]
        other.set()
        return rest, await first

    assert asyncio.run(scenario()) == ([1, 2], "undisturbed")


def test_outside_of_asyncio_calls_are_refused_and_none_under_way_is_ended():
    """trio drives coroutines by itself, as is done here."""
    bench = Bench()

    async def work():
        async with bench.guard.call("b", caller="a", conversation="c"):
            return "done"

    def drive():
        with pytest.raises(StopIteration) as ended:
            work().send(None)
        return ended.value.value

    assert drive() == "done"
    assert bench.guard.scopes.unbreakable == 1
    bench.order(Cut(id="x", caller="a", callee="b", until=WALL + 60, reason="ring"))
    with pytest.raises(EdgeCut):
        work().send(None)


# --- who acts ----------------------------------------------------------------------------------------------------


async def turns():
    with acting("planner", "c"):
        yield 1
        yield 2


def test_a_generator_that_another_task_closes_leaves_nobody_acting():
    async def scenario():
        chunks = turns()
        await anext(chunks)
        await asyncio.create_task(closing(chunks))
        return current()

    async def closing(chunks):
        await chunks.aclose()

    assert asyncio.run(scenario()) == Actor()


def test_generators_that_end_in_any_order_leave_nobody_acting():
    def turn(agent):
        with acting(agent, "c"):
            yield

    first, second = turn("a"), turn("b")
    next(first)
    next(second)
    first.close()
    assert current().agent == "b"
    second.close()
    assert current() == Actor()


def test_work_begun_in_a_turn_stays_its_own_after_the_turn():
    async def scenario():
        async def later():
            await asyncio.sleep(0)
            return current().agent

        with acting("planner", "c"):
            task = asyncio.create_task(later())
        return await task

    assert asyncio.run(scenario()) == "planner"
