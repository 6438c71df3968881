"""Which pods `move-off-node` takes off which node, in which steps, and when it is not the node."""

import pytest
from tests.unit.builders import TARGET, deployment, node, parameter, replicaset, running_pod, template

from hemostat.action.contract import World, make_plan, parse
from hemostat.action.effects import beyond
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.errors import Refused

ACTION = discover()["move-off-node"]
SETS = [replicaset(1, template("1")), replicaset(2, template("2"))]


def pod(name, on, *, ready=True, revision=1, **spec):
    found = running_pod(name, node=on, ready=ready, labels={"pod-template-hash": f"hash{revision}"})
    found["metadata"]["ownerReferences"] = [{"uid": f"uid-rs-{revision}", "controller": True}]
    found["spec"] |= spec
    return found


GOOD = (pod("a", "node-1"), pod("b", "node-1"))
SICK = (pod("c", "node-2", ready=False), pod("d", "node-2", ready=False))


def world(*pods, nodes=None, replicas=4):
    known = [node("node-1"), node("node-2")] if nodes is None else nodes
    return World(target=deployment(replicas=replicas), revisions=SETS, pods=pods, nodes=known)


def plan(seen, **given):
    wire = {"".join((k.split("_")[0], *(p.title() for p in k.split("_")[1:]))): str(v) for k, v in given.items()}
    return make_plan(ACTION, TARGET, parse(ACTION, [parameter(k, v) for k, v in wire.items()]), seen)


def reason(seen, **given):
    with pytest.raises(Refused) as caught:
        plan(seen, **given)
    return caught.value.reason


def told(found):
    return [(e.verb.value, e.kind, e.name, e.subresource) for e in found.effects]


def test_the_node_is_cordoned_and_each_pod_evicted_once_the_one_before_is_replaced():
    found = plan(world(*GOOD, *SICK))
    evictions = [("Delete", "Pod", name, "eviction") for name in ("c", "d")]
    assert told(found) == [("Patch", "Node", "node-2", ""), *evictions]
    assert [step.awaits_available for step in found.steps] == [0, 2, 3]
    assert [step.inverse is not None for step in found.steps] == [True, False, False]
    assert [e.uid for e in found.effects] == ["uid-node-2", "uid-c", "uid-d"]
    assert (found.replaced_pods, found.replicas_after, found.on_ineffective) == (2, 4, "Undo")
    assert (stays(found), found.deadline_seconds) == ("nothing undoes 2 of its steps", 600)
    assert [e.name for e in beyond(found.effects)] == ["node-2"]


def test_a_node_that_people_cordoned_is_theirs_to_uncordon():
    found = plan(world(*GOOD, *SICK, nodes=[node("node-2", unschedulable=True)]))
    assert [e.kind for e in found.effects] == ["Pod", "Pod"]
    assert beyond(found.effects) == ()


def test_pods_of_others_and_those_that_leave_stay_out_of_it():
    theirs, leaving = pod("x", "node-2", ready=False), pod("y", "node-2", ready=False)
    theirs["metadata"]["ownerReferences"][0]["uid"] = "uid-of-another"
    leaving["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    over, bare = pod("z", "node-2", ready=False), pod("w", "node-2", ready=False)
    over["status"]["phase"] = "Failed"
    del bare["metadata"]["ownerReferences"]
    assert plan(world(*GOOD, *SICK, theirs, leaving, over, bare)) == plan(world(*GOOD, *SICK))


@pytest.mark.parametrize(
    ("pods", "wanted"),
    [
        (GOOD, "NothingToMove"),
        ((*GOOD, *SICK, pod("e", "node-2")), "NothingToMove"),
        ((*GOOD, SICK[0], pod("e", "node-3", ready=False)), "WhichNode"),
        (SICK, "NotTheNode"),
        ((GOOD[0], *SICK, pod("e", "node-1", ready=False)), "NotTheNode"),
        ((*GOOD, *SICK, pod("e", "node-2", ready=False, revision=2)), "NotTheNode"),
    ],
)
def test_it_is_the_node_only_if_the_same_pods_get_ready_elsewhere(pods, wanted):
    assert reason(world(*pods)) == wanted


def test_what_is_on_local_disks_is_lost_only_if_the_runbook_says_so():
    local = pod("c", "node-2", ready=False, volumes=[{"name": "tmp", "emptyDir": {}}])
    assert reason(world(*GOOD, local)) == "LocalStorage"
    assert told(plan(world(*GOOD, local), delete_empty_dir_data=True))[1:] == [("Delete", "Pod", "c", "eviction")]


def test_a_plan_has_no_more_steps_than_a_person_can_read():
    many = [pod(f"p{n:02}", "node-2", ready=False) for n in range(32)]
    assert reason(world(*GOOD, *many)) == "TooMany"
    assert len(plan(world(*GOOD, *many[:31])).steps) == 32


def test_without_rights_on_nodes_it_is_said_which_role_gives_them():
    denied = World(target=deployment(), revisions=SETS, pods=(*GOOD, *SICK), nodes=None)
    assert reason(denied) == "NodesNotGranted"
    assert reason(world(*GOOD, *SICK, nodes=[node("node-1")])) == "NodeGone"
