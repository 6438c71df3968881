"""`act` on a real API server whose etcd waits for the disk: from a proposal to its effect, nobody asked.

Run as `.venv/bin/python tests/bench/acting.py`; adds to build/bench/gate.json. One proposal follows the other, each
for a Deployment of its own whose pod crashes. Time runs from before it is sent to the moment a watch of the Deployment
shows the effect. Then the same again while so many others wait for a person.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubernetes import client, watch
from tests.api import objects
from tests.api.programs import until
from tests.api.support import MANAGER, RBAC, Cluster, rest
from tests.api.test_gone import CRASHES, running
from tests.unit.builders import signal
from urllib3.exceptions import ProtocolError

from hemostat.api.identity import ACT, ACT_USER, NAMESPACE, OBSERVE_USER, ROOM_ROLE
from hemostat.api.rbac import opt_in
from hemostat.clock import SystemClock, rfc3339
from hemostat_chaos.cluster.apiserver import ApiServer

OUT = Path(__file__).parents[2] / "build/bench/gate.json"
PAUSE = 0.5
AUTO, ASK = "bench", "waiting"
SCALE = [{"name": "factorPercent", "value": "200"}, {"name": "maxReplicas", "value": "9"}]


class World:
    """Deployments that crash, and proposals for them."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.runbooks: dict[str, str] = {}
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

    def trouble(self, namespace: str, name: str) -> dict[str, Any]:
        """Make a Deployment, its pod that crashes and an Incident; return the Remediation that is to be proposed."""
        uid = self.cluster.make(objects.deployment(name, namespace, replicas=1))["metadata"]["uid"]
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
        moments = {"first_fired_time": now, "state_time": now, "observed_time": now}
        fires = signal(kind="Workload", source="Workload", subject=name, **moments).wire()
        where = objects.KINDS["Incident"].path(namespace, name, "status")
        self.cluster.observe.merge_patch(
            where, {"status": {"signals": [fires], "callers": {"total": 0, "observedTime": now}}}, MANAGER
        )
        spec = {
            "incidentRef": {"name": name, "uid": incident["metadata"]["uid"]},
            "runbookRef": {"name": "more", "uid": self.runbooks[namespace]},
            "action": "scale",
            "parameters": SCALE,
            "targetRef": target,
            "requestedBy": OBSERVE_USER,
            "confidencePercent": 100,
        }
        return objects.named("Remediation", spec, name, namespace)

    def propose(self, remediation: dict[str, Any]) -> dict[str, Any]:
        """Propose it, as `observe` does."""
        return self.cluster.make(remediation, self.cluster.observe)


@contextmanager
def effects(cluster: Cluster) -> Iterator[dict[str, float]]:
    """Watch Deployments; yield when each had two replicas first, by its name."""
    from kubernetes.config import new_client_from_config

    seen: dict[str, float] = {}
    watching = watch.Watch()
    apps = client.AppsV1Api(new_client_from_config(str(cluster.server.kubeconfig)))

    def follow() -> None:
        with suppress(ProtocolError):  # the server ends first
            for event in watching.stream(apps.list_namespaced_deployment, AUTO, _request_timeout=600):
                if event["object"].spec.replicas == 2:
                    seen.setdefault(event["object"].metadata.name, time.monotonic())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        watching.stop()


def said(folder: Path) -> str:
    """Return the newest of what `act` has said of its work."""
    lines = (folder / "act.log").read_text().splitlines()
    return "\n".join([line for line in lines if "reconcile" in line][-5:])


def seconds(world: World, count: int, name: str, folder: Path) -> list[float]:
    """Return how long each of so many proposals took. What is applied is taken away: here nothing ever heals."""
    took = []
    with effects(world.cluster) as seen:
        time.sleep(1)
        for number in range(count):
            remediation = world.trouble(AUTO, f"{name}-{number}")
            time.sleep(PAUSE)
            proposed, begun = remediation["metadata"]["name"], time.monotonic()
            made = world.propose(remediation)
            while proposed not in seen:
                if time.monotonic() - begun > 60:
                    raise SystemExit(f"{proposed} is not applied; act says:\n{said(folder)}")
                time.sleep(0.002)
            took.append(seen[proposed] - begun)
            where = objects.KINDS["Remediation"].path(AUTO, proposed)
            world.cluster.admin.delete(where, made["metadata"]["uid"])
    return took


def figures(name: str, took: list[float]) -> dict[str, Any]:
    """Name median, p99 and how many."""
    return {
        f"proposal_to_applied_p99_seconds{name}": round(quantiles(took, n=100, method="inclusive")[98], 3),
        f"proposal_to_applied_median_seconds{name}": round(median(took), 3),
    }


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proposals", type=int, default=200)
    parser.add_argument("--waiting", type=int, default=1000)
    options = parser.parse_args()
    with ApiServer(durable=True) as server, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        cluster = Cluster(server)
        cluster.install()
        world = World(cluster)
        with running(cluster, "act", ACT_USER, folder):
            found = {"proposals": options.proposals, **figures("", seconds(world, options.proposals, "alone", folder))}
            for n in range(options.waiting):
                world.propose(world.trouble(ASK, f"waits-{n}"))
            path = objects.KINDS["Remediation"].path(ASK)
            until(
                lambda: sum("decision" in r.get("status", {}) for r in cluster.admin.list(path)) == options.waiting,
                1800,
                "all wait",
            )
            beside = figures("_beside_waiting", seconds(world, options.proposals, "beside", folder))
            found |= {"waiting": options.waiting, **beside}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(before | found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
