"""`evict-pod` and `quarantine-pod` on a real API server, by `act`'s own rights; and that these rights on pods are no
more than they need."""

from typing import Any

import pytest
from tests.api import objects
from tests.api.roundtrip import Trip, lasting, ours_on
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.registry import discover
from hemostat.api.rbac import opt_in

Json = dict[str, Any]
EVICT, QUARANTINE = (discover()[name] for name in ("evict-pod", "quarantine-pod"))
MAIN = [{"name": "main", "image": "example/app:1"}]


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> str:
    """Return a namespace that has opted in."""
    name = cluster.make_namespace()
    cluster.account(name, "default")
    cluster.admin.create(rest("rolebindings", name, RBAC), opt_in(name), MANAGER)
    eventually(lambda: can(cluster.act, "patch", "pods", name), "act has opted in")
    return name


def workload(cluster: Cluster, namespace: str) -> tuple[Json, Json]:
    """Make a Deployment with a Service, a ready pod and one that is not, and return it and that pod."""
    name = cluster.new_name()
    target = cluster.make(objects.deployment(name, namespace))
    labels = {"app": name, "pod-template-hash": "one", "example.com/tier": "front"}
    spec = {"selector": {"app": name, "example.com/tier": "front"}, "ports": [{"port": 80}]}
    cluster.make(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    )
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": target["metadata"]["uid"]}
    sets = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner | {"controller": True}]},
        "spec": {
            "selector": {"matchLabels": {"app": name, "pod-template-hash": "one"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": MAIN}},
        },
    }
    uid = cluster.make(sets)["metadata"]["uid"]
    held = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": True}]
    for pod, ready in (("good", "True"), ("sick", "False")):
        meta = {"name": f"{name}-{pod}", "namespace": namespace, "labels": labels, "ownerReferences": held}
        cluster.make(
            {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": MAIN, "nodeName": "n"}}
        )
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
        path = rest("pods", namespace, "v1", f"{name}-{pod}/status")
        sick = cluster.admin.merge_patch(path, {"status": status}, MANAGER)
    return target, sick


def test_the_sick_pod_is_evicted(cluster: Cluster, shop: str) -> None:
    target, sick = workload(cluster, shop)
    trip = Trip(cluster, shop, EVICT, target)
    trip.there()
    pods = cluster.admin.list(rest("pods", shop), labelSelector=f"app={target['metadata']['name']}")
    leaving = [p["metadata"]["name"] for p in pods if "deletionTimestamp" in p["metadata"]]
    assert leaving == [sick["metadata"]["name"]], "it has been told to leave; its kubelet would see to it"
    assert trip.plan.effects[0].uid == sick["metadata"]["uid"]


def test_the_sick_pod_is_taken_out_and_put_back_as_it_was(cluster: Cluster, shop: str) -> None:
    target, sick = workload(cluster, shop)
    path = rest("pods", shop, "v1", sick["metadata"]["name"])
    name = target["metadata"]["name"]
    trip = Trip(cluster, shop, QUARANTINE, target)
    assert f"Service {name}" in trip.plan.summary
    trip.there()
    kept = cluster.admin.get(path)
    assert kept["metadata"]["uid"] == sick["metadata"]["uid"]
    found = cluster.admin.list(rest("pods", shop), labelSelector="hemostat.dev/quarantined")
    assert [p["metadata"]["name"] for p in found] == [sick["metadata"]["name"]]
    for selector in (f"app={name},pod-template-hash=one", f"app={name},example.com/tier=front"):
        others = cluster.admin.list(rest("pods", shop), labelSelector=selector)
        assert [p["metadata"]["name"] for p in others] == [f"{name}-good"]
    trip.back()
    after = cluster.admin.get(path)
    assert lasting(after) == lasting(sick)
    assert ours_on(after) == []


def test_act_may_change_nothing_of_a_pod_but_its_labels(cluster: Cluster, shop: str) -> None:
    _, sick = workload(cluster, shop)
    path = rest("pods", shop, "v1", sick["metadata"]["name"])
    for op in (
        {"op": "replace", "path": "/spec/containers/0/image", "value": "example/evil:1"},
        {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}},
        {"op": "remove", "path": "/metadata/ownerReferences"},
        {"op": "add", "path": "/metadata/finalizers", "value": ["example.com/keep"]},
    ):
        assert "nothing of a Pod but its labels" in refusal(
            lambda op=op: cluster.act.json_patch(path, [op], MANAGER)
        ), op
    assert (
        refusal(
            lambda: cluster.act.json_patch(path, [{"op": "add", "path": "/metadata/labels/a", "value": "b"}], MANAGER)
        )
        == ""
    )
