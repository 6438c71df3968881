"""The plans of the catalogue: what they write, what they refuse, and that the inverse undoes the forward."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.act.double import patched
from tests.unit.builders import TARGET, at, deployment, replicaset, template

from hemostat.action.contract import World, make_plan
from hemostat.action.effects import still_ours, wire
from hemostat.action.registry import discover
from hemostat.api.watch import HealthyRevision
from hemostat.errors import Refused

CATALOGUE = discover()
ROLLBACK, SCALE = CATALOGUE["rollback"], CATALOGUE["scale"]


def done(live, effect):
    """Return the object after the effect."""
    return patched(live, wire(effect, live))


def healthy(hash_, when=-3600.0, uid="uid-payment"):
    return HealthyRevision(template_hash=hash_, target_uid=uid, observed_time=at(when))


def history(*pods):
    return [replicaset(i, pod) for i, pod in enumerate(pods, start=1)]


def rollback(present, sets, *revisions):
    world = World(target=deployment(present), revisions=sets, healthy=revisions)
    return make_plan(ROLLBACK, TARGET, ROLLBACK.params(), world)


def back_to(plan):
    (op,) = plan.steps[0].forward.ops
    assert (op.op.value, op.path) == ("replace", "/spec/template")
    return json.loads(op.value)


def refusal(plan):
    with pytest.raises(Refused) as caught:
        plan()
    return caught.value.reason


ONE, TWO, THREE = template("1"), template("2", {"A": "1"}), template("3", {"FAULT": "1"})


def test_it_goes_back_to_the_youngest_revision_that_was_seen_healthy():
    sets = history(ONE, TWO, THREE)
    assert back_to(rollback(THREE, sets, healthy("hash1", -9000), healthy("hash2", -600))) == TWO
    assert back_to(rollback(THREE, sets, healthy("hash2", -600), healthy("hash1", -9000))) == TWO
    assert back_to(rollback(THREE, sets, healthy("hash2", -9000), healthy("hash1", -600))) == ONE


def test_the_present_template_is_no_way_back_even_if_it_was_healthy_once():
    sets = history(ONE, TWO)
    assert back_to(rollback(TWO, sets, healthy("hash1"), healthy("hash2", -60))) == ONE


def test_a_revision_whose_replicaset_is_gone_is_passed_over():
    assert back_to(rollback(THREE, history(ONE), healthy("hash1"), healthy("hash2", -60))) == ONE


@pytest.mark.parametrize(
    "revisions",
    [(), (healthy("hash3"),), (healthy("gone"),), (healthy("hash1", uid="uid-before"),)],
)
def test_without_a_healthy_revision_nothing_is_done(revisions):
    assert refusal(lambda: rollback(THREE, history(ONE, TWO, THREE), *revisions)) == "NoHealthyRevision"


def test_the_hash_of_the_old_replicaset_does_not_come_back():
    wanted = back_to(rollback(TWO, history(ONE, TWO), healthy("hash1")))
    assert "pod-template-hash" not in wanted["metadata"]["labels"]


def test_planning_changes_nothing_that_it_was_given():
    sets, live = history(ONE, TWO), deployment(TWO)
    before = copy.deepcopy((sets, live))
    make_plan(ROLLBACK, TARGET, ROLLBACK.params(), World(live, sets, [healthy("hash1")]))
    assert (sets, live) == before


def test_a_rollback_replaces_every_pod_and_leaves_their_number():
    plan = rollback(TWO, history(ONE, TWO), healthy("hash1"))
    assert (plan.replaced_pods, plan.replicas_after, plan.on_ineffective) == (3, 3, "Undo")
    assert "hash1" in plan.summary
    assert "shop:2" in plan.diff


TEMPLATES = st.builds(
    template,
    st.sampled_from(["1", "2"]),
    st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["x", "y", ""]), max_size=2),
    args=st.lists(st.text(max_size=3), max_size=2),
)


@given(TEMPLATES, TEMPLATES)
def test_a_rollback_undone_is_what_was(present, before):
    live = deployment(present)
    sets = history(before, present)
    if present == before:
        assert refusal(lambda: rollback(present, sets, healthy("hash1"))) == "NoHealthyRevision"
        return
    plan = rollback(present, sets, healthy("hash1"))
    after = done(live, plan.steps[0].forward)
    assert after["spec"] == deployment(before)["spec"]
    assert still_ours(plan.steps[0].forward, after)
    assert not still_ours(plan.steps[0].forward, live)
    assert done(after, plan.steps[0].inverse) == live


def scaled(replicas, **params):
    world = World(target=deployment(replicas=replicas))
    return make_plan(SCALE, TARGET, SCALE.params(**params), world)


@pytest.mark.parametrize(
    ("replicas", "params", "after"),
    [
        (3, {}, 6),
        (1, {"factor_percent": 110}, 2),
        (3, {"factor_percent": 150}, 5),
        (9, {}, 10),
        (3, {"max_replicas": 4}, 4),
        (200, {"factor_percent": 400, "max_replicas": 1000}, 800),
    ],
)
def test_replicas_are_multiplied_up_to_the_bound(replicas, params, after):
    plan = scaled(replicas, **params)
    assert json.loads(plan.steps[0].forward.ops[0].value) == plan.replicas_after == after
    assert plan.steps[0].forward.subresource == plan.steps[0].inverse.subresource == "scale"
    assert plan.replaced_pods == 0


@pytest.mark.parametrize(("replicas", "params"), [(10, {}), (11, {}), (3, {"max_replicas": 1})])
def test_what_would_not_grow_is_refused(replicas, params):
    assert refusal(lambda: scaled(replicas, **params)) == "AtMaximum"


def test_what_somebody_turned_off_stays_off():
    assert refusal(lambda: scaled(0)) == "ScaledToZero"


@pytest.mark.parametrize("params", [{"factor_percent": 9}, {"factor_percent": 401}, {"max_replicas": 0}, {"x": 1}])
def test_parameters_are_bounded(params):
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own words
        SCALE.params(**params)


@given(st.integers(1, 900), st.integers(110, 400), st.integers(1, 1000))
def test_a_scaling_undone_is_what_was(replicas, factor, most):
    live = deployment(replicas=replicas)
    try:
        plan = scaled(replicas, factor_percent=factor, max_replicas=most)
    except Refused:
        assert most <= replicas
        return
    after = done(live, plan.steps[0].forward)
    assert replicas < after["spec"]["replicas"] <= most
    assert still_ours(plan.steps[0].forward, after)
    assert done(after, plan.steps[0].inverse) == live


def test_a_deployment_without_replicas_has_one():
    live = deployment()
    del live["spec"]["replicas"]
    plan = make_plan(SCALE, TARGET, SCALE.params(), World(target=live))
    assert plan.replicas_after == 2
