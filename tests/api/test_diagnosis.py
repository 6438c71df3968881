"""A diagnosis that a model has a part in: the real process, with its own rights, a real API server, litellm, and a
provider on loopback. Two Runbooks fit, so the matcher cannot decide.
"""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.api import objects
from tests.api.frameworks import served
from tests.api.programs import until
from tests.api.provider import Provider, Reply, calls, failed, of_schema, verdict
from tests.api.support import MANAGER, Cluster, rest
from tests.api.test_gone import CRASHES as WAITING
from tests.api.test_gone import Incidents, crashing, running, started

from hemostat.api.identity import OBSERVE_USER
from hemostat.api.incident import MAX_EVIDENCE, MAX_POINTS, EvidenceKind, Plot
from hemostat.clock import rfc3339
from hemostat.diagnosis.completion import MAX_TOKENS
from hemostat.diagnosis.evidence import Item, append
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


def permitted(cluster: Cluster, namespace: str, kinds: str = "Signal,Workload,Change,Event") -> None:
    change = {"metadata": {"annotations": {ANNOTATION: kinds}}}
    cluster.admin.merge_patch(f"/api/v1/namespaces/{namespace}", change, MANAGER)


def about(provider: Provider, namespace: str) -> list[Json]:
    """Return the requests about this namespace: what other tests left open is asked about again, too."""
    return [body for body in provider.requests if f"in namespace {namespace}" in json.dumps(body)]


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
    assert diagnosis["usage"]["turns"] == len(about(provider, namespace))
    ids = {e["id"] for e in status["evidence"]}
    assert diagnosis["statements"]
    assert all(set(s["cites"]) <= ids for s in diagnosis["statements"])
    assert "sk-canary" not in json.dumps(status) + (tmp_path / "observe.log").read_text()


@pytest.mark.timeout(180)
def test_a_process_that_is_killed_while_it_asks_has_no_new_budget_when_it_is_back(
    cluster: Cluster, namespace: str, trouble: tuple[Incidents, str], tmp_path: Path, monkeypatch
) -> None:
    """SIGKILL in the middle of a request: the Incident says already that it was sent, and what it may cost."""
    found, uid = trouble
    permitted(cluster, namespace, "Signal")
    asked = threading.Event()

    def hangs(_: Json) -> Reply:
        asked.set()
        return Reply(b" " * 600, pause=0.1)

    provider = Provider(hangs)
    with served(provider.application()) as url:
        for name, value in {
            "HEMOSTAT_MODELS": "openai/scripted",
            "HEMOSTAT_DIAGNOSIS_TURNS": "1",
            "OPENAI_API_KEY": "sk-canary",
            "OPENAI_BASE_URL": f"{url}/v1",
        }.items():
            monkeypatch.setenv(name, value)
        with started(cluster, "observe", OBSERVE_USER, tmp_path) as (_, process):
            assert asked.wait(60)
            process.kill()
            process.wait(10)
        before, used = len(about(provider, namespace)), found.of(uid)["status"]["usage"]
        assert (before, used["turns"]) == (1, 1)
        assert used["tokens"] > MAX_TOKENS
        with running(cluster, "observe", OBSERVE_USER, tmp_path):
            until(lambda: found.condition(uid, "Consulted") == ("False", "BudgetSpent"), 60, "the budget is used up")
    assert len(about(provider, namespace)) == before


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
    assert about(provider, namespace) == []


CANARIES = {"hunter2-canary": "password=hunter2-canary", "ann.canary": "user ann.canary@example.org"}


def planted(cluster: Cluster, namespace: str, uid: str) -> None:
    """Say secrets where the kubelet would say why a container waits, and in an Event about its pod."""
    name, text = f"payment-{uid[:8]}", f"cannot start: {', '.join(CANARIES.values())}"
    waiting = {**WAITING, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": text}}}
    path = rest("pods", namespace, "v1", f"{name}/status")
    pod = cluster.admin.merge_patch(path, {"status": {"containerStatuses": [waiting]}}, MANAGER)
    now = rfc3339(datetime.now(UTC)).split(".")[0] + "Z"
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.1", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "name": name, "namespace": namespace, "uid": pod["metadata"]["uid"]},
        "reason": "BackOff",
        "message": text,
        "type": "Warning",
        "count": 3,
        "firstTimestamp": now,
        "lastTimestamp": now,
    }
    cluster.make(event)
    for number, words in ((2, "Container app failed liveness probe, will be restarted"), (3, "Stopping container app")):
        meta = {"name": f"{name}.{number}", "namespace": namespace}
        cluster.make({**event, "metadata": meta, "reason": "Killing", "type": "Normal", "message": words})


@pytest.mark.timeout(180)
def test_what_is_gathered_and_looked_up_is_evidence_without_what_may_not_be_told(
    cluster: Cluster, namespace: str, trouble: tuple[Incidents, str], tmp_path: Path, monkeypatch
) -> None:
    """A model that asks for whatever it can: Events are there, logs may not be read, and no path is a model's."""
    found, uid = trouble
    permitted(cluster, namespace, "Signal,Workload,Change,Event,Log")
    planted(cluster, namespace, uid)
    concludes = of_schema(verdict("bad-data", "payment", confidence=80))
    asks = calls(
        ("logs", {"pod": f"payment-{uid[:8]}", "container": "", "previous": False}),
        ("logs", {"pod": "../../kube-system/pods/x", "container": "", "previous": False}),
        ("delete_pod", {"pod": "payment"}),
        ("events", {}),
    )

    def plays(body: Json) -> Any:
        offered = {tool["function"]["name"] for tool in body.get("tools", ())}
        told = any(message["role"] == "tool" for message in body["messages"])
        return asks if "logs" in offered and not told else concludes(body)

    provider = Provider(plays)
    with served(provider.application()) as url:
        for name, value in {
            "HEMOSTAT_MODELS": "openai/scripted",
            "OPENAI_API_KEY": "sk-canary",
            "OPENAI_BASE_URL": f"{url}/v1",
        }.items():
            monkeypatch.setenv(name, value)
        with running(cluster, "observe", OBSERVE_USER, tmp_path):
            until(lambda: found.condition(uid, "Consulted") == ("True", "Chose"), 60, "the model chose")
            status = found.of(uid)["status"]
    sent, log = json.dumps(provider.requests), (tmp_path / "observe.log").read_text()
    told_events = sorted(e["summary"] for e in status["evidence"] if e["kind"] == "Event")
    assert [": BackOff, " in told_events[0], ": Killing, " in told_events[1], len(told_events)] == [True, True, 2]
    assert "failed liveness probe" in told_events[1], "what is stopped as planned is no evidence"
    said = told_events[0]
    assert "[REDACTED:password]" in said
    assert "[REDACTED:email]" in said
    told = {m["content"] for body in provider.requests for m in body["messages"] if m["role"] == "tool"}
    assert any(text.startswith("it cannot be looked up: ") and "pods/log" in text for text in told), told
    assert any("is no pod of the target" in text for text in told)
    assert any("there is no tool 'delete_pod'" in text for text in told)
    assert [c for c in (*CANARIES, "sk-canary") if c in sent + log + json.dumps(status)] == []


def test_the_largest_evidence_there_can_be_is_taken_by_the_api_server(cluster: Cluster, namespace: str) -> None:
    now = datetime.now(UTC)
    line = Plot(
        unit="x" * 16,
        start_time=now,
        seconds=tuple(range(86_400 - MAX_POINTS, 86_400)),
        values=("-999999999999999.123456789",) * MAX_POINTS,
    )
    items = [
        Item(f"{n} " + "\U0001f70a" * 510, EvidenceKind.SERIES, "s", "\U0001f70a" * 1024, now, line) for n in range(99)
    ]
    evidence = [e.wire() for e in append((), items, now)]
    assert 30 < len(evidence) <= MAX_EVIDENCE
    body = cluster.make(objects.named("Incident", objects.MAXIMAL["Incident"], "large", namespace))
    kept = cluster.set_status(body, {**objects.MAXIMAL_STATUS["Incident"], "evidence": evidence})
    assert kept["status"]["evidence"] == evidence
