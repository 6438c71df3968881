"""What an SRE reads of a crash loop, and that an Incident ends when what it is about is gone: both real processes, with
their own rights, on a real API server. No controller runs there: pods say what the test writes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.api import objects
from tests.api.programs import answers, free_port, until
from tests.api.support import MANAGER, Cluster, rest

from hemostat.api.identity import ACT_USER, OBSERVE_USER
from hemostat_chaos.cluster import spawn

Json = dict[str, Any]
GROUPS = ("system:serviceaccounts", "system:authenticated")
PORTS = ("HEMOSTAT_HTTP_PORT", "HEMOSTAT_OTLP_PORT", "HEMOSTAT_OTLP_GRPC_PORT")
CRASHES = {
    "name": "main",
    "image": "example/app:1",
    "imageID": "",
    "ready": False,
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
}


@contextmanager
def running(cluster: Cluster, process: str, user: str, folder: Path, **settings: str) -> Iterator[int]:
    """Run a process with the rights of that user, and these variables; yield the port of its pages."""
    with started(cluster, process, user, folder, **settings) as (port, _):
        yield port


@contextmanager
def started(
    cluster: Cluster, process: str, user: str, folder: Path, **settings: str
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Do the same; yield the process, too."""
    ports = {name: str(free_port()) for name in PORTS}
    nobody = {"HEMOSTAT_PROMETHEUS_URL": "http://127.0.0.1:1", "HEMOSTAT_AUDIT": str(folder / "audit.db")}
    rights = {"KUBECONFIG": str(cluster.server.user_kubeconfig(user, GROUPS))}
    argv = [sys.executable, "-m", "hemostat", process]
    child = spawn.background(argv, folder / f"{process}.log", env=os.environ | rights | nobody | ports | settings)
    try:
        until(lambda: answers(f"http://127.0.0.1:{ports[PORTS[0]]}/readyz"), 180, f"hemostat {process} is ready")
        yield int(ports[PORTS[0]]), child
    finally:
        spawn.end(child, grace=15)


def crashing(cluster: Cluster, namespace: str) -> str:
    """Create a Deployment whose only pod crashes again and again; return its uid."""
    uid = str(cluster.make(objects.deployment("payment", namespace, replicas=1))["metadata"]["uid"])
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payment", "uid": uid}
    meta = {"name": f"payment-{uid[:8]}", "namespace": namespace, "ownerReferences": [owner]}
    spec = {"containers": [{"name": "main", "image": "example/app:1"}], "nodeName": "nowhere"}
    cluster.make({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    status = {"phase": "Running", "containerStatuses": [CRASHES]}
    cluster.admin.merge_patch(rest("pods", namespace, "v1", f"{meta['name']}/status"), {"status": status}, MANAGER)
    return uid


class Incidents:
    """The Incidents of one namespace, by the uid of their target."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._list = lambda: cluster.admin.list(objects.KINDS["Incident"].path(namespace))

    def of(self, uid: str) -> Json:
        return next((i for i in self._list() if i["spec"]["targetRef"]["uid"] == uid), {})

    def condition(self, uid: str, kind: str) -> tuple[str, str]:
        found = self.of(uid).get("status", {}).get("conditions", ())
        return next(((c["status"], c["reason"]) for c in found if c["type"] == kind), ("", ""))


@pytest.mark.timeout(180)
def test_an_incident_says_what_is_wrong_and_ends_with_its_target_or_its_watch(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.account(namespace, "default")
    found = Incidents(cluster, namespace)
    observe = running(cluster, "observe", OBSERVE_USER, tmp_path)
    with observe, running(cluster, "act", ACT_USER, tmp_path):
        first = crashing(cluster, namespace)
        cluster.make(objects.named("Watch", {"target": {"name": "payment"}, "intervalSeconds": 1}, "pay", namespace))
        until(lambda: found.condition(first, "Resolved") == ("False", "Open"), 60, "an Incident is open")
        shown = cluster.kubectl("get", "incidents", f"--namespace={namespace}").stdout
        assert "CrashLoopBackOff: container main crashes again and again, exit code 1" in shown
        assert "Critical   payment   False      Open" in shown
        assert found.condition(first, "Diagnosed") == ("False", "NoRunbooks")
        events = cluster.kubectl("get", "events", f"--namespace={namespace}").stdout
        assert [line.split()[1] for line in events.splitlines() if " NoRunbooks " in line] == ["Normal"]

        cluster.kubectl("delete", "deployment", "payment", f"--namespace={namespace}")
        second = crashing(cluster, namespace)
        until(lambda: found.condition(first, "Resolved")[0] == "True", 20, "the first Incident is over")
        assert found.condition(first, "Resolved")[1] in ("TargetReplaced", "TargetDeleted")
        until(lambda: found.condition(second, "Resolved") == ("False", "Open"), 40, "the new target has its own")

        cluster.kubectl("delete", "watches.hemostat.dev", "pay", f"--namespace={namespace}")
        until(
            lambda: found.condition(second, "Resolved") == ("True", "WatchDeleted"), 40, "the second Incident is over"
        )
        told = [entry["message"] for entry in found.of(second)["status"]["timeline"]]
        assert "resolved: WatchDeleted: Watch pay was deleted: nobody sees any more whether it is well" in told
