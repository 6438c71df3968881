"""A thousand signals in a minute are a handful of Incidents and one Event that says so."""

import sys
import threading
from datetime import timedelta

import pytest
from tests.unit.builders import at
from tests.unit.observe.town import Town
from tests.unit.signals.correlate.world import call, incident_of, report

from hemostat.api.incident import MAX_NAMED
from hemostat.observe.desk import CROWDED, Desk
from hemostat.signals.correlate.board import STORM_LIMIT, Board
from hemostat.telemetry.graph import CallGraph, EdgeStats

NAMES = [f"s{i:03}" for i in range(120)]
MANY = NAMES[:100]
NO_CALLS = CallGraph(60)


@pytest.fixture(scope="module")
def stormy():
    """1,000 signals of 100 Watches that do not call each other, within a minute."""
    town = Town(MANY, [], seed=1, lag=30, per_watch=10)
    town.run(15)
    town.faulty = set(MANY)
    town.run(45)
    return town


def test_a_storm_is_a_handful_of_incidents(stormy):
    assert sum(len(stormy.signals(n, stormy.clock.now())) for n in MANY) == 1000
    assert 1 <= len(stormy.api.items) <= STORM_LIMIT


def test_one_of_them_stands_for_the_others_with_counts(stormy):
    (storm,) = [i.status.storm for i in stormy.open().values() if i.status.storm is not None]
    assert storm.targets == len(MANY) - len(stormy.api.items)
    assert storm.signals == 10 * storm.targets


def test_one_event_says_so_and_its_count_grows_with_the_logarithm(stormy):
    told = stormy.events.of("Storm")
    assert 1 <= sum(told.values()) <= 9
    assert max(int(message.split(" stands for ")[1].split()[0]) for _, _, message in told) >= 64
    assert len(stormy.events.of("Detected")) == len(stormy.api.items)


def test_requests_and_memory_are_bounded_by_incidents_not_by_signals(stormy):
    seconds, opened = 60, len(stormy.api.items)
    assert stormy.api.lists <= seconds + 5 * opened
    assert stormy.api.writes <= opened * (seconds + 5)
    assert stormy.api.gets <= opened * (seconds + 5)
    assert all(len(i.status.signals) <= 32 and len(i.status.timeline) <= 100 for i in stormy.api.items.values())


def test_when_it_is_over_everything_is_resolved(stormy):
    """Moves time on: the last test of this storm."""
    stormy.recover(within=150)
    assert len(stormy.api.items) <= 2 * STORM_LIMIT


def test_in_a_connected_town_the_storm_is_the_one_cause():
    names = NAMES
    edges = [(names[i], names[i // 3]) for i in range(1, len(names))]  # a tree; all depend on its root
    town = Town(names, edges, seed=2, lag=10)
    town.run(15)
    town.faulty = {names[0]}
    town.run(60)
    standing = [n for n, i in town.open().items() if i.status.part_of is None]
    assert standing == [names[0]]
    assert len(town.api.items) <= 2 * STORM_LIMIT


def test_many_namespaces_get_one_incident_each_once_the_cluster_is_crowded():
    listed = {}
    desk = Desk(lambda namespace: listed.get(namespace, ()), lambda: NO_CALLS)
    spaces = [f"ns{i}" for i in range(30)]
    for second in range(15):
        for space in spaces:
            for name in ("a", "b", "c"):
                firing = (call("x", name, when=11),) if second > 10 else ()
                desk.report(space, report(name, *firing), at(second))
                if firing and desk.word(space, name, at(second)).opens:
                    found = incident_of(name, opened=second)
                    listed[space] = (*listed.get(space, ()), found)
                    desk.opened(space, name, found.metadata.name, at(second))
    assert all(len(listed[s]) >= 1 for s in spaces)
    assert sum(map(len, listed.values())) <= CROWDED + 3 + len(spaces)


def test_what_a_board_remembers_is_bounded(monkeypatch):
    monkeypatch.setattr("hemostat.signals.correlate.board.MAX_WATCHES", 50)
    board = Board()
    for i in range(500):
        board.report(report(f"w{i}", *(call(f"c{j}", f"w{i}") for j in range(3))), at(i / 100))
        board.word(f"w{i}", NO_CALLS, at(i / 100))
    assert len(board._seats) == 50
    for i in range(200):
        board.listed([incident_of(f"v{i}", symptoms=(f"x{i}",))], at(10 + i))
    kept = {**vars(board), **vars(board._ledger)}
    assert max(len(v) for v in kept.values() if hasattr(v, "__len__")) <= 50


def test_watches_that_no_longer_look_are_forgotten():
    board = Board()
    board.report(report("a", call("x", "a")), at(0))
    board.report(report("b", call("x", "b"), interval=timedelta(seconds=300)), at(0))
    board.report(report("c", call("x", "c")), at(120))
    board.word("c", NO_CALLS, at(120))
    assert set(board._seats) == {"b", "c"}


def test_blame_over_a_large_town_is_laid_in_little_time():
    """300 Watches in trouble and 5,000 edges: twice a second at most, whoever asks."""
    edges = tuple(EdgeStats(f"s{i % 300:03}", f"s{(i * 7 + i // 300) % 300:03}", 50, 9, 0.1, ()) for i in range(5000))
    board, graph = Board(), CallGraph(60, edges)
    for i in range(300):
        board.report(report(f"s{i:03}", *(call(f"c{j}", f"s{i:03}") for j in range(3))), at(0))
    began = thread_seconds()
    board.word("s000", graph, at(20))
    assert thread_seconds() - began < 6  # 0.2 s on the machine this was written on
    began = thread_seconds()
    for i in range(300):
        board.word(f"s{i:03}", graph, at(20.2))
    assert thread_seconds() - began < 3


def thread_seconds():
    import time

    return time.thread_time()


def test_several_workers_at_once_agree():
    """Each Watch by one thread at a time, as the queue has it; the switch interval makes races likely."""
    town = Town(NAMES[:12], [(NAMES[i], NAMES[i + 1]) for i in range(11)], seed=3, lag=0)
    town.run(15)
    town.faulty = {NAMES[11]}
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(12):
            now = town.clock.step(1)
            for name in town.services:
                town.sense(name, True, now)
            failures = []
            workers = [threading.Thread(target=looks, args=(town, i, failures)) for i in range(4)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(20)
            assert failures == []
            town.check()
    finally:
        sys.setswitchinterval(before)
    standing = [n for n, i in town.open().items() if i.status.part_of is None]
    assert standing == [NAMES[11]]


def looks(town, worker, failures):
    for name in town.services[worker::4]:
        try:
            town.look(name)
        except Exception as error:  # noqa: BLE001 - told where it can fail the test
            failures.append(error)


def struck(board, *names, shares):
    for name in names:
        board.report(report(name, call("x", name), shares=frozenset(shares)), at(20))
    for name in names:
        board.word(name, NO_CALLS, at(20))


def stood_for(board, lead):
    return board.word(lead, NO_CALLS, at(20.6)).storm


@pytest.fixture
def board():
    """As many Incidents as there may be; what comes on top is absorbed."""
    board = Board()
    for i in range(STORM_LIMIT):
        board.report(report(f"lead{i}", call("x", f"lead{i}")), at(0))
    for i in range(STORM_LIMIT):
        assert board.word(f"lead{i}", NO_CALLS, at(19)).opens
        board.opened(f"lead{i}", f"lead{i}-1", at(19))
    return board


def test_a_storm_names_who_is_in_it_and_counts_the_rest(board):
    struck(board, *(f"s{i:02}" for i in range(14)), shares=())
    (storm,) = filter(None, (stood_for(board, f"lead{i}") for i in range(STORM_LIMIT)))
    assert storm.names == tuple(f"Deployment s{i:02}" for i in range(MAX_NAMED))
    assert f"for 14 other targets, 14 signals: Deployment s00, {', '.join(storm.names[1:])} and 4 more" in storm.words
    assert storm.shared == ()


def test_a_storm_says_what_all_in_it_share_and_nobody_who_is_well(board):
    board.report(report("well", shares=frozenset({"node n1"})), at(20))
    change = "ConfigMap settings (key url)"
    struck(board, "a", "b", "c", shares=("node n1", "node n2", change))
    struck(board, "d", shares=("node n2", change, "node n4"))
    (storm,) = filter(None, (stood_for(board, f"lead{i}") for i in range(STORM_LIMIT)))
    assert storm.shared == (change, "node n2")
    assert f"all of them share {change} and node n2" in storm.words
