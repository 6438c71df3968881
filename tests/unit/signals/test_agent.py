"""Service levels of agents: shares of what failed, and what a success costs."""

import pytest
from tests.unit.builders import T0, at

from hemostat.api.incident import SignalSource
from hemostat.api.watch import AgentSignal, SignalKind
from hemostat.signals.agent import COST_FACTOR, judge
from hemostat.signals.trace import WARM_UP_LOOKS
from hemostat.telemetry.graph import AgentStats

SIGNAL = AgentSignal()


def stats(agent="planner", **counts):
    return AgentStats("shop", agent, **counts)


def look(*agents, signal=SIGNAL, normal=None, now=T0):
    observations, learned = judge("agents", signal, agents, normal or {}, now)
    return {o.key: o for o in observations}, learned


@pytest.mark.parametrize(
    ("counts", "key", "wrong", "value"),
    [
        ({"tasks": 10, "tasks_failed": 3}, "agents/tasks/planner", True, 30),
        ({"tasks": 10, "tasks_failed": 2}, "agents/tasks/planner", False, 20),
        ({"tasks": 4, "tasks_failed": 4}, "agents/tasks/planner", None, 100),
        ({"tasks": 0}, "agents/tasks/planner", None, None),
        ({"outputs": 10, "outputs_invalid": 3}, "agents/invalid/planner", True, 30),
        ({"outputs": 10, "outputs_invalid": 2}, "agents/invalid/planner", False, 20),
        ({"outputs": 10, "outputs_truncated": 3}, "agents/truncated/planner", True, 30),
        ({"tool_calls": 10, "tools_unknown": 2}, "agents/tools/planner", True, 20),
        ({"tool_calls": 10, "tools_unknown": 1}, "agents/tools/planner", False, 10),
    ],
)
def test_shares_are_judged_when_there_is_enough_to_judge_by(counts, key, wrong, value):
    found = look(stats(**counts))[0][key]
    assert (found.wrong, found.value) == (wrong, value)
    assert (found.kind, found.source) == (SignalKind.AGENT, SignalSource.TRACES)


def test_the_bounds_are_those_of_the_watch():
    strict = AgentSignal(task_success_percent_below=99, min_samples=1)
    assert look(stats(tasks=50, tasks_failed=1), signal=strict)[0]["agents/tasks/planner"].wrong


def test_only_the_named_agent_is_judged():
    found, _ = look(stats("planner", tasks=9), stats("writer", tasks=9), signal=AgentSignal(agent="writer"))
    assert {key.rsplit("/", 1)[1] for key in found} == {"writer"}


def learn(cost, looks=WARM_UP_LOOKS, normal=None):
    normal = normal or {}
    for i in range(looks):
        _, normal = look(stats(tasks=10, tokens=10 * cost), normal=normal, now=at(i))
    return normal


@pytest.mark.parametrize(("factor", "wrong"), [(COST_FACTOR - 0.1, False), (COST_FACTOR + 0.1, True)])
def test_a_success_must_not_cost_several_times_the_usual(factor, wrong):
    found = look(stats(tasks=10, tokens=int(10_000 * factor)), normal=learn(1000))[0]["agents/tokens/planner"]
    assert found.wrong is wrong
    assert found.threshold == pytest.approx(1000 * COST_FACTOR)


def test_tokens_of_failed_tasks_are_paid_by_the_successes():
    found = look(stats(tasks=10, tasks_failed=5, tokens=10_000))[0]["agents/tokens/planner"]
    assert found.value == 2000


def test_when_nothing_succeeds_all_that_was_spent_counts():
    found = look(stats(tasks=10, tasks_failed=10, tokens=10_000), normal=learn(100))[0]["agents/tokens/planner"]
    assert (found.value, found.wrong, found.note) == (10_000, True, "no task succeeded")


def test_a_bound_that_was_given_needs_no_learning():
    signal = AgentSignal(tokens_per_success_above=500)
    assert look(stats(tasks=10, tokens=6000), signal=signal)[0]["agents/tokens/planner"].wrong


def test_what_is_wrong_does_not_become_usual():
    before = learn(1000)
    for waste in (
        {"tokens": 10**6},
        {"tokens": 10_000, "tasks_failed": 9},
        {"tokens": 1, "outputs": 9, "outputs_invalid": 9},
    ):
        assert look(stats(tasks=10, **waste), normal=before)[1] == before


def test_a_hostile_name_stays_on_one_bounded_line():
    found, _ = look(stats("x\n" * 500, tasks=9))
    assert all("\n" not in o.key + o.subject and len(o.key) < 200 for o in found.values())
