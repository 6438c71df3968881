"""The runner with a scripted world: what it does when, and that it always cleans up."""

import copy

import pytest

from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.clock import FakeClock
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict
from hemostat_chaos.experiment import runner as module
from hemostat_chaos.experiment.command import load
from hemostat_chaos.experiment.runner import Options, Runner
from hemostat_chaos.experiment.steady import SteadyInput
from hemostat_chaos.experiment.waiting import Waiter


class FakeWorld:
    """Opens an Incident nine seconds after the fault and heals it nine seconds after the approval."""

    def __init__(self, make, live, clock):
        self.make, self.live, self.clock = make, live, clock
        self.applied, self.statuses = [], []
        self.approved_at = None
        self.conflict = self.hiccup = False
        self.healthy = True

    def since(self):
        return (self.clock.now() - self.make.start).total_seconds()

    def submit(self, manifest):
        return ChaosExperiment.model_validate(manifest)

    def steady_input(self, experiment):
        word = "True" if self.healthy else "False"
        watch = self.make.watch(self.make.condition("Healthy", word, "Looked"))
        sets = [self.make.replicaset(1, "h1")]
        return SteadyInput(watch, self.live, self.live, sets, [], experiment.spec.expect.action)

    def deployment(self, name):
        return copy.deepcopy(self.live)

    def apply_as_owner(self, manifest, *, force=False):
        if self.conflict and self.applied and not force:
            raise Conflict("conflict with hemostat-act")
        self.applied.append((manifest, force))

    def incidents(self):
        if self.hiccup:
            self.hiccup = False
            raise Retry("API server did not answer")
        if not self.applied or self.since() < 9:
            return []
        over = self.approved_at is not None and self.since() - self.approved_at > 9
        conditions = [self.make.condition("Resolved", "True", "Healed", self.since())] if over else []
        return [
            self.make.incident(signals=[self.make.signal("ErrorRate")], runbook="bad-rollout", conditions=conditions)
        ]

    def remediations(self, incident):
        if self.approved_at is None:
            return (self.make.remediation(self.make.condition("Admitted", "Unknown", "NeedsApproval")),)
        return (self.make.remediation(self.make.condition("Applied", "True", "Applied", self.approved_at)),)

    def write_status(self, experiment, body):
        self.statuses.append(body["status"])


@pytest.fixture
def stage(make, live, monkeypatch):
    return Stage(make, live, monkeypatch)


class Stage:
    def __init__(self, make, live, monkeypatch):
        self.clock = FakeClock(make.start)
        self.world = FakeWorld(make, live, self.clock)
        self.said, self.moments = [], []
        self.intern_is_refused = True
        self.manifest = load(make.root / "chaos/experiments/bad-rollout.yaml")[0]
        monkeypatch.setattr(module.people, "approve", self.approve)

    def approve(self, person, remediation, reason):
        if person == "intern":
            if self.intern_is_refused:
                raise Refused("Forbidden", "the user must hold the RBAC verb approve")
            return "intern@example.com"
        if person == "outsider":
            raise Refused("Forbidden", "not you")
        self.world.approved_at = self.world.since()
        return "sre@example.com"

    def run(self, **options):
        people = {"approver": "sre", "refused": "intern", "at": self.moments.append}
        waiter = Waiter(self.clock, self.clock.step, self.said.append)
        return Runner(self.world, waiter, Options(**(people | options))).run(self.manifest)

    def conditions(self):
        return {c["type"]: (c["status"], c["reason"]) for c in self.world.statuses[-1]["conditions"]}


def test_from_the_fault_to_the_verdict(stage, manifest):
    result = stage.run()
    assert result.passed, result.message
    assert (result.approved_by, result.action, result.incident) == ("sre@example.com", "rollback", "payment-1")
    assert "RBAC verb approve" in result.refused
    assert result.time_to_detect_seconds == 9
    assert result.time_to_recover_seconds > result.time_to_see_seconds >= 9
    assert stage.moments == ["injection", "approval", "end"]
    (faulty, _), (restored, forced) = stage.world.applied
    assert {e["name"] for e in faulty["spec"]["template"]["spec"]["containers"][0]["env"]} >= {"SHOP_FAIL_PERCENT"}
    assert restored == manifest
    assert not forced
    assert stage.conditions() == {
        "SteadyState": ("True", "Healthy"),
        "Injected": ("True", "Applied"),
        "Passed": ("True", "AsExpected"),
        "CleanedUp": ("True", "Restored"),
    }
    assert any("sre@example.com approves: Roll payment back" in line for line in stage.said)


def test_without_a_steady_state_it_is_not_started_and_never_passes(stage):
    stage.world.healthy = False
    result = stage.run(steady_deadline_seconds=20)
    assert not result.started
    assert not result.passed
    assert "not healthy" in result.message
    assert not stage.world.applied
    assert stage.conditions()["Passed"] == ("False", "NotStarted")
    assert any("so far: Watch payment is not healthy" in line for line in stage.said)


def test_nobody_approves(stage):
    result = stage.run(approver=None, refused=None)
    assert not result.passed
    assert "rollback is not applied yet, after 180 s" in result.message
    assert sum("a person must decide: kubectl hemostat approve" in line for line in stage.said) == 1
    assert len(stage.world.applied) == 2


def test_an_intern_who_may_approve_is_a_failure(stage):
    stage.intern_is_refused = False
    result = stage.run()
    assert not result.passed
    assert "could approve without the RBAC verb approve" in result.message


def test_an_approver_who_is_refused_is_a_failure(stage):
    result = stage.run(approver="outsider")
    assert not result.passed
    assert "the approver was refused: not you" in result.message


def test_a_passing_fault_of_the_api_server_changes_nothing(stage):
    stage.run(at=lambda _moment: setattr(stage.world, "hiccup", True))
    assert stage.conditions()["Passed"] == ("True", "AsExpected")


def test_a_clean_up_that_must_force_is_told(stage):
    stage.world.conflict = True
    result = stage.run()
    assert result.clean_up == "Forced"
    assert stage.world.applied[-1][1]


def test_whatever_breaks_the_fault_is_taken_back(stage, manifest):
    def broken(_moment):
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        stage.run(at=broken)
    assert stage.world.applied[-1] == (manifest, False)
