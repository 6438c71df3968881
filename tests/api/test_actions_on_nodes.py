"""`cordon-node`, `uncordon-node` and `drain-node` on a real API server, by `act`'s own rights: what they write and put
back, who stays on a drained node, and whose word counts for what is done in another namespace."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.roundtrip import Trip, lasting, ours_on
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest
from tests.api.test_several_steps import make_node

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.action.contract import Rule
from hemostat.action.registry import discover
from hemostat.api import GROUP
from hemostat.api.approval import Approval
from hemostat.api.identity import ACT, NAMESPACE, NODES_ROLE
from hemostat.api.rbac import opt_in
from hemostat.clock import SystemClock
from hemostat.telemetry.prometheus import Prometheus
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
CATALOGUE = discover()
CORDON, UNCORDON, DRAIN = (CATALOGUE[f"{verb}-node"] for verb in ("cordon", "uncordon", "drain"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Return one of its own, where `act` may cordon nodes."""
    with ApiServer(controllers=False) as server:
        made = Cluster(server)
        made.install()
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NODES_ROLE}
        who = [{"kind": "ServiceAccount", "name": ACT, "namespace": NAMESPACE}]
        binding = {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": NODES_ROLE}}
        made.make({**binding, "roleRef": role, "subjects": who})
        eventually(lambda: can(made.act, "patch", "nodes"), "act may patch nodes")
        yield made


def namespace(cluster: Cluster) -> str:
    """Make one that has opted in."""
    name = cluster.make_namespace()
    cluster.account(name, "default")
    cluster.admin.create(rest("rolebindings", name, RBAC), opt_in(name), MANAGER)
    eventually(lambda: can(cluster.act, "create", "pods/eviction", name), "act has opted in")
    return name


def ready_node(cluster: Cluster) -> tuple[str, str]:
    """Make a node, and return its name and path."""
    name = cluster.new_name()
    make_node(cluster, name)
    path = rest("nodes", None, "v1", name)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
    cluster.admin.merge_patch(f"{path}/status", {"status": {"conditions": [ready]}}, MANAGER)
    return name, path


def pod(cluster: Cluster, where: str, name: str, node: str, kind: str = "ReplicaSet", **labels: str) -> None:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": f"uid-{name}", "controller": True}
    metadata = {"name": name, "namespace": where, "labels": labels, "ownerReferences": [owner] if kind else []}
    spec = {"containers": [{"name": "main", "image": "example/app:1"}], "nodeName": node}
    cluster.make({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}  # else no budget counts it
    cluster.admin.merge_patch(rest("pods", where, "v1", f"{name}/status"), {"status": running}, MANAGER)


def leaving(cluster: Cluster, where: str) -> list[str]:
    pods = cluster.admin.list(rest("pods", where))
    return sorted(p["metadata"]["name"] for p in pods if "deletionTimestamp" in p["metadata"])


def test_a_node_is_cordoned_and_uncordoned_and_each_is_taken_back_without_a_trace(cluster: Cluster) -> None:
    where, (_, path) = namespace(cluster), ready_node(cluster)
    before = cluster.admin.get(path)
    trip = Trip(cluster, where, CORDON, before)
    trip.there()
    assert cluster.admin.get(path)["spec"]["unschedulable"] is True
    trip.back()
    after = cluster.admin.get(path)
    assert (lasting(after), ours_on(after)) == (lasting(before), [])

    theirs = cluster.admin.merge_patch(path, {"spec": {"unschedulable": True}}, "ada")
    back = Trip(cluster, where, UNCORDON, theirs)
    back.there()
    assert "unschedulable" not in cluster.admin.get(path)["spec"]
    back.back()
    again = cluster.admin.get(path)
    assert again["spec"]["unschedulable"] is True
    assert ours_on(again) == []


def test_a_node_is_drained_of_what_can_run_elsewhere_in_all_namespaces_that_opted_in(cluster: Cluster) -> None:
    shop, bank, (node, path) = namespace(cluster), namespace(cluster), ready_node(cluster)
    pod(cluster, shop, "web", node)
    pod(cluster, shop, "agent", node, "DaemonSet")
    pod(cluster, shop, "elsewhere", "another")
    pod(cluster, bank, "vault", node)
    trip = Trip(cluster, shop, DRAIN, cluster.admin.get(path))
    assert [(e.kind, e.name, e.namespace) for e in trip.plan.effects] == [
        ("Node", node, None),
        *sorted([("Pod", "web", None), ("Pod", "vault", bank)], key=lambda e: e[2] or shop),
    ]
    trip.there()
    assert cluster.admin.get(path)["spec"]["unschedulable"] is True
    assert (leaving(cluster, shop), leaving(cluster, bank)) == (["web"], ["vault"])


def test_a_pod_of_a_namespace_that_did_not_opt_in_is_not_evicted(cluster: Cluster) -> None:
    shop, closed, (node, path) = namespace(cluster), cluster.make_namespace(), ready_node(cluster)
    cluster.account(closed, "default")
    pod(cluster, closed, "theirs", node)
    trip = Trip(cluster, shop, DRAIN, cluster.admin.get(path))
    assert "forbidden" in refusal(trip.there)
    assert leaving(cluster, closed) == []


def test_a_disruption_budget_is_waited_for(cluster: Cluster) -> None:
    shop, (node, path) = namespace(cluster), ready_node(cluster)
    pod(cluster, shop, "web", node, app="web")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": shop}}
    cluster.make({**budget, "spec": spec})
    status = {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1}
    at = rest("poddisruptionbudgets", shop, "policy/v1", "web/status")
    cluster.admin.merge_patch(at, {"status": {**status, "expectedPods": 1}}, MANAGER)
    trip = Trip(cluster, shop, DRAIN, cluster.admin.get(path))
    assert "disruption budget" in refusal(trip.there)
    assert leaving(cluster, shop) == []


def test_the_word_of_who_might_not_do_it_himself_does_not_count(cluster: Cluster) -> None:
    shop, bank, (node, path) = namespace(cluster), namespace(cluster), ready_node(cluster)
    pod(cluster, bank, "vault", node)
    trip, ada = Trip(cluster, shop, DRAIN, cluster.admin.get(path)), cluster.new_name()
    spec = {"remediation": trip.case.metadata.name, "planHash": "sha256:" + "a" * 64, "approver": ada}
    word = Approval.model_validate({"metadata": {"name": "word", "namespace": shop}, "spec": spec})
    facts = Facts(cluster.act, Store(cluster.act, lambda *_: None), Prometheus("http://127.0.0.1:1"), SystemClock())

    def may() -> bool | None:
        return facts.may_approve([word], trip.case)["word"]

    cluster.grant(ada, shop, [Rule(GROUP, ("remediations",), ("approve",))])
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NODES_ROLE}
    who = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ada}]
    binding = {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": ada}}
    cluster.make({**binding, "roleRef": role, "subjects": who})
    eventually(lambda: can(cluster.user(ada), "patch", "nodes"), "she may cordon")
    assert may() is False, "but not evict in the other namespace"
    cluster.grant(ada, bank, [Rule("", ("pods/eviction",), ("create",))])
    eventually(lambda: may() is True, "she might do all of it")
