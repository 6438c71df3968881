"""`act` on a real API server: what its log holds, what is published of it, and what it does without it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.postgres import postgres
from tests.api.programs import until
from tests.api.support import Cluster, can, eventually, rest
from tests.api.test_gone import running
from tests.api.test_rounds import hemostat, proposed, runbook, trouble

from hemostat.api.identity import ACT_USER, AUDIT, NAMESPACE, OBSERVE_USER
from hemostat.audit.keys import Signer
from hemostat.audit.opening import NAME

Json = dict[str, Any]
BEGIN_ANEW = ("patch", "configmap", AUDIT, "-n", NAMESPACE, "--type=json", '-p=[{"op":"remove","path":"/data"}]')


@pytest.fixture
def published(cluster: Cluster) -> Iterator[str]:
    """The ConfigMap of heads, as operator/deploy has it; return its path."""
    cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": AUDIT, "namespace": NAMESPACE}})
    yield rest("configmaps", NAMESPACE, name=AUDIT)
    cluster.kubectl("delete", "configmap", AUDIT, f"--namespace={NAMESPACE}")


def head(cluster: Cluster, path: str) -> Json:
    return cluster.admin.get(path).get("data") or {}


def steps(cluster: Cluster, log: object, name: str) -> list[tuple[str, str, str]]:
    """Step, on whose word and whose, of every record about a Remediation."""
    found = hemostat(cluster, "nobody", "audit", "list", str(log), "--remediation", name, "-o", "json")
    return [(r["step"], r["word"], ",".join(r["names"])) for r in json.loads(found.stdout)["items"]]


@pytest.mark.timeout(240)
def test_every_step_is_in_the_log_and_a_log_that_was_lost_stops_everything(
    cluster: Cluster, namespace: str, tmp_path: Path, published: str
) -> None:
    trouble(cluster, namespace, runbook("first", namespace, 3, "200"))
    cluster.grant("ruth", namespace, role="hemostat-approver")
    eventually(lambda: can(cluster.user("ruth"), "get", "incidents", namespace, "hemostat.dev"), "ruth may look")
    log = tmp_path / "audit.db"
    with running(cluster, "observe", OBSERVE_USER, tmp_path):
        with running(cluster, "act", ACT_USER, tmp_path):
            until(lambda: "planHash" in (proposed(cluster, namespace) or [{}])[0].get("status", {}), 60, "a plan")
            name = proposed(cluster, namespace)[0]["metadata"]["name"]
            until(lambda: head(cluster, published), 20, "a head is published")
            done = hemostat(cluster, "ruth", "approve", name, "-n", namespace, "--yes")
            assert done.returncode == 0, done.stderr
            until(lambda: proposed(cluster, namespace)[0]["status"].get("results"), 30, "it is applied")
        told = steps(cluster, log, name)
        assert told[:2] == [("Planned", "Process", ""), ("Decided", "Process", "")]
        assert [t for t in told if t[0] in ("Admitted", "Intent", "Result")] == [
            ("Admitted", "Person", "ruth"),
            ("Intent", "Person", "ruth"),
            ("Result", "Person", "ruth"),
        ]
        first = head(cluster, published)
        (tmp_path / "head").write_text(first["head"])
        whole = hemostat(
            cluster, "x", "audit", "verify", str(log), "--key", first["key"], "--head", str(tmp_path / "head")
        )
        assert (whole.returncode, whole.stdout[:6]) == (0, "whole:"), whole.stdout
        again = hemostat(cluster, "x", "audit", "replay", str(log))
        assert again.returncode == 0, again.stdout
        assert "the same" in again.stdout
        events = cluster.kubectl("get", "events", f"--namespace={NAMESPACE}", "-o", "json").stdout
        assert '"reason": "AuditHead"' in events

        lost = tmp_path / "lost"
        lost.mkdir()
        with running(cluster, "act", ACT_USER, lost):
            cluster.kubectl("delete", "runbooks.hemostat.dev", "first", f"--namespace={namespace}")  # a verdict is due
            waits = ("get", "events", f"--namespace={namespace}", "--field-selector=reason=NotRecorded", "-o", "name")
            until(lambda: cluster.kubectl(*waits).stdout, 30, "what waits says so")
            assert head(cluster, published) == first
            assert (
                "AuditTruncated" in (lost / "act.log").read_text() or "begin another" in (lost / "act.log").read_text()
            )
            cluster.kubectl(*BEGIN_ANEW)
            until(lambda: head(cluster, published).get("key"), 60, "it goes on with another log")
            assert head(cluster, published)["key"] != first["key"]


@pytest.mark.timeout(240)
def test_while_its_database_is_gone_nothing_is_done_and_then_it_is(
    cluster: Cluster, namespace: str, tmp_path: Path, published: str
) -> None:
    trouble(cluster, namespace, runbook("first", namespace, 3, "200"))
    cluster.grant("ruth", namespace, role="hemostat-approver")
    eventually(lambda: can(cluster.user("ruth"), "get", "incidents", namespace, "hemostat.dev"), "ruth may look")
    (tmp_path / "key.pem").write_bytes(Signer.generate(NAME)[1])
    with postgres(tmp_path, fsync="on") as server, running(cluster, "observe", OBSERVE_USER, tmp_path):
        where = {"HEMOSTAT_AUDIT": server.address(), "HEMOSTAT_AUDIT_KEY": str(tmp_path / "key.pem")}
        with running(cluster, "act", ACT_USER, tmp_path, **where):
            until(lambda: "planHash" in (proposed(cluster, namespace) or [{}])[0].get("status", {}), 60, "a plan")
            name = proposed(cluster, namespace)[0]["metadata"]["name"]
            until(lambda: head(cluster, published), 20, "a head is published")
            server.stop()
            done = hemostat(cluster, "ruth", "approve", name, "-n", namespace, "--yes")
            assert done.returncode == 0, done.stderr
            waits = ("get", "events", f"--namespace={namespace}", "--field-selector=reason=NotRecorded", "-o", "name")
            until(lambda: cluster.kubectl(*waits).stdout, 60, "what waits says so")
            assert not proposed(cluster, namespace)[0]["status"].get("intents")
            server.start()
            until(lambda: proposed(cluster, namespace)[0]["status"].get("results"), 60, "it is applied")
        key = head(cluster, published)["key"]
        whole = hemostat(cluster, "x", "audit", "verify", server.address(), "--key", key)
        assert (whole.returncode, whole.stdout[:6]) == (0, "whole:"), whole.stdout
        told = [step for step, _, who in steps(cluster, server.address(), name) if who == "ruth"]
        assert told[:3] == ["Admitted", "Intent", "Result"]


def test_nobody_but_act_writes_heads_by_its_own_rights(cluster: Cluster, published: str) -> None:
    assert can(cluster.user(ACT_USER), "patch", "configmaps", NAMESPACE, name=AUDIT)
    assert not can(cluster.user(ACT_USER), "patch", "configmaps", NAMESPACE, name="hemostat-people")
    assert not can(cluster.user(ACT_USER), "create", "configmaps", NAMESPACE)
    assert not can(cluster.user(OBSERVE_USER), "patch", "configmaps", NAMESPACE, name=AUDIT)
