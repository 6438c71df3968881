"""A replica that stands by is alive and ready, or no rollout would end; one that lost the Lease ends, and says so."""

import asyncio
import math
import threading

import pytest

from hemostat import app
from hemostat.errors import Refused, Retry


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


def test_who_holds_the_lease_and_cannot_begin_lets_another_replica_try():
    """A log on a volume, or in a database, that this one cannot reach."""
    tries = []

    def unreachable():
        tries.append(1)
        raise Retry("the database does not answer", 0.001)

    async def scene():
        stop = asyncio.Event()
        with pytest.raises(Refused, match=r"gives the Lease back.*does not answer"):
            await asyncio.wait_for(app._made(unreachable, stop, within=0.05), 30)
        assert len(tries) > 1
        waiting = asyncio.create_task(app._made(unreachable, stop))
        await asyncio.sleep(0.05)
        assert not waiting.done(), "who is alone goes on trying"
        stop.set()
        assert await asyncio.wait_for(waiting, 30) is None

    played(scene)


@pytest.mark.parametrize("elected", [True, False])
def test_a_process_that_is_spent_ends_with_an_error(monkeypatch, elected):
    """Its audit log was written to by another one: it could record nothing, and would never act again."""
    queue, resigned, limits = Queue(), [], []
    made = app._made

    async def within(make, stop, within=math.inf):
        limits.append(within)
        return await made(make, stop, within)

    async def watched(_, __, stop):
        await stop.wait()

    monkeypatch.setattr(app, "_watch", watched)
    monkeypatch.setattr(app, "_made", within)

    async def scene():
        spent, stop = threading.Event(), asyncio.Event()
        resign = (lambda: resigned.append(1)) if elected else None
        running = asyncio.create_task(app._run("act", lambda: queue, [], (), asyncio.Event(), stop, spent, resign))
        await asyncio.sleep(0.02)
        assert not running.done()
        spent.set()
        assert await asyncio.wait_for(running, 30) == 1
        assert queue.stopped

    played(scene)
    assert resigned == [1] * elected
    assert limits == [app.BEGIN_SECONDS if elected else math.inf]


class Queue:
    """A process that has one queue: itself."""

    stopped = False

    def register(self, registry):
        pass

    def start(self):
        return []

    def queues(self):
        return (self,)

    def stop(self):
        self.stopped = True


def test_the_lease_is_watched_by_the_liveness_probe():
    async def scene():
        case = Case()
        await asyncio.sleep(0.02)
        assert case.workers == [case.election]
        case.stop.set()
        await case.ends()

    played(scene)
