"""`rollback` of what is no Deployment: its former templates are patches, and some pods must go before it can begin."""

import json

import pytest
from tests.unit.builders import TARGET, at, controller_revision, running_pod, template, workload

from hemostat.action.contract import World, make_plan
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.api.watch import HealthyRevision
from hemostat.errors import Refused
from hemostat.signals.changes import present_revision

ROLLBACK = discover()["rollback"]
GOOD, BAD = template("1"), template("2", {"FAULT": "1"})
HEALTHY = [HealthyRevision(template_hash="hash1", target_uid="uid-payment", observed_time=at(-60))]
SETS = [controller_revision(1, GOOD), controller_revision(2, BAD)]


def plan(live, pods=(), revisions=SETS):
    target = TARGET.model_copy(update={"kind": live["kind"]})
    return make_plan(ROLLBACK, target, ROLLBACK.params(), World(live, revisions, HEALTHY, pods=pods))


def reason(*args, **kwargs):
    with pytest.raises(Refused) as caught:
        plan(*args, **kwargs)
    return caught.value.reason


def stuck(name="payment-2", revision="hash2", *, ready=False, owner="uid-payment", **metadata):
    labels = {"controller-revision-hash": f"payment-{revision}"}
    return running_pod(name, ready=ready, labels=labels, ownerReferences=[{"uid": owner}], **metadata)


@pytest.mark.parametrize(("kind", "replicas"), [("StatefulSet", 3), ("DaemonSet", 3)])
def test_the_template_of_the_controller_revision_is_written(kind, replicas):
    found = plan(workload(kind, BAD))
    forward, inverse = found.steps[0].forward, found.steps[0].inverse
    assert [json.loads(op.value) for op in (*forward.ops, *inverse.ops)] == [GOOD, BAD]
    assert (forward.kind, found.replaced_pods, found.replicas_after) == (kind, replicas, replicas)
    assert kind in found.summary


def test_an_empty_time_is_written_only_where_the_live_object_has_one():
    """API servers before 1.34 say `creationTimestamp: null` in templates; what is written must be what is read back."""
    old = template("1") | {"metadata": {"labels": {"app": "payment"}, "creationTimestamp": None}}
    live = template("2") | {"metadata": {"labels": {"app": "payment"}, "creationTimestamp": None}}
    assert json.loads(plan(workload("StatefulSet", live)).steps[0].forward.ops[0].value) == old
    found = plan(workload("StatefulSet", BAD), revisions=[controller_revision(1, old)])
    assert json.loads(found.steps[0].forward.ops[0].value) == GOOD


def test_pods_that_a_statefulset_would_wait_for_are_evicted_and_a_person_decides():
    found = plan(workload("StatefulSet", BAD), [stuck(), stuck("payment-1", ready=True)])
    assert [(e.verb.value, e.name, e.uid, e.subresource) for e in found.effects[1:]] == [
        ("Delete", "payment-2", "uid-payment-2", "eviction")
    ]
    assert "payment-2" in found.summary
    assert stays(found)
    assert found.deadline_seconds


@pytest.mark.parametrize(
    "pod",
    [
        stuck(revision="hash1"),
        stuck(owner="another"),
        stuck(ready=True),
        stuck(deletionTimestamp="2026-03-01T12:00:00Z"),
    ],
)
def test_no_other_pod_is_evicted(pod):
    assert len(plan(workload("StatefulSet", BAD), [pod]).steps) == 1


@pytest.mark.parametrize(
    "live", [workload("StatefulSet", BAD, podManagementPolicy="Parallel"), workload("DaemonSet", BAD)]
)
def test_what_waits_for_no_pod_evicts_none(live):
    assert len(plan(live, [stuck()]).steps) == 1


def test_more_than_a_plan_holds_is_refused():
    assert reason(workload("StatefulSet", BAD), [stuck(f"payment-{n}") for n in range(16)]) == "TooMany"


@pytest.mark.parametrize(
    ("live", "why"),
    [
        (workload("StatefulSet", BAD, updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("DaemonSet", BAD, updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("Deployment", BAD, paused=True), "Paused"),
        (workload("StatefulSet", BAD, updateStrategy={"rollingUpdate": {"partition": 2}}), "Partitioned"),
    ],
)
def test_a_template_that_would_not_reach_the_pods_is_refused(live, why):
    assert reason(live) == why


def test_the_present_revision_is_told_once_its_controller_has_caught_up():
    live = workload("StatefulSet")
    live["status"]["updateRevision"] = "payment-hash2"
    assert present_revision(live, SETS)["revision"] == 2
    live["status"]["updateRevision"] = "payment-hash1"
    assert present_revision(live, SETS) is None
    assert present_revision(workload("DaemonSet"), SETS)["revision"] == 2
    behind = workload("DaemonSet")
    behind["status"]["observedGeneration"] = 0
    assert present_revision(behind, SETS) is None
    assert present_revision(workload("DaemonSet"), []) is None
