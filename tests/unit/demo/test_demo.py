"""The demonstration's pure parts, and its shells with a fake kubectl."""

import subprocess
from datetime import timedelta

import pytest

from hemostat.clock import FakeClock
from hemostat.errors import Refused, Retry
from hemostat_chaos.demo import kill, owner
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.demo.ready import not_ready
from hemostat_chaos.demo.report import About, cluster_kind, report, summary
from hemostat_chaos.experiment.command import load
from hemostat_chaos.experiment.record import Record, Result
from hemostat_chaos.experiment.waiting import TimedOut, Waiter


def test_what_is_not_ready_is_named_with_its_trouble(live):
    assert not_ready([live], [], ["payment"]) is None
    assert not_ready([live], [], ["payment", "load"]) == "Deployment load does not exist"
    live["status"]["availableReplicas"] = live["status"]["readyReplicas"] = 1
    waiting = {"state": {"waiting": {"reason": "ErrImageNeverPull"}}}
    pod = {"metadata": {"name": "payment-x"}, "status": {"containerStatuses": [waiting]}}
    assert not_ready([live], [pod], []) == "payment 1/2 (payment-x: ErrImageNeverPull)"


def test_waiting_tells_what_for_and_ends(make):
    clock, said = FakeClock(make.start), []
    waiter = Waiter(clock, clock.step, said.append)
    answers = iter(["a", "b", None])
    assert waiter.until("x", lambda: next(answers), 10) == 0.5

    def hiccup():
        raise Retry("not now")

    with pytest.raises(TimedOut, match=r"y: not within 12 s: not now"):
        waiter.until("y", hiccup, 12)
    assert said == ["    y: 5 s so far: not now", "    y: 10 s so far: not now"]


@pytest.mark.parametrize(
    ("text", "process", "moment"), [("act", "act", None), ("observe@injection", "observe", "injection")]
)
def test_kill_is_parsed(text, process, moment):
    assert kill.parse(text) == kill.Kill(process, moment)


@pytest.mark.parametrize("text", ["relay", "act@noon", ""])
def test_what_cannot_be_killed_is_refused(text):
    with pytest.raises(Refused, match=r"must be observe\|act"):
        kill.parse(text)


class FakeKube:
    def get(self, path):
        assert path == "/apis/apps/v1/namespaces/hemostat-system/deployments/hemostat-act"
        return {"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}


def test_kills_happen_at_their_moment():
    calls = []
    at = kill.killer([kill.parse("act@approval")], FakeKube(), lambda *a: calls.append(a), lambda _line: None)
    at("injection")
    assert not calls
    at("approval")
    assert calls[0][:6] == ("delete", "pod", "-n", "hemostat-system", "-l", "a=1,b=2")
    assert "--grace-period=0" in calls[0]


class OneWorkload:
    def __init__(self, *lives):
        self.lives = list(lives)

    def deployment(self, name):
        return self.lives.pop(0)


def test_the_owner_needs_no_force(live):
    scaled = {**live, "spec": {**live["spec"], "replicas": 4}}
    calls = []
    proof = owner.prove(lambda *a: calls.append(a), OneWorkload(scaled, live), "chaos/shop", "payment")
    assert proof.ok
    assert "puts the replicas back from 4 to 2" in proof.message
    assert calls == [("apply", "--server-side", "-k", "chaos/shop")]


def test_a_field_manager_that_stayed_is_found(live):
    live["metadata"]["managedFields"].append({"manager": "hemostat-x", "operation": "Update"})
    proof = owner.prove(lambda *a: "", OneWorkload(live, live), "chaos/shop", "payment")
    assert not proof.ok
    assert "hemostat-x still own(s) fields" in proof.message


def test_an_apply_that_is_refused_is_no_proof(live):
    def refuse(*arguments):
        raise Refused("Kubectl", "conflict with hemostat-x")

    assert not owner.prove(refuse, OneWorkload(live), "chaos/shop", "payment").ok


def _result(name="bad-rollout", *, passed=True, detect=9.123, recover=41.0):
    said = [{"seconds": 9.1, "time": "t", "by": "hemostat-observe", "message": "opened"}]
    return Result(
        name, started=True, passed=passed, message="m", incident="i", action="rollback",
        time_to_detect_seconds=detect, time_to_recover_seconds=recover, timeline=said,
    )  # fmt: skip


PROOF = owner.Proof("payment", ok=True, message="needs no --force-conflicts")
ABOUT = About("kind", "demo", {"hemostat": "0"})


def test_the_report_gives_the_worst_of_both():
    whole = report(ABOUT, [_result(), _result("saturation", detect=20.0, recover=30.0)], [PROOF, PROOF], {"a": 1.24}, 2)
    assert whole["healed"]
    assert (whole["time_to_detect_seconds"], whole["time_to_recover_seconds"]) == (20.0, 41.0)
    assert whole["seconds"] == {"a": 1.2}
    assert whole["experiments"][0]["time_to_detect_seconds"] == 9.12
    text = "\n".join(summary(whole))
    assert "+9.1 s  observe  opened" in text
    assert text.endswith("HEALED")


@pytest.mark.parametrize(
    ("results", "proofs"),
    [
        ([], []),
        ([_result()], [PROOF]),
        ([_result(), _result(passed=False)], [PROOF, PROOF]),
        ([_result(), _result()], [PROOF, owner.Proof("x", ok=False, message="no")]),
    ],
)
def test_anything_less_is_not_healed(results, proofs):
    whole = report(ABOUT, results, proofs, {}, 2)
    assert not whole["healed"]
    assert summary(whole)[-1] == "NOT HEALED"


def test_an_incident_that_never_resolved_leaves_no_time_to_recover():
    assert report(ABOUT, [_result(), _result(recover=None)], [], {}, 2)["time_to_recover_seconds"] is None


def test_a_kind_cluster_is_known_by_its_nodes():
    assert cluster_kind([{"spec": {"providerID": "kind://docker/demo/demo-control-plane"}}]) == "kind"
    assert cluster_kind([{"spec": {}}]) == "other"
    assert cluster_kind([]) == "other"


def test_kubectl_failures_are_told_with_what_it_said(tmp_path, monkeypatch):
    def fail(argv, **_options):
        assert argv[:3] == ["kubectl", "--context", "c"]
        return subprocess.CompletedProcess(argv, 1, "", "no such thing\n")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(Refused, match="kubectl get x: no such thing"):
        Kubectl(tmp_path, "c")("get", "x")


def test_without_kubectl_it_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="not on PATH"):
        Kubectl(tmp_path)("version")


def test_files_that_hold_something_else_are_refused(tmp_path):
    path = tmp_path / "x.yaml"
    for text in ("kind: Pod", "", "a: ["):
        path.write_text(text)
        with pytest.raises(Refused, match=r"x\.yaml"):
            load(path)


def test_milestones_are_told_once_and_bounded(make):
    log = Record()
    for n in range(60):
        log.reached(f"m{n}", "x" * 2000, make.start + timedelta(seconds=n))
        log.reached(f"m{n}", "again", make.start)
    assert len(log.milestones) == 50
    assert len(log.milestones[0].message) == 1024
