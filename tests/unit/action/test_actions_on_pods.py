"""Which one pod `evict-pod` and `quarantine-pod` mean, and what they do to it."""

import json

import pytest
from tests.unit.act.double import patched
from tests.unit.builders import T0, TARGET, deployment, parameter, replicaset, running_pod, template

from hemostat.action.contract import World, make_plan, parse
from hemostat.action.effects import can_be_undone, still_ours, wire
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.api.identity import REMEDIATION_LABEL
from hemostat.diagnosis.outcomes import UNFIT
from hemostat.errors import Refused

EVICT, QUARANTINE = (discover()[name] for name in ("evict-pod", "quarantine-pod"))
SET = replicaset(2, template("2"))
SET["spec"]["selector"] = {"matchLabels": {"app": "payment", "pod-template-hash": "hash2"}}
LABELS = {"app": "payment", "pod-template-hash": "hash2", "tier": "a/b"}


def pod(name, *, ready=True, owner="uid-rs-2", kind="ReplicaSet", labels=LABELS, **more):
    found = running_pod(name, ready=ready, labels=labels, **more)
    found["metadata"]["ownerReferences"] = [{"uid": owner, "kind": kind, "name": "payment-hash2", "controller": True}]
    return found


GOOD, SICK = pod("a"), pod("b", ready=False)


def world(*pods, target=None, services=(), policies=()):
    return World(
        target=target or deployment(),
        revisions=[SET],
        pods=pods,
        proposed=T0,
        remediation="uid-r",
        services=services,
        others={"NetworkPolicy": policies},
    )


def plan(action, seen, target=TARGET, **given):
    parameters = [parameter(key, value) for key, value in given.items()]
    return make_plan(action, target, parse(action, parameters), seen)


def reason(action, seen, **given):
    with pytest.raises(Refused) as caught:
        plan(action, seen, **given)
    return caught.value.reason


def selecting(name, **selector):
    return {"metadata": {"name": name}, "spec": {"selector": selector}}


def policy(name, **selector):
    return {"metadata": {"name": name}, "spec": {"podSelector": selector}}


def test_the_one_pod_that_is_not_ready_is_evicted_and_nothing_undoes_it():
    found = plan(EVICT, world(GOOD, SICK))
    assert [(e.verb.value, e.kind, e.name, e.uid, e.subresource) for e in found.effects] == [
        ("Delete", "Pod", "b", "uid-b", "eviction")
    ]
    assert (found.replaced_pods, found.replicas_after, stays(found)) == (1, 3, "nothing undoes it")


@pytest.mark.parametrize("action", [EVICT, QUARANTINE], ids=lambda a: a.name)
@pytest.mark.parametrize(
    ("pods", "wanted"),
    [
        ((GOOD,), "NoSuchPod"),
        ((GOOD, SICK, pod("c", ready=False)), "WhichPod"),
        ((GOOD, pod("c", ready=False, ready_since=1)), "NoSuchPod"),
        ((GOOD, pod("c", ready=False, node="")), "NoSuchPod"),
        ((GOOD, pod("c", ready=False, deletionTimestamp="2026-03-01T12:00:00Z")), "NoSuchPod"),
        ((GOOD, pod("c", ready=False, owner="uid-of-another")), "NoSuchPod"),
        ((GOOD, pod("c", ready=False) | {"status": {"phase": "Failed"}}), "NoSuchPod"),
    ],
)
def test_where_it_is_not_one_pod_of_its_own_nothing_is_done(action, pods, wanted):
    assert reason(action, world(*pods)) == wanted


def test_of_a_stateful_set_the_pods_are_its_own():
    target = deployment() | {"kind": "StatefulSet"}
    sick = pod("payment-0", ready=False, owner="uid-payment", kind="StatefulSet")
    bound = TARGET.model_copy(update={"kind": "StatefulSet"})
    assert plan(EVICT, world(sick, target=target), bound).effects[0].name == "payment-0"
    with pytest.raises(Refused, match="is for Deployment") as refused:
        plan(QUARANTINE, world(sick, target=target), bound)
    assert refused.value.reason in UNFIT, "the Runbook goes on to its next step"


def test_what_is_on_its_local_disks_is_lost_only_if_the_runbook_says_so():
    local = pod("b", ready=False)
    local["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    assert reason(EVICT, world(GOOD, local)) == "LocalStorage"
    assert plan(EVICT, world(GOOD, local), deleteEmptyDirData="true").effects[0].name == "b"
    assert plan(QUARANTINE, world(GOOD, local)).effects[0].name == "b", "nothing is lost: the pod stays"


def changed(live, effect):
    return patched(live, wire(effect, live))


@pytest.mark.parametrize(
    ("services", "gone"),
    [
        ((), {"app"}),
        ((selecting("web", app="payment"),), {"app"}),
        ((selecting("web", tier="a/b"),), {"app", "tier"}),
        ((selecting("other", app="bank"), selecting("external")), {"app"}),
        ((selecting("x", app="payment", tier="a/b"), selecting("y", tier="a/b")), {"tier", "app"}),
    ],
)
def test_a_quarantined_pod_is_selected_by_nothing_any_more_and_by_all_again_once_undone(services, gone):
    found = plan(QUARANTINE, world(GOOD, SICK, services=services))
    (step,) = found.steps
    after = changed(SICK, step.forward)
    left = after["metadata"]["labels"]
    assert set(LABELS) - set(left) == gone
    assert left["hemostat.dev/quarantined"] == "uid-r"
    assert REMEDIATION_LABEL not in left, "what bears it may be deleted"
    selectors = [SET["spec"]["selector"]["matchLabels"], *(s["spec"]["selector"] for s in services)]
    assert not any(s and s.items() <= left.items() for s in selectors)
    assert can_be_undone(step.forward, after)
    assert not still_ours(step.forward, SICK)
    assert changed(after, step.inverse) == SICK


def test_a_network_policy_is_not_lifted_unless_the_runbook_says_so():
    holds = policy("deny-egress", matchLabels={"app": "payment"})
    by_expression = policy("deny-all-of", matchExpressions=[{"key": "app", "operator": "In", "values": ["payment"]}])
    for one in (holds, by_expression):
        assert reason(QUARANTINE, world(GOOD, SICK, policies=(one,))) == "WouldLift"
        told = plan(QUARANTINE, world(GOOD, SICK, policies=(one,)), liftNetworkPolicies="true")
        assert f"NetworkPolicy {one['metadata']['name']} holds it no more" in told.summary
    for harmless in (policy("everybody"), policy("bank", matchLabels={"app": "bank"}), policy("t", matchLabels={})):
        assert plan(QUARANTINE, world(GOOD, SICK, policies=(harmless,))).effects[0].name == "b"


def test_a_pod_that_no_label_can_take_out_is_left_alone():
    sets = json.loads(json.dumps(SET))
    sets["spec"]["selector"] = {"matchExpressions": [{"key": "not", "operator": "DoesNotExist"}]}
    seen = World(target=deployment(), revisions=[sets], pods=[GOOD, SICK], proposed=T0, remediation="uid-r")
    assert reason(QUARANTINE, seen) == "NoLabel"
