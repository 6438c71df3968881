"""Many Watches, one cause: one Incident, on the cause, with everybody else as its symptoms."""

import random

import pytest
from tests.unit.observe.town import Town, targets

from hemostat.api.incident import PART_OF, SignalState
from hemostat.api.meta import find
from hemostat.signals.correlate import is_over
from hemostat.signals.correlate.board import GROUP_WAIT, OUTLIVES, SETTLES

SHOP = ["frontend", "checkout", "payment", "ads"]
CALLS = [("load", "frontend"), ("frontend", "checkout"), ("checkout", "payment"), ("frontend", "ads")]


@pytest.mark.parametrize("seed", range(5))
def test_a_fault_deep_down_is_one_incident_there_however_the_signals_come_in(seed):
    town = Town(SHOP, CALLS, seed=seed, lag=4)
    town.faulty = {"payment"}
    town.run(30)
    assert set(town.open()) == {"payment"}
    assert len(town.api.items) == 1
    found = town.open()["payment"]
    assert targets(found) == {"checkout", "frontend"}
    assert found.status.causes[0].service == "payment"
    assert found.status.causes[0].reasons
    town.faulty = set()
    town.run(120)
    assert town.open() == {}
    assert len(town.api.items) == 1


def test_a_target_that_calls_nobody_is_not_kept_waiting():
    town = Town(SHOP, CALLS, lag=0)
    town.run(SETTLES.total_seconds() + 5)
    town.faulty = {"payment"}
    town.run(6)  # its next look, at most 5 s away
    assert "payment" in town.open()


def test_a_caller_waits_a_few_seconds_for_its_callee_and_not_longer():
    town = Town(SHOP, CALLS, lag=0)
    town.run(SETTLES.total_seconds() + 5)
    town.faulty = {"checkout"}
    town.run(5 + GROUP_WAIT.total_seconds() + 3)
    assert set(town.open()) == {"checkout"}


@pytest.mark.parametrize("seed", range(4))
def test_two_faults_that_do_not_explain_each_other_are_two_incidents(seed):
    town = Town(SHOP, CALLS, seed=seed)
    town.faulty = {"payment", "ads"}
    town.run(30)
    assert set(town.open()) == {"payment", "ads"}
    shown = [targets(i) for i in town.open().values()]
    assert sum("frontend" in s for s in shown) == 1


def late(town, name, seconds):
    town.seen[name].lag = seconds


@pytest.fixture
def shifted():
    """The callers' Incident was opened before the cause could be seen."""
    town = Town(SHOP, CALLS, lag=1)
    town.run(SETTLES.total_seconds())
    late(town, "payment", 25)
    town.faulty = {"payment"}
    town.run(20)
    assert set(town.open()) == {"checkout"}
    return town


def test_when_the_cause_is_seen_later_the_earlier_incident_says_whose_part_it_is(shifted):
    proposed = len(shifted.api.proposals)
    shifted.run(20)
    assert set(shifted.open()) == {"checkout", "payment"}
    earlier, cause = shifted.open()["checkout"], shifted.open()["payment"]
    assert earlier.status.part_of.name == cause.metadata.name
    assert find(earlier.status.conditions, PART_OF).reason == "CauseElsewhere"
    assert find(earlier.status.conditions, "Resolved").reason == "PartOf"
    assert targets(cause) >= {"checkout", "frontend"}
    assert len(shifted.events.of("CauseElsewhere")) == 1
    assert [p.spec.target_ref.name for p in shifted.api.proposals[proposed:]] == ["payment"]


def test_it_is_resolved_with_its_cause(shifted):
    shifted.run(20)
    shifted.faulty = set()
    shifted.run(120)
    assert shifted.open() == {}
    reasons = {i.spec.target_ref.name: find(i.status.conditions, "Resolved").reason for i in shifted.api.items.values()}
    assert reasons == {"checkout": "CauseResolved", "payment": "ClearedByItself"}


def test_what_outlives_its_cause_gets_an_incident_of_its_own():
    town = Town(SHOP, CALLS, lag=3)
    town.faulty = {"payment", "checkout"}  # looks like one fault, and is two
    town.run(30)
    assert set(town.open()) == {"payment"}
    town.faulty = {"checkout"}
    town.run(OUTLIVES.total_seconds() + 60)
    assert set(town.open()) == {"checkout"}
    assert targets(town.all("payment")[0]) <= {"frontend"}
    town.faulty = set()
    town.run(120)
    assert town.open() == {}


def test_an_incident_that_outlives_what_it_was_part_of_stands_alone_again(shifted):
    shifted.run(20)
    shifted.faulty = {"checkout"}
    shifted.run(OUTLIVES.total_seconds() * 3 + 60)
    (left,) = shifted.open().values()
    assert left.spec.target_ref.name == "checkout"
    assert left.status.part_of is None
    assert find(left.status.conditions, PART_OF).reason == "StandsAlone"


@pytest.mark.parametrize("seed", range(4))
def test_a_restart_at_any_moment_changes_nothing(seed):
    town = Town(SHOP, CALLS, seed=seed, lag=4)
    town.faulty = {"payment"}
    for _ in range(12):
        town.run(town.random.randint(1, 12))
        town.restart()
    town.run(20)
    assert len(town.api.items) == 1
    town.faulty = set()
    for _ in range(12):
        town.run(town.random.randint(5, 15))
        town.restart()
    assert town.open() == {}


@pytest.mark.parametrize("seed", range(8))
def test_random_towns_with_random_faults_and_restarts(seed):
    rnd = random.Random(seed)
    names = [f"s{i:02}" for i in range(rnd.randint(2, 25))]
    edges = sorted({(rnd.choice(names), rnd.choice(names)) for _ in range(rnd.randint(0, 40))})
    edges = [(a, b) for a, b in edges if a != b]
    town = Town(names, edges, seed=seed, lag=rnd.choice([1, 5, 15]))
    for _ in range(4):
        town.faulty = set(rnd.sample(names, rnd.randint(0, min(3, len(names)))))
        town.run(rnd.randint(10, 60))
        if rnd.random() < 0.5:
            town.restart()
        town.run(45)
        shown = {t for i in town.open().values() for t in (*targets(i), i.spec.target_ref.name)}
        full = any(len(targets(i)) >= 8 for i in town.open().values())
        unseen = {n for n in names if town.seen[n].state.value == "Firing"} - shown
        assert full or not unseen, "trouble that no Incident shows"
    town.recover(within=400)
    assert all(is_over(i) for i in town.api.items.values())


def test_what_is_over_before_its_turn_opens_nothing():
    """A caller's signal waits for its callee's; when it has recovered by then, nobody needs to be called."""
    town = Town(["checkout", "payment"], [("checkout", "payment")], lag=4)
    town.run(15)
    town.faulty = {"checkout"}
    town.run(6)
    assert town.seen["checkout"].state is SignalState.FIRING
    town.faulty = set()
    town.run(30)
    assert town.api.items == {}
    town.faulty = {"checkout"}
    town.run(20)
    assert len(town.api.items) == 1
