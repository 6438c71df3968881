"""Looking only where something has changed finds what looking everywhere finds, whatever happens in between."""

import random

import pytest
from tests.unit.signals.loops.talks import tool

from hemostat.signals.loops import opensteps
from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.recent import PART, keep
from hemostat.signals.loops.waitgraph import WaitGraph
from hemostat.telemetry.steps import Operation, WaitMode

AGENT, WAIT = Operation.AGENT, Operation.WAIT


def some_step(rng):
    number = rng.randrange(24)
    made = tool(
        operation=rng.choice((AGENT, WAIT, WAIT, Operation.TOOL)), peer=rng.choice("abc"), agent=rng.choice("abc"),
        span=b"span%04d" % number, parent=b"span%04d" % rng.randrange(24) if rng.random() < 0.4 else b"",
        conversation=rng.choice(("one", "two", "three")), ended=None,
    )  # fmt: skip
    return made.but(
        awaited=rng.choice(("lock", "agent")), holder=rng.choice("abc"), mode=rng.choice(list(WaitMode)),
        holder_conversation=rng.choice(("", "one", "two", "four")),
    )  # fmt: skip


@pytest.mark.parametrize("most_changed", [1, 50_000])
def test_what_is_found_by_and_by_is_what_is_found_at_once(most_changed, monkeypatch):
    monkeypatch.setattr(opensteps, "MOST_CHANGED", most_changed)
    rng, told = random.Random(7), 0
    for _ in range(15):
        by_and_by = OpenSteps(most=20)
        graph = WaitGraph(by_and_by)
        there = {}
        for _ in range(60):
            step = some_step(rng)
            if rng.random() < 0.3 and there:
                by_and_by.close(gone := rng.choice(list(there)))
                del there[gone]
            elif by_and_by.add(step, 0.0):
                there.pop(step.span, None)
                there[step.span] = step
            there = {span: by_and_by.get(span) for span in there if by_and_by.get(span)}
            if rng.random() < 0.5:
                at_once = OpenSteps()
                for one in there.values():
                    at_once.add(one, 0.0)
                found = [(set(d.nodes), d.sure) for d in WaitGraph(at_once).deadlocks()]
                assert [(set(d.nodes), d.sure) for d in graph.deadlocks()] == found
                told += len(found)
    assert told > 20, "the test has deadlocks to find"


def test_all_who_wait_for_one_of_many_share_a_node():
    """Each with an edge to each would be a million edges for a thousand waits and a thousand calls."""
    steps = OpenSteps()
    for i in range(1000):
        steps.add(tool(operation=AGENT, peer="z", agent="z", span=b"call%04d" % i, ended=None), 0.0)
        waits = tool(operation=WAIT, peer="lock", agent="q", span=b"wait%04d" % i, parent=b"call%04d" % i, ended=None)
        steps.add(waits.but(awaited="lock", holder="z"), 0.0)
    graph = WaitGraph(steps)
    (found,) = graph.deadlocks()
    assert {s.operation for s in graph.members(found)} == {AGENT, WAIT}


def test_what_had_to_give_way_is_told_for_a_while():
    steps = OpenSteps(most=1)
    steps.add(tool(span=b"one-----", ended=None), 0.0)
    assert not steps.displaces(0.0)
    steps.add(tool(span=b"two-----", ended=None), 5.0)
    assert steps.displaces(6.0)
    assert not steps.displaces(6.0 + opensteps.DISPLACED_SECONDS)


def test_a_memory_forgets_the_oldest_part_and_never_grows_beyond_its_bound():
    known = {}
    for number in range(1000):
        keep(known, number, None, 160)
        assert len(known) <= 160
    assert list(known) == list(range(min(known), 1000))
    assert len(known) > 160 - 2 * 160 // PART
