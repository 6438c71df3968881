"""Troubles that `act` may see to without a person, ready to be proposed: for tests and benches on a bare API server."""

from typing import Any

from tests.api import objects
from tests.api.support import MANAGER, RBAC, Cluster, rest
from tests.api.test_gone import CRASHES
from tests.unit.builders import signal

from hemostat.api.identity import ACT, NAMESPACE, OBSERVE_USER, ROOM_ROLE
from hemostat.api.rbac import opt_in
from hemostat.clock import SystemClock, rfc3339

AUTO, ASK = "auto", "waiting"
"""Namespaces: in the one a policy lets `act` go on, in the other a person decides."""
SCALE = [{"name": "factorPercent", "value": "200"}, {"name": "maxReplicas", "value": "9"}]


class World:
    """Deployments that crash, and proposals for them."""

    def __init__(self, cluster: Cluster, **verify: int) -> None:
        self.cluster = cluster
        self.runbooks: dict[str, str] = {}
        self.began: dict[str, str] = {}
        for namespace in (AUTO, ASK):
            cluster.make_namespace(namespace)
            cluster.account(namespace, "default")
            cluster.admin.create(rest("rolebindings", namespace, RBAC), opt_in(namespace), MANAGER)
            spec = {
                "state": "Active",
                "cause": "it crashes",
                "risk": "Low",
                "symptoms": [{"name": "crashes", "expression": "true", "weight": 1, "necessity": "Required"}],
                "remediations": [{"action": "scale", "parameters": SCALE}],
                "verify": verify,
            }
            made = cluster.make(objects.named("Runbook", spec, "more", namespace))
            self.runbooks[namespace] = made["metadata"]["uid"]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROOM_ROLE}
        who = [{"kind": "ServiceAccount", "name": ACT, "namespace": NAMESPACE}]
        binding = {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": ROOM_ROLE}}
        cluster.make({**binding, "roleRef": role, "subjects": who})
        cluster.make({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "nowhere"}})
        room = {"cpu": "1000", "memory": "1000Gi", "pods": "10000"}
        ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}]
        node = {"status": {"capacity": room, "allocatable": room, "conditions": ready}}
        cluster.admin.merge_patch("/api/v1/nodes/nowhere/status", node, MANAGER)
        cluster.admin.merge_patch("/api/v1/nodes/nowhere", {"spec": {"taints": None}}, MANAGER)
        policy = {
            "namespaces": [AUTO],
            "decision": "Auto",
            "onUncalibrated": "Allow",
            "cooldownSeconds": 0,
            "humanEditSeconds": 0,  # these Deployments were all made just now
            "budget": {"maxActions": 1000},
            "blastRadius": {"maxReplicas": 10},
        }
        cluster.make(objects.named("GatePolicy", policy, "auto"))

    def trouble(self, namespace: str, name: str, owner: str = MANAGER) -> dict[str, Any]:
        """Apply a Deployment, make its pod that crashes and an Incident; return the Remediation to propose.

        :param owner: field manager that applies it.
        """
        where = rest("deployments", namespace, "apps/v1", name)
        uid = self.cluster.admin.apply(where, objects.deployment(name, namespace, replicas=1), owner)["metadata"]["uid"]
        meta = {"name": f"{name}-0", "namespace": namespace, "labels": {"app": name}}
        spec = {"containers": [{"name": "main", "image": "example/app:1"}], "nodeName": "nowhere"}
        self.cluster.make({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        pod = rest("pods", namespace, "v1", f"{name}-0/status")
        self.cluster.admin.merge_patch(pod, {"status": {"phase": "Running", "containerStatuses": [CRASHES]}}, MANAGER)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid}
        self.cluster.make(objects.named("Watch", {"target": {"name": name}}, name, namespace))
        now = rfc3339(SystemClock().now())
        incident = self.cluster.make(
            objects.named(
                "Incident",
                {
                    "title": "it crashes",
                    "watchRef": {"name": name},
                    "targetRef": target,
                    "fingerprint": uid.replace("-", "")[:16],
                    "startedTime": now,
                    "openedTime": now,
                },
                name,
                namespace,
            )
        )
        self.still_fires(namespace, name)
        spec = {
            "incidentRef": {"name": name, "uid": incident["metadata"]["uid"]},
            "runbookRef": {"name": "more", "uid": self.runbooks[namespace]},
            "action": "scale",
            "parameters": SCALE,
            "targetRef": target,
            "requestedBy": OBSERVE_USER,
            "confidencePercent": 100,
            "ranking": "Ordered",
        }
        return objects.named("Remediation", spec, name, namespace)

    def still_fires(self, namespace: str, name: str) -> None:
        """Say what `observe` says again and again while nothing is better."""
        now = rfc3339(SystemClock().now())
        began = self.began.setdefault(name, now)
        moments = {"first_fired_time": began, "state_time": began, "observed_time": now}
        fires = signal(kind="Workload", source="Workload", subject=name, **moments).wire()
        status = {"signals": [fires], "callers": {"total": 0, "observedTime": now}}
        where = objects.KINDS["Incident"].path(namespace, name, "status")
        self.cluster.observe.merge_patch(where, {"status": status}, MANAGER)

    def propose(self, remediation: dict[str, Any]) -> dict[str, Any]:
        """Propose it, as `observe` does."""
        return self.cluster.make(remediation, self.cluster.observe)
