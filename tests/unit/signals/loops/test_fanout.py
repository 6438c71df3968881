"""Ever more calls at once are told of; batches that are wide, or many, are not."""

import random
from itertools import count

import pytest
from tests.unit.signals.loops.talks import tool

from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.fanout import FanOut, grows
from hemostat.signals.loops.opensteps import OpenSteps
from hemostat.signals.loops.verdict import Advice, Kind
from hemostat.telemetry.steps import Operation

AGENT = Operation.AGENT
IDS = count(1 << 20)


def activation(parent=b"", start=0.0, took=1.0, who="worker", **more):
    span = next(IDS).to_bytes(8, "big")
    return tool(operation=AGENT, agent=who, peer=who, span=span, parent=parent, start=start, took=took, **more)


def tree(*widths, via_tools=False, who="worker"):
    """Return calls inside each other: each generation shared out evenly among the one before; the outermost first."""
    above, found = [activation(took=100.0, who=who)], []
    found += above
    for depth, width in enumerate(widths, 1):
        new = []
        for i in range(width):
            parent = above[i % len(above)].span
            if via_tools:
                step = tool(peer="spawn", parent=parent, start=float(depth), took=100.0 - 2 * depth)
                found.append(step)
                parent = step.span
            new.append(activation(parent, depth + 0.5, 99.0 - 2 * depth, who))
        found += new
        above = new
    return found


def when_open(steps):
    fanout, opened, found = FanOut(), OpenSteps(), []
    for step in steps:
        opened.add(step, step.started)
        found += fanout.begun(step, opened.chain(step), opened)
    return found


def when_ended(steps):
    fanout = FanOut()
    return [v for s in sorted(steps, key=lambda s: s.ended) for v in fanout.ended(s)]


def batches(*widths):
    return [activation(start=10.0 * i + 0.001 * j, took=5.0) for i, width in enumerate(widths) for j in range(width)]


@pytest.mark.parametrize("see", [when_open, when_ended])
@pytest.mark.parametrize("via_tools", [False, True])
@pytest.mark.parametrize("widths", [(2, 4, 8, 16), (3, 9, 27), (2, 6, 18)])
def test_an_agent_that_calls_itself_ever_more_often_is_told(see, via_tools, widths):
    told = see(tree(*widths, via_tools=via_tools))
    assert told
    assert {(v.kind, v.advice, v.edge) for v in told} == {(Kind.RECURSION, Advice.NOTIFY, ("worker", "worker"))}
    assert ", ".join(map(str, widths[-3:])) in told[-1].words or see is when_open


@pytest.mark.parametrize("see", [when_open, when_ended])
@pytest.mark.parametrize(
    "widths", [(500,), (7, 49), (20, 20, 20, 20), (2, 4, 8), (1, 1, 1, 40), (16, 8, 4, 2)],
    ids=["one batch", "two levels", "no wider", "small", "a chain that ends in a batch", "ever narrower"],
)  # fmt: skip
def test_bounded_batches_are_none(see, widths):
    assert see(tree(*widths)) == []


def test_a_hierarchy_of_other_agents_is_none():
    steps = tree(3, 9, 27)
    made = [s if i == 0 else tool(operation=AGENT, agent=f"a{s.started}", peer=f"a{s.started}", span=s.span,
                                  parent=s.parent, start=s.started, took=s.ended - s.started)
            for i, s in enumerate(steps)]  # fmt: skip
    assert when_open(made) == when_ended(made) == []


def test_calls_that_returned_do_not_count_as_open():
    """Two by two inside each other, time and again below one long call: never many at once."""
    fanout, opened, root = FanOut(), OpenSteps(), activation(took=1e6)
    opened.add(root, 0.0)
    for i in range(100):
        below = tree(2, 2, 2)
        for step in below:
            step = tool(operation=AGENT, agent="worker", peer="worker", span=step.span,
                        parent=step.parent or root.span, start=float(i))  # fmt: skip
            opened.add(step, float(i))
            assert list(fanout.begun(step, opened.chain(step), opened)) == []
        for step in reversed(below):
            opened.close(step.span)


def test_batches_that_grow_one_after_the_other_are_told_once_a_doubling():
    told = when_ended(batches(2, 4, 8, 16, 32))
    assert [v.rounds for v in told] == [16, 32]
    assert "2, 4, 8, 16 calls at once, one batch after the other" in told[0].words


@pytest.mark.parametrize("widths", [(40,) * 8, (100, 3, 100, 3), (30, 31, 33, 34, 36), (2, 3, 5, 8)])
def test_batches_that_do_not_are_not(widths):
    assert when_ended(batches(*widths)) == []


def test_a_pool_of_workers_over_a_long_list_is_none():
    rng, free, made = random.Random(3), [0.0] * 8, []
    for _ in range(400):
        start = min(free)
        took = rng.uniform(1, 4)
        free[free.index(start)] = start + took
        made.append(activation(start=start, took=took))
    assert when_ended(made) == []


def test_a_call_that_is_told_of_by_both_sides_is_one():
    assert grows([1, 1, 3, 3, 9, 9, 27, 27])
    assert not grows([1, 1, 3, 3, 9, 9])


def test_what_is_known_is_bounded_and_hostile_trees_cost_little():
    fanout = FanOut(most=10)
    for i in range(1000):
        fanout.ended(activation(parent=i.to_bytes(8, "big"), conversation=f"c{i}"))
    assert max(len(fanout._below), len(fanout._waves)) <= 10
    deep = [activation()]
    for _ in range(60):
        deep.append(activation(deep[-1].span))
    assert when_open(deep) == []


def test_the_detector_tells_of_it_from_ended_steps_alone():
    detector = Detector(delay=0.0)
    told = detector.take(tree(3, 9, 27), 200.0)
    assert [(v.kind, v.rounds) for v in told] == [(Kind.RECURSION, 27)]


def test_calls_of_several_tools_of_one_call_add_up():
    """Each call has two tools at work, and each tool makes two calls: 1, 4, 16, 64."""
    above = found = [activation(took=1000.0)]
    for depth in range(1, 4):
        tools = [tool(peer="spawn", parent=a.span, start=float(depth), took=900.0 - 2 * depth) for a in above * 2]
        above = [activation(t.span, depth + 0.5, 899.0 - 2 * depth) for t in tools * 2]
        found = [*found, *tools, *above]
    assert "1, 4, 16, 64" in when_ended(found)[-1].words
