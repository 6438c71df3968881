"""Who is let in: asked once and believed for seconds; whatever cannot be known is a no."""

import asyncio
import threading

import pytest

from hemostat.errors import Refused, Retry
from hemostat.kube import NotFound
from hemostat.serve.crew import Crew
from hemostat.serve.door import KNOWN_SECONDS, MAY_SECONDS, UNKNOWN_SECONDS, Door
from hemostat.serve.identity import Caller, Wish

READ = Wish("get", "incidents", "shop", "payment-1")


class Server:
    """An API server that knows one token, and lets its holder read."""

    def __init__(self):
        self.asked, self.now, self.may, self.down = [], 0.0, True, False

    def create(self, path, body, manager):
        if self.down:
            raise Retry("no answer")
        self.asked.append(body)
        if body["kind"] == "TokenReview":
            good = body["spec"]["token"] == "good"
            return {"status": {"authenticated": good, "user": {"username": "jane"} if good else {}}}
        return {"status": {"allowed": self.may}}

    def door(self):
        return Door(self, (), lambda: self.now)


def run(of):
    return asyncio.run(of)


def test_a_token_is_reviewed_once_and_again_when_it_may_have_been_withdrawn():
    server = Server()

    async def ask():
        door = server.door()
        for server.now in (0, 1, KNOWN_SECONDS - 0.1):
            assert await door.who("Bearer good") == Caller("jane")
        assert len(server.asked) == 1
        server.now = KNOWN_SECONDS
        await door.who("Bearer good")
        assert len(server.asked) == 2

    run(ask())


def test_a_wrong_token_is_not_asked_about_again_and_again():
    server = Server()

    async def ask():
        door = server.door()
        for server.now in (0, UNKNOWN_SECONDS - 0.1):
            with pytest.raises(Refused, match="does not accept"):
                await door.who("Bearer wrong")
        assert len(server.asked) == 1

    run(ask())


def test_a_right_that_is_taken_away_is_gone_within_seconds():
    server = Server()

    async def ask():
        door = server.door()
        await door.admit(Caller("jane"), READ)
        server.may, server.now = False, MAY_SECONDS
        with pytest.raises(Refused, match="jane may not get incidents in namespace shop"):
            await door.admit(Caller("jane"), READ)

    run(ask())


def test_rights_of_one_are_no_rights_of_another():
    server = Server()

    async def ask():
        door = server.door()
        assert await door.may(Caller("jane"), READ)
        server.may = False
        assert not await door.may(Caller("jane", groups=("guests",)), READ)
        assert not await door.may(Caller("jane"), Wish("get", "incidents", "bank", "payment-1"))
        assert not await door.may(Caller("jane"), Wish("list", "incidents", "shop"))

    run(ask())


def test_without_an_answer_nobody_is_known_and_nothing_is_allowed_or_remembered():
    server = Server()

    async def ask():
        door = server.door()
        server.down = True
        with pytest.raises(Retry):
            await door.who("Bearer good")
        with pytest.raises(Retry):
            await door.admit(Caller("jane"), READ)
        server.down = False
        assert await door.who("Bearer good") == Caller("jane")
        await door.admit(Caller("jane"), READ)

    run(ask())


def test_a_long_piece_of_work_is_done_alone():
    held = threading.Event()

    async def ask():
        door = Server().door()
        first = asyncio.ensure_future(door.read_alone(lambda: held.wait(5)))
        await asyncio.sleep(0)
        with pytest.raises(Retry, match="another replay is under way"):
            await door.read_alone(lambda: None)
        held.set()
        assert await first
        assert await door.read_alone(lambda: 1) == 1

    run(ask())


def test_a_crew_takes_so_much_and_no_more_and_raises_what_the_work_raises():
    held = threading.Event()

    async def ask():
        crew = Crew("test", threads=1, most=2, seconds=5)
        waiting = [asyncio.ensure_future(crew.do(lambda: held.wait(5))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Retry, match="too many"):
            await crew.do(lambda: None)
        held.set()
        await asyncio.gather(*waiting)

        def gone():
            raise NotFound("gone")

        with pytest.raises(NotFound):
            await crew.do(gone)
        crew.stop()

    run(ask())


def test_work_that_takes_too_long_is_not_waited_for_but_still_counts():
    held = threading.Event()

    async def ask():
        crew = Crew("test", threads=1, most=1, seconds=0.01)
        with pytest.raises(Retry, match="no answer within"):
            await crew.do(lambda: held.wait(5))
        with pytest.raises(Retry, match="too many"):
            await crew.do(lambda: None)
        held.set()
        crew.stop()

    run(ask())
