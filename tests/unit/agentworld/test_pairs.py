"""Two members of a pair differ in one causal fact, run alike until it matters, and are told apart by the oracle."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from tests.bench.agentworld.case import Case, deploy, pair_up, simulate
from tests.bench.agentworld.conventions import CONVENTIONS
from tests.bench.agentworld.dice import seed_of
from tests.bench.agentworld.scenarios import FAMILIES
from tests.bench.agentworld.sets import ALONE
from tests.bench.agentworld.storm import Limiter, Storm, perform

PAIRED = sorted(set(FAMILIES) - set(ALONE))
SAID = {"fact", "variant", "passes"}
"""Not part of the world: what the plan says of itself."""


def differing(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Return the fields (class and name) in which two plans differ."""
    if is_dataclass(one) and type(one) is type(other):
        for field in fields(one):
            if field.name not in SAID:
                place = f"{type(one).__name__}.{field.name}"
                yield from differing(getattr(one, field.name), getattr(other, field.name), place)
    elif isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differing(one[key], other[key], where)
    elif one != other:
        yield where


def both(family: str, number: int) -> tuple[Case, Case]:
    seed = seed_of("pairs", family, number)
    made = [
        simulate(
            family,
            seed,
            flipped=flipped,
            start=100.0,
            setting=deploy(seed, seed_of(seed, flipped), 1.0, ("otel",)),
        )
        for flipped in (False, True)
    ]
    return pair_up(made[0], made[1], "p")


@pytest.mark.parametrize("family", PAIRED)
def test_plans_of_a_pair_differ_in_one_place(family):
    for number in range(5):
        seed = seed_of("one fact", family, number)
        build = FAMILIES[family].build
        assert len(set(differing(build(seed, False), build(seed, True)))) == 1
        assert set(differing(build(seed, True), build(seed, True))) == set()


@pytest.mark.parametrize("family", PAIRED)
def test_only_the_flipped_one_is_in_trouble_and_the_streams_agree_until_it_shows(family):
    healthy, troubled = both(family, 0)
    assert healthy.truth.kind == ""
    assert troubled.truth.kind not in ("", "?")
    assert troubled.truth.agents
    until = troubled.truth.flips - 100.0
    assert until > 0
    early = [
        [(s.start, s.operation, s.agent, s.peer) for s in case.spans if s.start - 100.0 < until - 0.001]
        for case in (healthy, troubled)
    ]
    assert early[0] == early[1] != []


@pytest.mark.parametrize("family", ALONE)
def test_families_without_a_fact_to_flip_are_healthy(family):
    seed = seed_of("alone", family)
    setting = deploy(seed, seed, 0.5, tuple(CONVENTIONS))
    assert simulate(family, seed, flipped=True, start=0.0, setting=setting).truth.kind == ""


def test_both_members_are_deployed_alike_but_share_no_id():
    healthy, troubled = both("review", 1)
    assert healthy.setting.app == troubled.setting.app
    assert healthy.setting.convention == troubled.setting.convention
    assert healthy.truth.conversation != troubled.truth.conversation
    assert not set(healthy.truth.traces) & set(troubled.truth.traces)


def test_a_limiter_counts_what_it_rejects():
    limiter = Limiter(limit=2, window=10.0)
    assert [limiter.admit(at) for at in (0.0, 1.0, 2.0, 9.0, 10.5)] == [True, True, False, False, False]
    assert limiter.admit(30.0)


def test_clients_that_retry_at_once_keep_the_storm_up_and_patient_ones_end_it():
    names = ("ann",) * 14
    storm = [verdict for _, verdict in perform(Storm(3, False, names, 150.0))]
    assert {verdict.kind for verdict in storm} == {"RetryStorm"}
    assert len({verdict.started for verdict in storm}) == 1
    calm = perform(Storm(3, True, names, 3600.0))
    assert {verdict.kind for _, verdict in calm} == {""}
    assert all(client.done == client.calls for client, _ in calm)
    assert any(client.rejected for client, _ in calm)
