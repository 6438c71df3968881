"""A replica that stands by is alive and ready, or no rollout would end; one that lost the Lease ends, and says so."""

import asyncio

import pytest

from hemostat import app


class Election:
    name = "lease"

    def __init__(self):
        self.told, self.is_ready, self.leading, self.was, self.stuck = [], False, False, False, 0.0

    def start(self):
        self.told.append("start")

    def ready(self):
        return self.is_ready

    def leads(self):
        self.was |= self.leading
        return self.leading

    def lost(self):
        return self.was and not self.leading

    def stuck_for(self):
        return self.stuck

    def resign(self):
        if self.told[-1] != "resign":
            self.told.append("resign")


class Case:
    """A replica, and the process that it becomes."""

    def __init__(self):
        self.election, self.workers = Election(), []
        self.opened, self.stop, self.running = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(app._elected(self.election, self.run, self.workers, self.opened, self.stop))

    async def run(self, resign):
        self.election.told.append("run")
        self.running.set()
        await self.stop.wait()
        self.election.told.append("ended")
        resign()
        return 0

    async def ends(self):
        return await asyncio.wait_for(self.task, 30)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(app, "GLANCE_SECONDS", 0.001)


def played(scene):
    asyncio.run(scene(), debug=False)


def test_it_stands_by_ready_and_ends_when_told():
    async def scene():
        case = Case()
        await asyncio.sleep(0.02)
        assert not case.opened.is_set(), "who cannot read the Lease will not take over"
        case.election.is_ready = True
        await asyncio.wait_for(case.opened.wait(), 30)
        case.stop.set()
        assert await case.ends() == 0
        assert case.election.told == ["start", "resign"]

    played(scene)


def test_it_acts_in_its_turn_and_gives_the_lease_back_last():
    async def scene():
        case = Case()
        case.election.leading = True
        await asyncio.wait_for(case.running.wait(), 30)
        case.stop.set()
        assert await case.ends() == 0
        assert case.election.told == ["start", "run", "ended", "resign"]

    played(scene)


def test_whoever_lost_the_lease_ends_with_an_error():
    async def scene():
        case = Case()
        case.election.leading = True
        await asyncio.wait_for(case.running.wait(), 30)
        case.election.leading = False
        assert await case.ends() == 1

    played(scene)


def test_a_process_that_cannot_be_made_gives_the_lease_back():
    async def scene():
        case = Case()

        async def broken(resign):
            raise OSError("no disk")

        case.task.cancel()
        case.election.leading = True
        task = asyncio.create_task(app._elected(case.election, broken, [], case.opened, case.stop))
        with pytest.raises(OSError, match="no disk"):
            await asyncio.wait_for(task, 30)
        assert case.election.told[-1] == "resign"

    played(scene)


def test_the_lease_is_watched_by_the_liveness_probe():
    async def scene():
        case = Case()
        await asyncio.sleep(0.02)
        assert case.workers == [case.election]
        case.stop.set()
        await case.ends()

    played(scene)
