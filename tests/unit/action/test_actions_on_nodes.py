"""What `cordon-node`, `uncordon-node` and `drain-node` do to a node and its pods, and what they leave alone."""

import pytest
from tests.unit.act.double import patched
from tests.unit.builders import NAMESPACE, T0, node, parameter, running_pod

from hemostat.action.contract import World, make_plan, parse
from hemostat.action.effects import beyond, place, right_of, still_ours, wire
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.api.meta import BoundTargetRef
from hemostat.errors import Refused

CATALOGUE = discover()
CORDON, UNCORDON, DRAIN = (CATALOGUE[f"{verb}-node"] for verb in ("cordon", "uncordon", "drain"))
TARGET = BoundTargetRef(api_version="v1", kind="Node", name="node-1", uid="uid-node-1")


def live(**spec):
    return {"apiVersion": "v1", "kind": "Node"} | node("node-1", **spec)


def pod(name, kind="ReplicaSet", namespace=NAMESPACE, **metadata):
    owners = [{"uid": "uid-o", "kind": kind, "name": "o", "controller": True}] if kind else []
    found = running_pod(name, ownerReferences=owners, **metadata)
    found["metadata"]["namespace"] = namespace
    return found


def plan(action, target, *pods, **given):
    parameters = [parameter(key, value) for key, value in given.items()]
    seen = World(target=target, pods=pods, proposed=T0, namespace=NAMESPACE, remediation="uid-r")
    return make_plan(action, TARGET, parse(action, parameters), seen)


def reason(action, target, *pods, **given):
    with pytest.raises(Refused) as caught:
        plan(action, target, *pods, **given)
    return caught.value.reason


@pytest.mark.parametrize(("action", "target"), [(CORDON, live()), (UNCORDON, live(unschedulable=True))])
def test_the_inverse_leaves_the_node_as_it_was_and_both_are_beyond_the_namespace(action, target):
    found = plan(action, target)
    (step,) = found.steps
    after = patched(target, wire(step.forward, target))
    assert bool(after["spec"].get("unschedulable")) is (action is CORDON)
    assert still_ours(step.forward, after)
    assert patched(after, wire(step.inverse, after)) == target
    assert beyond(found.effects) == found.effects
    assert (found.replaced_pods, found.replicas_after) == (0, 0)


@pytest.mark.parametrize(
    ("action", "target", "wanted"),
    [
        (CORDON, live(unschedulable=True), "AlreadyCordoned"),
        (UNCORDON, live(), "NotCordoned"),
        (UNCORDON, live(unschedulable=True, ready="Unknown"), "NodeNotReady"),
        (DRAIN, live(), "NothingToMove"),
    ],
)
def test_what_makes_no_sense_is_refused(action, target, wanted):
    assert reason(action, target) == wanted


def test_a_broken_node_can_be_cordoned():
    assert plan(CORDON, live(ready="Unknown")).effects[0].name == "node-1"


def test_everything_that_can_run_elsewhere_is_evicted_from_a_cordoned_node():
    mirror = pod("m", "Node", annotations={"kubernetes.io/config.mirror": "x"})
    over = pod("over") | {"status": {"phase": "Succeeded"}}
    leaving = pod("leaving", deletionTimestamp="2026-03-01T12:00:00Z")
    dns = pod("coredns", namespace="kube-system")
    found = plan(DRAIN, live(), pod("b"), pod("a", "StatefulSet"), pod("d", "DaemonSet"), mirror, over, leaving, dns)
    assert [(e.verb.value, e.kind, e.name, e.subresource) for e in found.effects] == [
        ("Patch", "Node", "node-1", ""),
        ("Delete", "Pod", "a", "eviction"),
        ("Delete", "Pod", "b", "eviction"),
    ]
    assert [step.inverse is not None for step in found.steps] == [True, False, False]
    assert (found.replaced_pods, found.deadline_seconds) == (2, 900)
    assert stays(found) == "nothing undoes 2 of its steps"
    assert "kube-system/coredns stays" in found.diff


def test_a_node_that_people_cordoned_is_theirs_to_uncordon():
    assert [e.kind for e in plan(DRAIN, live(unschedulable=True), pod("a")).effects] == ["Pod"]


def test_a_pod_of_another_namespace_is_evicted_there_and_by_the_right_to_do_so_there():
    found = plan(DRAIN, live(unschedulable=True), pod("a"), pod("z", namespace="bank"))
    assert [place(e, NAMESPACE) for e in found.effects] == ["bank", NAMESPACE]
    (theirs,) = beyond(found.effects)
    wanted = {"group": "", "resource": "pods", "subresource": "eviction", "verb": "create"}
    assert right_of(theirs) == wanted | {"namespace": "bank", "name": "z"}


def test_what_would_be_lost_for_good_is_lost_only_if_the_runbook_says_so():
    bare, local = pod("bare", kind=""), pod("local")
    local["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    assert reason(DRAIN, live(), bare) == "BarePods"
    assert reason(DRAIN, live(), local) == "LocalStorage"
    both = plan(DRAIN, live(), bare, local, evictBarePods="true", deleteEmptyDirData="true")
    assert [e.name for e in both.effects] == ["node-1", "bare", "local"]
    assert "nobody makes another one" in both.diff


def test_more_pods_than_a_plan_has_steps_are_for_people():
    many = [pod(f"p{n:02}") for n in range(32)]
    assert reason(DRAIN, live(), *many) == "TooMany"
    assert len(plan(DRAIN, live(), *many[1:]).steps) == 32
