"""A diagnosis that a model has a part in: the real process, with its own rights, a real API server, litellm, and a
provider on loopback. Two Runbooks fit, so the matcher cannot decide.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.api import objects
from tests.api.frameworks import served
from tests.api.programs import until
from tests.api.provider import Provider, failed, of_schema, verdict
from tests.api.support import MANAGER, Cluster
from tests.api.test_gone import Incidents, crashing, running

from hemostat.api.identity import OBSERVE_USER
from hemostat.observe.permits import ANNOTATION

Json = dict[str, Any]
CRASHES = 'workload.aspects.exists(a, a == "CrashLoopBackOff")'


def runbook(name: str, namespace: str) -> Json:
    """One of several that fit equally."""
    spec = {
        "state": "Active",
        "cause": f"cause of {name}",
        "symptoms": [
            {"name": "crashes", "expression": CRASHES, "weight": 3, "necessity": "Required"},
            {"name": "never", "expression": "size(signals) > 30"},
        ],
        "remediations": [{"action": "rollback"}],
    }
    return objects.named("Runbook", spec, name, namespace)


def proposed(cluster: Cluster, namespace: str) -> list[str]:
    found = cluster.admin.list(objects.KINDS["Remediation"].path(namespace))
    return [r["spec"]["runbookRef"]["name"] for r in found]


@pytest.fixture
def trouble(cluster: Cluster, namespace: str) -> tuple[Incidents, str]:
    """A crash loop that is watched, and two Runbooks for it."""
    cluster.account(namespace, "default")
    for name in ("bad-rollout", "bad-data"):
        cluster.make(runbook(name, namespace))
    spec = {"target": {"name": "payment"}, "intervalSeconds": 1, "signals": [{"name": "pods", "workload": {}}]}
    cluster.make(objects.named("Watch", spec, "payment", namespace))
    return Incidents(cluster, namespace), crashing(cluster, namespace)


def permitted(cluster: Cluster, namespace: str) -> None:
    change = {"metadata": {"annotations": {ANNOTATION: "Signal,Workload,Change,Event"}}}
    cluster.admin.merge_patch(f"/api/v1/namespaces/{namespace}", change, MANAGER)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("refuses", [False, True])
def test_a_tie_is_decided_by_the_model_and_by_a_person_where_no_provider_answers(
    cluster: Cluster, namespace: str, trouble: tuple[Incidents, str], tmp_path: Path, monkeypatch, refuses: bool
) -> None:
    found, uid = trouble
    permitted(cluster, namespace)
    chosen = of_schema(verdict("bad-data", "payment", confidence=80))
    provider = Provider(failed(503) if refuses else chosen)
    with served(provider.application()) as url:
        for name, value in {
            "HEMOSTAT_MODELS": "openai/scripted",
            "HEMOSTAT_DIAGNOSIS_SECONDS": "10",
            "OPENAI_API_KEY": "sk-canary",
            "OPENAI_BASE_URL": f"{url}/v1",
        }.items():
            monkeypatch.setenv(name, value)
        with running(cluster, "observe", OBSERVE_USER, tmp_path):
            wanted = ("False", "NoProvider") if refuses else ("True", "Chose")
            until(lambda: found.condition(uid, "Consulted") == wanted, 60, f"Consulted is {wanted}")
            status = found.of(uid)["status"]
            if refuses:
                assert found.condition(uid, "Diagnosed") == ("False", "RunbooksTie")
                assert proposed(cluster, namespace) == []
                return
            assert found.condition(uid, "Diagnosed") == ("True", "RunbookChosen")
            until(lambda: proposed(cluster, namespace) == ["bad-data"], 10, "its remediation is proposed")
    diagnosis = status["diagnosis"]
    assert (diagnosis["by"], diagnosis["usage"]["models"]) == ("Model", ["openai/scripted"])
    assert diagnosis["usage"]["turns"] == len(provider.requests)
    ids = {e["id"] for e in status["evidence"]}
    assert diagnosis["statements"]
    assert all(set(s["cites"]) <= ids for s in diagnosis["statements"])
    assert "sk-canary" not in json.dumps(status) + (tmp_path / "observe.log").read_text()


@pytest.mark.timeout(120)
def test_a_namespace_that_does_not_say_so_sends_nothing(
    cluster: Cluster, namespace: str, trouble: tuple[Incidents, str], tmp_path: Path, monkeypatch
) -> None:
    found, uid = trouble
    provider = Provider(of_schema(verdict("bad-data")))
    with served(provider.application()) as url:
        monkeypatch.setenv("HEMOSTAT_MODELS", "openai/scripted")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        with running(cluster, "observe", OBSERVE_USER, tmp_path):
            until(lambda: found.condition(uid, "Consulted") == ("False", "NotPermitted"), 60, "it says why")
    assert provider.requests == []
