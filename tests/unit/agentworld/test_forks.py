"""The oracle stands on forks: they leave the original alone and go on as it would; no short cut may change a truth."""

import pytest
from tests.bench.agentworld import oracle
from tests.bench.agentworld.dice import seed_of
from tests.bench.agentworld.oracle import explore
from tests.bench.agentworld.run import Run
from tests.bench.agentworld.scenarios import FAMILIES
from tests.bench.agentworld.sets import ALONE
from tests.bench.agentworld.world import World

PAIRED = sorted(set(FAMILIES) - set(ALONE))


def step(world: World, moves: int) -> World:
    """Make so many moves, always of the turn that has waited longest."""
    for _ in range(moves):
        movable = world.enabled()
        if not movable:
            break
        world.move(movable[0])
    return world


@pytest.mark.parametrize("family", PAIRED)
def test_a_fork_leaves_the_original_alone_and_goes_on_like_it(family):
    world = step(World(FAMILIES[family].build(seed_of("fork", family), True)), 12)
    before = world.key()
    fork = step(world.fork(), 15)
    assert world.key() == before
    assert step(world, 15).key() == fork.key()


@pytest.mark.parametrize("family", PAIRED)
def test_trying_local_moves_alone_first_changes_no_answer(family, monkeypatch):
    """Partial-order reduction against the full search, wherever the full search comes to an end."""
    for flipped in (False, True):
        plan = FAMILIES[family].build(seed_of("order", family), flipped)
        calm = Run(World(plan), 1, 0.0, stamps=False).perform().calm
        reduced = explore(calm)
        with monkeypatch.context() as patch:
            patch.setattr(oracle, "LOCAL", ())
            patch.setattr(oracle, "BUDGET", 600)
            full = explore(calm)
        assert reduced == full or full == "unknown"
