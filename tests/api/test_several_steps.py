"""A plan of several steps on a real API server, `act` with its own rights: wherever it is killed, each step is done
once and undone; a disruption budget is waited for; who approves what is beyond the namespace must be allowed it, too.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.api import killer, objects
from tests.api.programs import until
from tests.api.proposals import AUTO, World
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest
from tests.api.test_gone import CRASHES
from tests.api.test_killed import Life
from tests.unit.builders import condition

from hemostat.act.facts import Facts
from hemostat.act.store import Store
from hemostat.action.contract import Rule, make_plan, parse, plan_hash
from hemostat.action.registry import discover
from hemostat.api.identity import ACT, ACT_USER, NAMESPACE, NODES_ROLE
from hemostat.api.remediation import Remediation
from hemostat.clock import SystemClock, rfc3339
from hemostat.telemetry.prometheus import Prometheus
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
ACTION = discover()["move-off-node"]
PARAMETERS = [{"name": "deadlineSeconds", "value": "60"}]
AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    verbs: [create]
    resources: [{group: "", resources: [pods/eviction]}]
  - level: Metadata
    verbs: [patch, delete]
    resources: [{group: "", resources: [nodes, pods]}]
  - level: None
"""
AT_ONCE = 6


def make_node(cluster: Cluster, name: str) -> None:
    """Make a node as a kubelet does: of one without any field the API server does not track who manages what."""
    metadata = {"name": name, "labels": {"kubernetes.io/hostname": name}}
    cluster.make({"apiVersion": "v1", "kind": "Node", "metadata": metadata})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ApiServer(audit_policy=AUDIT) as server:
        cluster = Cluster(server)
        cluster.install()
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NODES_ROLE}
        who = [{"kind": "ServiceAccount", "name": ACT, "namespace": NAMESPACE}]
        binding = {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": NODES_ROLE}}
        cluster.make({**binding, "roleRef": role, "subjects": who})
        eventually(lambda: can(cluster.act, "patch", "nodes"), "act may patch nodes")
        found = World(cluster, timeoutSeconds=5, stableSeconds=0, settleSeconds=0)
        runbook = rest("runbooks", AUTO, "hemostat.dev/v1alpha1", "more")
        moves = [{"action": ACTION.name, "parameters": PARAMETERS}]
        cluster.admin.merge_patch(runbook, {"spec": {"remediations": moves}}, MANAGER)
        yield found


class Moved(Life):
    """One node that is cordoned, two pods that are evicted, and `act`, which is killed once on the way."""

    def counts(self, method: str, path: str) -> bool:
        """All that it writes."""
        mine = (f"/nodes/{self.name}-sick", f"/pods/{self.name}-", f"/remediations/{self.name}/status")
        return method != "GET" and any(part in path for part in mine)

    def begin(self) -> Json:
        """Make a sick node with pods on it, propose to move them, and admit that: people are asked in another test."""
        made = self.propose()
        eventually(lambda: self._admit(made), "it is planned and admitted")
        return made

    def propose(self) -> Json:
        world, cluster, name = self.world, self.world.cluster, self.name
        body = world.trouble(AUTO, name)  # its pod tells of the trouble, and stays
        target = body["spec"]["targetRef"]
        cluster.admin.merge_patch(rest("deployments", AUTO, "apps/v1", name), {"spec": {"replicas": 3}}, MANAGER)
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": target["uid"], "controller": True}
        labels = {"app": name, "pod-template-hash": "one"}
        containers = {"containers": [{"name": "main", "image": "example/app:1"}]}
        template = {"metadata": {"labels": labels}, "spec": containers}
        sets = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": AUTO, "labels": labels, "ownerReferences": [owner]},
            "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
        }
        uid = cluster.make(sets)["metadata"]["uid"]
        for node in ("sick", "good"):
            make_node(cluster, f"{name}-{node}")
        owned = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": True}
        for pod, node in (("a", "good"), ("b", "sick"), ("c", "sick")):
            meta = {"name": f"{name}-{pod}", "namespace": AUTO, "labels": labels, "ownerReferences": [owned]}
            spec = containers | {"nodeName": f"{name}-{node}"}
            cluster.make({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
            ready = {"type": "Ready", "status": "True" if node == "good" else "False"}
            status = {"phase": "Running", "conditions": [ready], "containerStatuses": [CRASHES]}
            path = rest("pods", AUTO, "v1", f"{name}-{pod}/status")
            cluster.admin.merge_patch(path, {"status": status}, MANAGER)
        self.available(1)
        body["spec"] |= {"action": ACTION.name, "parameters": PARAMETERS}
        return world.propose(body)

    def available(self, count: int) -> None:
        """Say, as the Deployment's controller does, how many replicas are available."""
        status = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": count, "availableReplicas": count}
        path = rest("deployments", AUTO, "apps/v1", f"{self.name}/status")
        self.world.cluster.admin.merge_patch(path, {"status": status}, MANAGER)

    def _admit(self, made: Json) -> bool:
        """Write as `act` what it would have planned and decided."""
        kube, clock = self.world.cluster.act, SystemClock()
        facts = Facts(kube, Store(kube, lambda *_: None), Prometheus("http://127.0.0.1:1"), clock)
        found = Remediation.model_validate(made)
        plan = make_plan(
            ACTION, found.spec.target_ref, parse(ACTION, found.spec.parameters), facts.world(found, ACTION)
        )
        now = {"lastTransitionTime": rfc3339(clock.now())}
        admitted = condition("Admitted", reason="AllowedByPolicy") | now
        conditions = [condition("Planned") | now, admitted]
        status = {"plan": plan.wire(), "planHash": plan_hash(found, plan), "conditions": conditions}
        return not refusal(lambda: self.world.cluster.set_status(made, status, kube))

    def finished(self) -> bool:
        gone = sum(1 for pod in ("b", "c") if self.leaves(pod))
        self.available(1 + gone)
        return super().finished()

    def leaves(self, pod: str) -> bool:
        """Tell whether the pod is gone, or on its way: no kubelet is there to end it."""
        pods = rest("pods", AUTO, "v1", f"{self.name}-{pod}")
        live: list[Json] = []
        gone = "not found" in refusal(lambda: live.append(self.world.cluster.admin.get(pods)))
        return gone or "deletionTimestamp" in live[0]["metadata"]

    def cordoned(self) -> bool:
        node = self.world.cluster.admin.get(rest("nodes", None, "v1", f"{self.name}-sick"))
        return bool(node["spec"].get("unschedulable"))

    def effects(self, events: list[Json]) -> Counter[str]:
        """What the API server has done for `act`, dry runs left out."""
        found: Counter[str] = Counter()
        for event in events:
            ref, query = event["objectRef"], parse_qs(urlsplit(event["requestURI"]).query)
            asked = event.get("requestObject", {}).get("deleteOptions", {})
            real = "dryRun" not in query and not asked.get("dryRun") and event["responseStatus"]["code"] < 300
            if event["user"]["username"] != ACT_USER or not ref["name"].startswith(f"{self.name}-") or not real:
                continue
            if ref["resource"] == "pods":
                found[f"{event['verb']} {ref['name'].removeprefix(self.name)}"] += 1
            else:
                found[query["fieldManager"][0].removeprefix(f"hemostat-{self.uid}-")] += 1
        return found


@pytest.mark.timeout(600)
def test_each_step_is_done_once_and_undone_once_wherever_it_was_killed(world: World, tmp_path: Path) -> None:
    whole = Moved(world, "whole", tmp_path, None)
    whole.run()
    reached = list(whole.killer.seen)
    assert [r["proof"] for r in whole.now()["status"]["results"]] == ["ManagedFields", "Gone", "Gone", "Content"]
    assert sum("/eviction" in request for request in reached) == 4, "each with a dry run before"
    assert 15 < len(reached) < 40
    # after one was committed is also before the next is sent: what a process knew is gone either way
    first = Moved(world, "first", tmp_path, (0, killer.BEFORE))
    lives = [first, *(Moved(world, f"at-{at}", tmp_path, (at, killer.AFTER)) for at in range(len(reached)))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(life.run) for life in lives]:
            done.result()
    events = world.cluster.server.audit_events()
    once = {"0-forward": 1, "create -b": 1, "create -c": 1, "0-inverse": 1}
    for life in [whole, *lives]:
        said = f"{life.name}: {json.dumps(life.now()['status'].get('conditions'))}"
        found = life.effects(events)
        assert {name: count for name, count in found.items() if name != "hemostat-release"} == once, said
        assert [life.leaves(pod) for pod in ("a", "b", "c")] == [False, True, True], said
        assert not life.cordoned(), said
        assert life.condition("Finished")["reason"] == "Ineffective", said
    killed = [life for life in lives if life.killer.kills is not None and len(life.killer.seen) > life.killer.kills[0]]
    assert len(killed) > len(lives) * 3 / 4, "almost every one was killed where it was to be"


class Asked(Moved):
    """The same, as people are asked."""

    def begin(self) -> Json:
        """It is proposed already."""
        return self.now()

    def says(self, kind: str, reason: str) -> bool:
        return bool(self.condition(kind).get("reason") == reason)


@pytest.mark.timeout(300)
def test_who_may_not_cordon_does_not_decide_about_it_and_a_budget_is_waited_for(world: World, tmp_path: Path) -> None:
    cluster, life = world.cluster, Asked(world, "asked", tmp_path, None)
    rules = [Rule("hemostat.dev", ("remediations",), ("approve",)), Rule("hemostat.dev", ("approvals",), ("create",))]
    cluster.grant("ada", AUTO, rules)
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "asked", "namespace": AUTO},
    }
    selector = {"matchLabels": {"app": "asked"}}
    path = rest("poddisruptionbudgets", AUTO, "policy/v1")
    cluster.admin.create(path, {**budget, "spec": {"minAvailable": 3, "selector": selector}}, MANAGER)
    healthy = {"expectedPods": 3, "desiredHealthy": 3, "observedGeneration": 1}

    def allow(count: int) -> None:
        status = {"status": {**healthy, "disruptionsAllowed": count, "currentHealthy": 3 + count - 1}}
        cluster.admin.merge_patch(f"{path}/asked/status", status, MANAGER)

    allow(0)
    life.propose()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(life.run)
        until(lambda: life.says("Admitted", "NeedsApproval"), 60, "a person is asked")
        asked = life.condition("Admitted")["message"]
        assert "it changes Node asked-sick: a person decides who may do that too" in asked
        word = objects.approval("asked", life.now()["status"]["planHash"], "ada")
        cluster.make(objects.moved(word, AUTO), cluster.user("ada"))
        until(lambda: "ignored" in life.condition("Admitted")["message"], 60, "her word does not count")
        assert not life.cordoned()
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NODES_ROLE}
        who = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ada"}]
        binding = {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": "ada"}}
        cluster.make({**binding, "roleRef": role, "subjects": who})
        until(lambda: life.says("Applied", "DisruptionBudget"), 60, "the budget forbids the first eviction")
        assert life.cordoned()
        assert not life.leaves("b")
        assert "disruption budget" in life.condition("Applied")["message"]
        allow(2)
        running.result()
    assert life.effects(cluster.server.audit_events())["create -b"] == 1
    assert life.now()["status"]["approvers"] == ["ada"]
    assert life.condition("Finished")["reason"] == "Ineffective"


def test_act_may_change_nothing_of_a_node_but_that_it_takes_new_pods(world: World) -> None:
    cluster = world.cluster
    make_node(cluster, "guarded")
    path = rest("nodes", None, "v1", "guarded")
    cordon = [{"op": "add", "path": "/spec/unschedulable", "value": True}]
    assert cluster.act.json_patch(path, cordon, MANAGER)["spec"]["unschedulable"] is True
    taint = {"key": "a", "effect": "NoExecute"}
    for op in (
        {"op": "add", "path": "/metadata/labels/a", "value": "b"},
        {"op": "remove", "path": "/metadata/labels"},
        {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}},
        {"op": "add", "path": "/spec/taints", "value": [taint]},
        {"op": "add", "path": "/spec/podCIDR", "value": "10.0.0.0/24"},
        {"op": "add", "path": "/spec/providerID", "value": "x://y"},
    ):
        assert "nothing of a Node but spec.unschedulable" in refusal(
            lambda op=op: cluster.act.json_patch(path, [op], MANAGER)
        ), op
    assert refusal(lambda: cluster.act.json_patch(f"{path}/status", cordon, MANAGER))
    assert refusal(lambda: cluster.act.delete(path, cluster.admin.get(path)["metadata"]["uid"]))
