"""What follows a denial and a remedy that did not help, and who may say what was learnt: real processes with their own
rights, a real API server, and people with and without rights.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.api import objects
from tests.api.programs import until
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest
from tests.api.test_gone import Incidents, crashing, running

from hemostat.action.contract import Rule
from hemostat.api import GROUP
from hemostat.api.identity import ACT_USER, LESSON, LESSON_BY, OBSERVE_USER
from hemostat.api.rbac import opt_in

Json = dict[str, Any]
CRASHES = 'workload.aspects.exists(a, a == "CrashLoopBackOff")'


def runbook(name: str, namespace: str, weight: int, *percents: str) -> Json:
    """A Runbook that fits, and scales by these."""
    spec = {
        "state": "Active",
        "cause": f"cause of {name}",
        "symptoms": [{"name": "crashes", "expression": CRASHES, "weight": weight, "necessity": "Required"}],
        "remediations": [
            {
                "action": "scale",
                "parameters": [{"name": "factorPercent", "value": p}, {"name": "maxReplicas", "value": "9"}],
            }
            for p in percents
        ],
    }
    return objects.named("Runbook", spec, name, namespace)


def trouble(cluster: Cluster, namespace: str, *books: Json) -> tuple[Incidents, str]:
    cluster.account(namespace, "default")
    cluster.admin.create(rest("rolebindings", namespace, RBAC), opt_in(namespace), MANAGER)
    for book in books:
        cluster.make(book)
    spec = {"target": {"name": "payment"}, "intervalSeconds": 1, "signals": [{"name": "pods", "workload": {}}]}
    cluster.make(objects.named("Watch", spec, "payment", namespace))
    return Incidents(cluster, namespace), crashing(cluster, namespace)


def proposed(cluster: Cluster, namespace: str) -> list[Json]:
    found = cluster.admin.list(objects.KINDS["Remediation"].path(namespace))
    return sorted(found, key=lambda r: r["metadata"]["creationTimestamp"])


def books_of(cluster: Cluster, namespace: str) -> list[str]:
    return [r["spec"]["runbookRef"]["name"] for r in proposed(cluster, namespace)]


def outcomes(incident: Json) -> list[str]:
    return [e["summary"] for e in incident["status"].get("evidence", ()) if e["kind"] == "Outcome"]


def hemostat(cluster: Cluster, who: str, *args: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"KUBECONFIG": str(cluster.server.user_kubeconfig(who, ()))}
    argv = [sys.executable, "-m", "hemostat", *args]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.timeout(240)
def test_a_denial_begins_a_round_and_the_lesson_counts_once_a_person_with_the_right_accepts_it(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    found, uid = trouble(
        cluster, namespace, runbook("first", namespace, 3, "200"), runbook("second", namespace, 2, "150")
    )
    for who, role in (("ruth", "hemostat-approver"), ("vera", "hemostat-viewer"), ("paul", "")):
        rules = [Rule(GROUP, ("incidents",), ("get", "list", "patch"))] if not role else ()
        cluster.grant(who, namespace, rules, role=role)
        eventually(lambda who=who: can(cluster.user(who), "get", "incidents", namespace, GROUP), f"{who} may look")
    with running(cluster, "observe", OBSERVE_USER, tmp_path), running(cluster, "act", ACT_USER, tmp_path):
        until(lambda: "planHash" in (proposed(cluster, namespace) or [{}])[0].get("status", {}), 60, "a plan is there")
        name = proposed(cluster, namespace)[0]["metadata"]["name"]
        said = "not during the sale, password=hunter2"
        done = hemostat(cluster, "ruth", "deny", name, "-n", namespace, "--reason", said, "--yes")
        assert done.returncode == 0, done.stderr
        until(lambda: books_of(cluster, namespace) == ["first", "second"], 60, "the next Runbook's remedy is proposed")
        until(lambda: outcomes(found.of(uid)), 20, "the Incident says so too: it is written after the proposal")
        incident = found.of(uid)
        (told,) = outcomes(incident)
        assert told.startswith("scale of Runbook first was denied by a person: ruth: not during the sale")
        assert "hunter2" not in str((incident["status"]["evidence"], incident["status"]["diagnosis"]))
        ruled = {h["runbook"]: h.get("ruledOut") for h in incident["status"]["diagnosis"]["hypotheses"]}
        assert ruled == {"first": "scale of Runbook first was denied by a person", "second": None}

        cluster.kubectl("delete", "deployment", "payment", f"--namespace={namespace}")
        until(lambda: found.condition(uid, "Resolved")[0] == "True", 40, "it is over")
        until(lambda: "lesson" in found.of(uid)["status"], 20, "its lesson is drafted")
    incident = found.of(uid)
    name, lesson = incident["metadata"]["name"], incident["status"]["lesson"]
    assert "Cause: cause of second (Runbook second) [E" in lesson["text"], lesson["text"]
    assert "scale: DeniedByPerson [E" in lesson["text"]
    assert set(lesson["cites"]) <= {e["id"] for e in incident["status"]["evidence"]}

    for who in ("vera", "paul"):
        done = hemostat(cluster, who, "lesson", "accept", name, "-n", namespace, "--yes")
        assert done.returncode == 1
        assert "ClusterRole hemostat-approver" in done.stderr
    assert LESSON not in found.of(uid)["metadata"].get("annotations", {})
    done = hemostat(cluster, "ruth", "lesson", "accept", name, "-n", namespace, "--text", "see [E63]", "--yes")
    assert (done.returncode, "E63" in done.stderr) == (1, True)
    done = hemostat(cluster, "ruth", "lesson", "accept", name, "-n", namespace, "--yes")
    assert done.returncode == 0, done.stderr
    notes = found.of(uid)["metadata"]["annotations"]
    assert (notes[LESSON], notes[LESSON_BY]) == (lesson["text"], "ruth")
    assert "accepted by ruth" in hemostat(cluster, "vera", "lesson", "show", name, "-n", namespace).stdout


def test_nobody_accepts_a_lesson_in_another_name_and_no_process_does(cluster: Cluster, namespace: str) -> None:
    robot = cluster.account(namespace, "robot")
    every = [Rule(GROUP, ("incidents",), ("create", "patch", "get", "accept"))]
    for who in ("ruth2", robot, OBSERVE_USER):
        cluster.grant(who, namespace, every)
    ruth, machine = cluster.user("ruth2"), cluster.service_account(namespace, "robot")
    eventually(lambda: can(ruth, "accept", "incidents", namespace, GROUP), "ruth may accept")
    eventually(lambda: can(machine, "accept", "incidents", namespace, GROUP), "the robot has the rights")
    eventually(lambda: can(cluster.observe, "accept", "incidents", namespace, GROUP), "observe has them too")
    body = objects.named("Incident", objects.MINIMAL["Incident"], "one", namespace)
    path = objects.KINDS["Incident"].path(namespace, cluster.make(body)["metadata"]["name"])

    def says(kube: Any, lesson: str | None, by: str | None) -> str:
        notes = {"metadata": {"annotations": {LESSON: lesson, LESSON_BY: by}}}
        return refusal(lambda: kube.merge_patch(path, notes, MANAGER))

    assert "by a person, not by a service account" in says(machine, "go on [E1]", robot)
    assert "by a person, not by a service account" in says(cluster.observe, "go on [E1]", OBSERVE_USER)
    assert "must be the user who accepts" in says(ruth, "go on [E1]", "somebody")
    assert "must be the user who accepts" in says(ruth, "go on [E1]", None)
    assert "at most 1024" in says(ruth, "x" * 1025, "ruth2")
    assert says(ruth, "go on [E1]", "ruth2") == ""
    assert "by a person" in says(machine, "rather not", "ruth2"), "nor is it changed by one"
    assert "by a person" in says(machine, None, None), "nor taken back"
    other = {"metadata": {"annotations": {"example.com/other": "1"}}}
    assert refusal(lambda: machine.merge_patch(path, other, MANAGER)) == "", "other annotations are nobody's business"
    made = objects.named("Incident", objects.MINIMAL["Incident"], "two", namespace)
    made["metadata"]["annotations"] = {LESSON: "forged", LESSON_BY: "ruth2"}
    assert "by a person" in refusal(lambda: cluster.make(made, cluster.observe)), "nor is one born with it"
    assert says(ruth, None, None) == ""


@pytest.mark.timeout(180)
def test_what_did_not_help_begins_rounds_until_they_are_used_up(
    cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`act` is played, with its own account: what it would verify for minutes is written at once."""
    monkeypatch.setenv("HEMOSTAT_DIAGNOSIS_ROUNDS", "2")
    found, uid = trouble(cluster, namespace, runbook("only", namespace, 3, "150", "200", "300"))
    with running(cluster, "observe", OBSERVE_USER, tmp_path):
        for number in (1, 2):
            until(lambda n=number: len(proposed(cluster, namespace)) == n, 60, f"remedy {number} is proposed")
            last = proposed(cluster, namespace)[-1]
            assert last["spec"]["step"] == number - 1
            assert last["spec"]["calibration"] == {"by": "Matcher", "outcomes": 0}
            ends = [objects.condition("Applied"), objects.condition("Finished") | {"reason": "Ineffective"}]
            cluster.set_status(last, {"conditions": ends}, cluster.act)
        until(lambda: found.condition(uid, "Diagnosed") == ("False", "RoundsUsedUp"), 60, "it is left to a person")
        assert len(outcomes(found.of(uid))) == 2
    assert len(proposed(cluster, namespace)) == 2
