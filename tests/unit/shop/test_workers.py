"""The capacity model: who works, who waits, who is refused, and how busy the pool was."""

import asyncio

import pytest

from hemostat_chaos.shop.workers import BusyMeter, Saturated, WorkerPool


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_busy_seconds_are_the_integral_of_busy_workers():
    clock = Clock()
    meter = BusyMeter(clock)
    meter.change(+1)
    clock.now += 2
    meter.change(+1)
    clock.now += 3
    assert meter.seconds() == 2 + 2 * 3  # work still running is in the figure
    meter.change(-2)
    clock.now += 50
    assert meter.seconds() == 8


def test_a_clock_that_goes_back_never_lowers_the_total():
    clock = Clock()
    meter = BusyMeter(clock)
    meter.change(+1)
    clock.now -= 5
    assert meter.seconds() == 0


def pool_of(size=1, queue=8, wait=5.0, clock=None):
    return WorkerPool(size, queue, wait, clock or Clock())


async def hold(pool, until, log=None, name=None):
    async with pool.worker():
        if log is not None:
            log.append(name)
        await until.wait()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_work_than_workers_and_the_queue_is_in_order():
    pool, gate, log = pool_of(size=2), asyncio.Event(), []
    tasks = [asyncio.create_task(hold(pool, gate, log, n)) for n in range(5)]
    await settle()
    assert (pool.busy, pool.queued, log) == (2, 3, [0, 1])
    gate.set()
    await asyncio.gather(*tasks)
    assert (pool.busy, pool.queued, log) == (0, 0, [0, 1, 2, 3, 4])


async def test_a_full_queue_refuses_at_once():
    pool, gate = pool_of(queue=1), asyncio.Event()
    tasks = [asyncio.create_task(hold(pool, gate)) for _ in range(2)]
    await settle()
    with pytest.raises(Saturated, match="1 workers busy, 1 requests queued"):
        await hold(pool, gate)
    gate.set()
    await asyncio.gather(*tasks)


async def test_the_wait_in_the_queue_is_bounded():
    pool, gate = pool_of(wait=0.02), asyncio.Event()
    first = asyncio.create_task(hold(pool, gate))
    await settle()
    with pytest.raises(Saturated, match=r"no worker within 0\.02 s"):
        await hold(pool, gate)
    assert pool.queued == 0
    gate.set()
    await first


async def test_a_request_that_gives_up_takes_no_worker_with_it():
    pool, gate = pool_of(), asyncio.Event()
    first = asyncio.create_task(hold(pool, gate))
    await settle()
    waiting = asyncio.create_task(hold(pool, gate))
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.set()
    await first
    assert (pool.busy, pool.queued) == (0, 0)


async def test_a_worker_handed_to_a_request_that_is_leaving_goes_to_the_next():
    pool, gate, log = pool_of(), asyncio.Event(), []
    gate.set()
    async with pool.worker():
        leaving = asyncio.create_task(hold(pool, gate, log, "leaving"))
        following = asyncio.create_task(hold(pool, gate, log, "following"))
        await settle()
    leaving.cancel()  # the worker has been handed to it, but it has not run since
    await asyncio.gather(leaving, following, return_exceptions=True)
    assert log == ["following"]
    assert pool.busy == 0


async def test_an_exception_gives_the_worker_back():
    pool = pool_of()
    with pytest.raises(ZeroDivisionError):
        async with pool.worker():
            raise ZeroDivisionError
    assert pool.busy == 0
