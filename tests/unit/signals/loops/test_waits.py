"""Deadlocks are what is left when everybody who can go on has gone on: compared with running it out by hand."""

import random

import pytest

from hemostat.signals.loops.waits import Waiting, deadlocks
from hemostat.telemetry.steps import WaitMode

ALL, ANY, UNKNOWN = WaitMode.ALL, WaitMode.ANY, WaitMode.UNKNOWN


def graph(mode=ALL, **edges):
    return {n: Waiting(tuple(others), mode, float(i)) for i, (n, others) in enumerate(edges.items())}


def nodes(waiting):
    return [set(d.nodes) for d in deadlocks(waiting)]


def test_a_cycle_of_two_in_its_order_and_since_its_last_wait():
    (found,) = deadlocks(graph(a="b", b="a"))
    assert found.edges == (("a", "b"), ("b", "a"))
    assert (found.sure, found.since) == (True, 1.0)


def test_who_waits_for_a_deadlock_is_no_part_of_it():
    assert nodes(graph(a="b", b="c", c="b", d="a")) == [{"b", "c"}]


def test_a_chain_that_ends_at_somebody_who_works_is_none():
    assert nodes(graph(a="b", b="c")) == []
    assert nodes(graph()) == []


def test_two_deadlocks_are_two():
    assert nodes(graph(a="b", b="a", c="d", d="e", e="c")) == [{"a", "b"}, {"c", "d", "e"}]


def test_of_a_tangle_the_shortest_cycle_is_named_once():
    (found,) = deadlocks(graph(a="b", b="cd", c="a", d="e", e="a"))
    assert set(found.nodes) == {"a", "b", "c"}


def test_whoever_waits_for_any_is_free_when_one_of_them_is():
    assert nodes(graph(ANY, a=["b", "works"], b="a")) == []
    assert nodes(graph(ANY, a=["b", "c"], b="a", c="a")) != []
    assert nodes(graph(ALL, a=["b", "works"], b="a")) == [{"a", "b"}]


def test_where_nobody_knows_how_they_wait_it_is_not_sure():
    (found,) = deadlocks(graph(UNKNOWN, a=["b", "works"], b="a"))
    assert not found.sure
    (sure,) = deadlocks(graph(UNKNOWN, a="b", b="a"))
    assert sure.sure, "with one way out each, all and any are the same"


def test_a_node_that_waits_for_itself_is_a_deadlock():
    assert nodes(graph(a="a")) == [{"a"}]


def run_out(waiting):
    """Let whoever can go on do so until nobody can: slow and obvious."""
    left = dict(waiting)
    while True:
        able = [
            n
            for n, w in left.items()
            if not (
                any(o in left for o in w.others) if w.mode is ALL else w.others and all(o in left for o in w.others)
            )
        ]
        if not able:
            return set(left)
        for n in able:
            del left[n]


@pytest.mark.parametrize("seed", range(200))
def test_random_graphs(seed):
    rng = random.Random(seed)
    names = [f"n{i}" for i in range(rng.randint(1, 9))]
    waiting = {
        n: Waiting(
            tuple(rng.sample([*names, "works"], rng.randint(1, min(3, len(names))))), rng.choice([ALL, ANY]), 0.0
        )
        for n in names
        if rng.random() < 0.8
    }
    stuck, found = run_out(waiting), deadlocks(waiting)
    assert bool(found) == bool(stuck)
    for one in found:
        assert set(one.nodes) <= stuck
        assert all(b in waiting[a].others for a, b in one.edges)
    members = [n for d in found for n in d.nodes]
    assert len(members) == len(set(members))
