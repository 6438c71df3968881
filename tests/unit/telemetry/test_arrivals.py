"""Bodies that arrive together: bounded, and those that trickle in give way to those that do not."""

import asyncio

import pytest

from hemostat.telemetry.arrivals import Arrivals


async def slow(arrivals, size=0):
    """Begin a body that never ends; return its task once there is room kept for it."""
    began = asyncio.Event()

    async def sending():
        async with arrivals.one() as body:
            arrivals.grown(body, size)
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(sending())
    await began.wait()
    return task


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def running(scene):
    """Run it and end what it left behind."""

    async def all_of_it():
        tasks = []
        try:
            await scene(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_it())


def given_up(tasks):
    return [task.done() and isinstance(task.exception(), TimeoutError) for task in tasks]


def test_the_one_that_came_first_gives_way():
    async def scene(tasks):
        arrivals = Arrivals(most=2, max_bytes=100, seconds=60)
        for _ in range(4):
            tasks.append(await slow(arrivals))
        await settle()
        assert given_up(tasks) == [True, True, False, False]

    running(scene)


def test_bytes_are_bounded_as_their_number_is():
    async def scene(tasks):
        arrivals = Arrivals(most=10, max_bytes=100, seconds=60)
        for size in (40, 40, 40):
            tasks.append(await slow(arrivals, size))
        await settle()
        assert given_up(tasks) == [True, False, False]

    running(scene)


def test_who_alone_is_too_large_gives_way_itself():
    async def scene(tasks):
        tasks.append(await slow(Arrivals(most=10, max_bytes=100, seconds=60), 101))
        await settle()
        assert given_up(tasks) == [True]

    running(scene)


def test_a_body_that_has_arrived_takes_no_room():
    async def scene(tasks):
        arrivals = Arrivals(most=1, max_bytes=100, seconds=60)
        for _ in range(5):
            async with arrivals.one() as body:
                arrivals.grown(body, 100)
        tasks.append(await slow(arrivals, 100))
        await settle()
        assert given_up(tasks) == [False]

    running(scene)


def test_nobody_takes_longer_than_the_deadline():
    async def late():
        async with Arrivals(most=1, max_bytes=1, seconds=0).one():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(late())


def test_one_whose_time_is_up_may_still_grow_before_it_learns_so():
    """Its data and its end come in the same turn of the loop."""

    async def scene():
        arrivals = Arrivals(most=1, max_bytes=10, seconds=60)
        async with arrivals.one() as body:
            arrivals.grown(body, 11)
            arrivals.grown(body, 12)
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(scene())
