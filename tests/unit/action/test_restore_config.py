"""`restore-config`: only the names go back, where both templates name something of the same kind in the same place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.action.test_remediations import done, healthy
from tests.unit.builders import TARGET, controller_revision, deployment, replicaset, workload

from hemostat.action.contract import World, make_plan
from hemostat.action.registry import discover
from hemostat.errors import Refused
from hemostat_remediations.restore_config import references

ACTION = discover()["restore-config"]
PLACES = ("volume", "secret", "projected", "from", "key")


def pod(version="1", **names):
    """A template that refers to a ConfigMap or Secret in every place where one can."""
    n = {place: names.get(place, f"{place}-1") for place in PLACES}
    volumes = [
        {"name": "a", "configMap": {"name": n["volume"], "defaultMode": 420}},
        {"name": "b", "secret": {"secretName": n["secret"]}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": n["projected"]}}, {"secret": {"name": "s"}}]}},
    ]
    app = {
        "name": "app",
        "image": f"shop:{version}",
        "envFrom": [{"configMapRef": {"name": n["from"]}}],
        "env": [
            {"name": "A", "value": "x"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": n["key"], "key": "password"}}},
        ],
    }
    return {"metadata": {"labels": {"app": "payment"}}, "spec": {"containers": [app], "volumes": volumes}}


def plan(present, *former, maps=tuple(f"{place}-1" for place in PLACES), kind="Deployment"):
    sets = [replicaset(n, p) for n, p in enumerate((*former, present), start=1)]
    if kind != "Deployment":
        sets = [controller_revision(n, p) for n, p in enumerate((*former, present), start=1)]
    seen = [healthy(f"hash{n}", -9000 + n) for n in range(1, len(former) + 1)]
    others = {"ConfigMap": [{"metadata": {"name": name}} for name in maps]}
    world = World(workload(kind, present), revisions=sets, healthy=seen, others=others)
    return make_plan(ACTION, TARGET.model_copy(update={"kind": kind}), ACTION.params(), world)


def reason(*args, **kwargs):
    with pytest.raises(Refused) as caught:
        plan(*args, **kwargs)
    return caught.value.reason


def written(found):
    return json.loads(found.steps[0].forward.ops[0].value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_each_reference_goes_back_and_the_image_stays(place, kind):
    found = plan(pod("2", **{place: "new"}), pod("1"), kind=kind)
    assert written(found) == pod("2")
    assert f"{place}-1 instead of new" in found.summary
    assert ("cannot be seen" in found.summary) == (place in ("secret", "key"))


def test_a_configmap_that_is_gone_is_not_referred_to():
    assert reason(pod(volume="new"), pod(), maps=()) == "Gone"
    older = plan(pod(volume="new"), pod(volume="volume-0"), pod(), maps=("volume-0",))
    assert references(written(older))["volume", "a", "0", "ConfigMap"].name == "volume-0"


@pytest.mark.parametrize("former", [(), (pod("1"),), (pod("1") | {"spec": {"containers": [{"name": "other"}]}},)])
def test_without_another_reference_nothing_is_done(former):
    assert reason(pod("2"), *former) == "NoFormerReference"


def test_what_was_no_reference_of_the_kind_before_is_left_alone():
    before = pod("1")
    before["spec"]["volumes"][0] = {"name": "a", "emptyDir": {}}
    before["spec"]["containers"][0]["env"][1] = {"name": "B", "value": "plain"}
    assert reason(pod("2", volume="new", key="new"), before) == "NoFormerReference"


NAMES = st.fixed_dictionaries({place: st.sampled_from(["a", "b"]) for place in PLACES})


@given(NAMES, NAMES)
def test_references_that_went_back_return_when_that_is_undone(present, former):
    live = deployment(pod("2", **present))
    try:
        found = plan(pod("2", **present), pod("1", **former), maps=("a", "b"))
    except Refused:
        assert present == former
        return
    after = done(live, found.steps[0].forward)
    assert after["spec"]["template"] == pod("2", **former)
    assert done(after, found.steps[0].inverse) == live
