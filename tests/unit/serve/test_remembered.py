"""Answers of the API server about people: believed for seconds, asked for once, forgotten when there are too many."""

import asyncio

import pytest

from hemostat.errors import Retry
from hemostat.serve.remembered import Remembered


class World:
    def __init__(self, most=10):
        self.now, self.asked, self.answer = 0.0, 0, "yes"
        self.known = Remembered(most, lambda: self.now)

    async def ask(self):
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer, 10.0

    async def get(self, key="k"):
        return await self.known.get(key, self.ask)


def test_an_answer_is_believed_for_as_long_as_it_says():
    async def run():
        world = World()
        assert await world.get() == "yes"
        world.answer, world.now = "no", 9.9
        assert await world.get() == "yes"
        world.now = 10.0
        assert await world.get() == "no"
        assert world.asked == 2

    asyncio.run(run())


def test_many_who_want_it_at_once_ask_once():
    async def run():
        world = World()
        assert await asyncio.gather(*(world.get() for _ in range(50))) == ["yes"] * 50
        assert world.asked == 1

    asyncio.run(run())


def test_a_failure_is_told_to_all_who_wait_and_not_remembered():
    async def run():
        world = World()
        world.answer = Retry("down")
        found = await asyncio.gather(*(world.get() for _ in range(3)), return_exceptions=True)
        assert [type(f) for f in found] == [Retry] * 3
        world.answer = "yes"
        assert await world.get() == "yes"

    asyncio.run(run())


def test_who_goes_away_does_not_take_the_answer_from_the_others():
    async def run():
        world = World()
        first = asyncio.ensure_future(world.get())
        second = asyncio.ensure_future(world.get())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "yes"
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(run())


def test_only_so_many_are_kept():
    async def run():
        world = World(most=3)
        for n in range(10):
            await world.get(n)
        await world.get(9)
        assert (world.asked, len(world.known._known)) == (10, 3)
        await world.get(0)
        assert world.asked == 11

    asyncio.run(run())
