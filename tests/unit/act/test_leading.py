"""At most one replica leads, whatever is slow, lost, stopped or set: two would decide about one target at once."""

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.act.elector import Elector, NotLeading
from hemostat.act.leading import MOST_SECONDS, Move, Pace, Seen, claimed, decide, noticed, released
from hemostat.errors import Retry
from hemostat.kube import Conflict, NotFound

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PACE = Pace()
SEEN = Seen("1", "other", 15.0, 100.0)


def lease(version="1", **spec):
    return {"metadata": {"name": "hemostat-act", "resourceVersion": version}, "spec": spec}


@pytest.mark.parametrize(
    ("seen", "until", "now", "move"),
    [
        (SEEN, None, 100.0, Move.WAIT),
        (SEEN, None, 114.9, Move.WAIT),
        (SEEN, None, 115.0, Move.TAKE),
        (replace(SEEN, seconds=30.0), None, 115.0, Move.WAIT),
        (replace(SEEN, holder=""), None, 100.0, Move.TAKE),
        (replace(SEEN, holder="me"), None, 100.0, Move.TAKE),
        (replace(SEEN, holder="me"), 110.0, 109.9, Move.RENEW),
        (replace(SEEN, holder="me"), 110.0, 110.0, Move.LOST),
        (SEEN, 110.0, 101.0, Move.LOST),
        (replace(SEEN, holder=""), 110.0, 101.0, Move.LOST),
    ],
)
def test_what_is_done_next(seen, until, now, move):
    assert decide(seen, "me", until, now) is move


def test_a_candidate_counts_from_when_it_saw_the_last_change():
    first = noticed(lease(holderIdentity="other", leaseDurationSeconds=15), None, 100.0, PACE)
    assert noticed(lease(holderIdentity="other"), first, 114.0, PACE) is first
    again = noticed(lease("2", holderIdentity="other", leaseDurationSeconds=15), first, 114.0, PACE)
    assert decide(again, "me", None, 115.0) is Move.WAIT
    assert decide(again, "me", None, 129.0) is Move.TAKE


@pytest.mark.parametrize("wrong", [-1000, 1000])
def test_the_times_in_a_lease_are_not_believed(wrong):
    said = (NOON + timedelta(days=wrong)).isoformat()
    told = lease(holderIdentity="other", renewTime=said, acquireTime=said, leaseDurationSeconds=15)
    assert noticed(told, None, 7.0, PACE) == Seen("1", "other", 15.0, 7.0)


@pytest.mark.parametrize(("said", "waits"), [(None, 15), (0, 15), (1, 15), (40, 40), (10**9, MOST_SECONDS)])
def test_nobody_is_believed_a_lease_that_is_shorter_than_ours_or_without_end(said, waits):
    assert noticed(lease(holderIdentity="other", leaseDurationSeconds=said), None, 0.0, PACE).seconds == waits


def test_a_lease_as_it_is_shipped_says_nothing():
    bare = {"metadata": {"resourceVersion": "1"}}
    assert noticed(bare, None, 0.0, PACE) == Seen("1", "", 15.0, 0.0)
    assert claimed(bare, "me", NOON, PACE)["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-03-01T12:00:00.000000Z",
        "renewTime": "2026-03-01T12:00:00.000000Z",
        "leaseTransitions": 1,
    }


def test_a_renewal_keeps_what_the_taking_said():
    taken = claimed(lease(holderIdentity="other", leaseTransitions=2**31 - 1, preferred="x"), "me", NOON, PACE)
    renewed = claimed(taken, "me", NOON + timedelta(seconds=2), PACE)["spec"]
    assert renewed == taken["spec"] | {"renewTime": "2026-03-01T12:00:02.000000Z"}
    assert renewed["leaseTransitions"] == 2**31 - 1, "the API server would refuse a greater one for ever"
    assert released(taken, NOON)["spec"]["holderIdentity"] == ""


class Server:
    """A Lease with compare and set, over a network that is slow and loses answers."""

    def __init__(self, rng=None):
        self.lease = lease("0")
        self.rng, self.between, self.depth = rng, lambda: None, 0

    def within(self, seconds):
        return self

    def get(self, path):
        self._meanwhile()
        if self.lease is None:
            raise NotFound("gone")
        found = self.lease
        self._meanwhile()
        return found

    def replace(self, path, body, manager):
        self._meanwhile()
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("moved on")
        if body != self.lease:  # what changes nothing is no new version
            version = str(int(self.lease["metadata"]["resourceVersion"]) + 1)
            self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        found = self.lease
        self._meanwhile()
        return found

    def _meanwhile(self):
        if self.rng is not None and self.depth < 2:
            self.depth += 1
            self.between()
            self.depth -= 1
            if self.rng.random() < 0.1:
                raise Retry("no answer")


class Wall:
    """A wall clock that people set."""

    def __init__(self, world):
        self.world, self.shift, self.stands = world, 0.0, False

    def now(self):
        return NOON + timedelta(seconds=self.shift + (0 if self.stands else self.world.now))


class World:
    """Some replicas, each with its own clocks; every reading of time is this world's own, moved."""

    def __init__(self, seed):
        self.rng, self.now, self.born, self.wrong = random.Random(seed), 0.0, 0, ""
        self.server = Server(self.rng)
        self.server.between = self.between
        self.replicas = [self.replica(f"r{n}") for n in range(3)]
        self.led = set()

    def replica(self, name):
        offset, wall = self.rng.uniform(-1e6, 1e6), Wall(self)
        made = Elector(self.server, name, wall, PACE, steady=lambda: self.now + offset)
        made.wall, made.ran = wall, False
        return made

    def between(self):
        """Time passes; the others go on, are stopped, are set wrong, end."""
        self.now += self.rng.choice([0.0, 0.01, 0.1, 1.0, 4.0, 12.0])
        self.judge()
        if self.rng.random() < 0.5:
            self.turn()

    def turn(self):
        number = self.rng.randrange(len(self.replicas))
        one = self.replicas[number]
        if self.rng.random() < 0.2:
            one.wall.shift += self.rng.uniform(-1e5, 1e5)
            one.wall.stands = self.rng.random() < 0.3
        if one.ran:
            return  # it waits for an answer itself
        one.ran = True
        one._tried()
        one.ran = False
        assert not self.wrong, self.wrong
        self.judge()
        if one._until is not None and not one.leads():  # it ends, and is started anew, perhaps in another pod
            self.born += 1
            self.replicas[number] = self.replica(self.rng.choice([one._me, f"n{self.born}"]))

    def judge(self):
        leading = [r._me for r in self.replicas if r.leads()]
        if len(leading) > 1:
            self.wrong = f"at {self.now}: {leading}"
        assert not self.wrong, self.wrong
        self.led |= set(leading)

    def quiet(self):
        """Nothing is slow any more: somebody leads before long."""
        self.server.rng = None
        end = self.now + MOST_SECONDS + 1
        while self.now < end and not any(r.leads() for r in self.replicas):
            self.now += 0.5
            for number in range(len(self.replicas)):
                self.replicas[number].wall.stands = False
                self.replicas[number]._tried()
        assert any(r.leads() for r in self.replicas)


@given(seed=st.integers(0, 2**32))
def test_no_two_lead_whatever_happens_and_one_does_when_it_is_over(seed):
    world = World(seed)
    for _ in range(60):
        world.now += world.rng.choice([0.1, 0.5, 2.0, 9.0, 16.0])
        world.judge()
        world.turn()
    world.quiet()


def test_in_such_worlds_the_lead_changes():
    """Else the test above would prove nothing."""
    worlds = [World(seed) for seed in range(30)]
    for world in worlds:
        for _ in range(60):
            world.now += 2.0
            world.turn()
    assert sum(len(w.led) > 1 for w in worlds) > 10


class Alone:
    """One replica and the Lease."""

    def __init__(self):
        self.now, self.server = 0.0, Server()
        self.wall = Wall(self)
        self.elector = Elector(self.server, "me", self.wall, PACE, steady=lambda: self.now)

    def waits_to_lead(self):
        """The elector's own thread takes the Lease at its first step."""
        deadline = time.monotonic() + 30
        while not self.elector.leads():
            assert time.monotonic() < deadline, "it never led"
            time.sleep(0.001)


def test_who_was_stopped_writes_nothing_before_it_knows():
    alone = Alone()
    assert alone.elector.step() == PACE.renew_every
    alone.elector.permit()
    alone.now += 10.0  # SIGSTOP, SIGCONT: no step was taken meanwhile
    with pytest.raises(NotLeading, match="nothing is written"):
        alone.elector.permit()
    with pytest.raises(NotLeading, match="in time"):
        alone.elector.step()


def test_an_answer_that_comes_too_late_is_no_renewal():
    alone = Alone()
    alone.elector.step()
    alone.now += 2.0
    write = alone.server.replace

    def late(*arguments):
        alone.now += 8.5
        return write(*arguments)

    alone.server.replace = late
    with pytest.raises(NotLeading, match="too late"):
        alone.elector.step()


def test_a_wall_clock_that_stands_still_renews_nothing():
    """The API server writes nothing where nothing changes: the others would see nobody renew."""
    alone = Alone()
    alone.elector.step()
    alone.wall.stands = True
    alone.now += 2.0
    with pytest.raises(Retry, match="stands still"):
        alone.elector.step()


def test_a_jump_of_the_wall_clock_costs_nothing():
    alone = Alone()
    for shift in (0.0, 86400.0, -86400.0, 0.0):
        alone.wall.shift = shift
        assert alone.elector.step() == PACE.renew_every
        assert alone.elector.leads()
        alone.now += 2.0


def test_what_is_given_back_is_free_at_once():
    alone = Alone()
    alone.elector.start()
    alone.waits_to_lead()
    alone.elector.resign()
    assert alone.server.lease["spec"]["holderIdentity"] == ""
    with pytest.raises(NotLeading):
        alone.elector.permit()
    other = Elector(alone.server, "other", alone.wall, PACE, steady=lambda: alone.now)
    other.step()
    assert other.leads()


def test_who_lost_it_gives_nothing_back():
    alone = Alone()
    alone.elector.start()
    alone.waits_to_lead()
    alone.server.lease = lease("9", holderIdentity="other")
    alone.elector.resign()
    assert alone.server.lease["spec"]["holderIdentity"] == "other"


def test_a_lease_that_is_missing_is_named():
    alone = Alone()
    alone.server.lease = None
    with pytest.raises(Retry, match="apply operator/deploy"):
        alone.elector.step()
    assert not alone.elector.ready()
