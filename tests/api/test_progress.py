"""A diagnosis is followed while it is made: the real process, with its own rights, streams its steps, and kubectl
shows the one that it has come to.
"""

import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.api import objects
from tests.api.frameworks import served
from tests.api.programs import until
from tests.api.provider import Provider, of_schema, verdict
from tests.api.support import Cluster
from tests.api.test_diagnosis import permitted, runbook
from tests.api.test_gone import Incidents, crashing, running
from tests.api.test_views import _events

from hemostat.api.identity import OBSERVE_USER

FOLLOWED = [
    ("Detection", "Opened", "observe"),
    ("Diagnosis", "Routed", "router"),
    ("Diagnosis", "Asked", "kubernetes"),
    ("Diagnosis", "Replied", "kubernetes"),
    ("Diagnosis", "Asked", "aggregator"),
    ("Diagnosis", "Concluded", "aggregator"),
    ("Diagnosis", "Diagnosed", "observe"),
    ("Gate", "Proposed", "observe"),
]


def token(cluster: Cluster, namespace: str) -> str:
    """Return the token of somebody who may look at Incidents."""
    user = cluster.account(namespace, "onlooker")
    cluster.grant(user, namespace, role="hemostat-viewer")
    return str(cluster.kubectl("create", "token", "onlooker", f"--namespace={namespace}").stdout.strip())


@pytest.mark.timeout(180)
def test_a_diagnosis_is_followed_while_it_is_made(
    cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch
) -> None:
    cluster.account(namespace, "default")
    for name in ("bad-rollout", "bad-data"):
        cluster.make(runbook(name, namespace))
    spec = {"target": {"name": "payment"}, "intervalSeconds": 1, "signals": [{"name": "pods", "workload": {}}]}
    cluster.make(objects.named("Watch", spec, "payment", namespace))
    permitted(cluster, namespace)
    bearer, uid, found = token(cluster, namespace), crashing(cluster, namespace), Incidents(cluster, namespace)
    chosen = of_schema(verdict("bad-data", "payment", confidence=80))
    told: list[tuple[str, int, tuple[str, str, str]]] = []
    shown: list[str] = []
    with served(Provider(chosen).application()) as url:
        monkeypatch.setenv("HEMOSTAT_MODELS", "openai/scripted")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        with running(cluster, "observe", OBSERVE_USER, tmp_path) as port:
            until(lambda: found.of(uid), 60, "an Incident is opened")
            name = found.of(uid)["metadata"]["name"]
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            path = f"/incidents/{namespace}/{name}/stream"
            connection.request("GET", path, headers={"Authorization": f"Bearer {bearer}"})
            response = connection.getresponse()
            assert response.status == 200

            def watch() -> None:
                while "Proposed" not in shown:
                    said = found.of(uid).get("status", {}).get("progress", {}).get("step", "")
                    shown.extend([said] if said not in shown[-1:] else [])
                    time.sleep(0.1)

            looking = threading.Thread(target=watch, daemon=True)
            looking.start()
            for _, _, data in _events(response, 200):
                told.append((data["time"], data["number"], (data["stage"], data["step"], data["by"])))
                if data["step"] == "Proposed":
                    break
            looking.join(20)
            response.close()
            connection.close()
    assert [number for _, number, _ in told] == list(range(1, len(told) + 1))
    steps = [step for *_, step in sorted(told)]  # that it was opened is told when the panel is at work already
    assert [s for s in steps if s in FOLLOWED] == FOLLOWED
    assert {s for s in shown if s} <= {what for _, what, _ in steps}
    assert shown[-1] == "Proposed"
    table = cluster.kubectl("get", "incident", f"--namespace={namespace}").stdout
    assert "Proposed" in table
