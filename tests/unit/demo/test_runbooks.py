"""The Runbooks of the demonstration against facts as `observe` would gather them."""

from functools import cache

import pytest
import yaml

from hemostat.action.contract import parse
from hemostat.action.registry import discover
from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.api.gatepolicy import GatePolicy
from hemostat.api.incident import SignalStatus
from hemostat.api.runbook import Runbook
from hemostat.api.watch import Watch
from hemostat.diagnosis.evidence import Change, Facts
from hemostat.diagnosis.matcher import expression_error, match
from hemostat.signals.workload import WorkloadState
from hemostat_chaos.experiment.command import load

ACTIONS = discover()
WELL = WorkloadState(desired=2, ready=2, updated=2, total=2, complete=True, stuck=False)


def objects(make, name, model):
    return [model.model_validate(item) for item in documents(make.root / "chaos/demo" / name)]


@cache
def documents(file):
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


@pytest.fixture
def runbooks(make):
    """Return all that chaos/demo/runbooks installs."""
    files = [p for g in ("load", "rollouts") for p in (make.root / "remediations/runbooks" / g).glob("*.yaml")]
    return [Runbook.model_validate(d) for p in files if p.name != "kustomization.yaml" for d in documents(p)]


@pytest.fixture
def choose(make, runbooks):
    def run(*signals, rollout_age=None, workload=WELL, troubles=(), also=()):
        changes = tuple(Change(kind, "payment", make.start, age, detail) for kind, age, detail in also)
        if rollout_age is not None:
            changes += (Change("Rollout", "revision 2", make.start, rollout_age, "env added"),)
        seen = tuple(SignalStatus.model_validate(s) for s in signals)
        facts = Facts({"kind": "Deployment", "name": "payment"}, seen, changes, workload, troubles)
        return match(runbooks, "Deployment", facts, ())

    return run


def test_every_expression_compiles_and_every_parameter_is_valid(runbooks):
    for runbook in runbooks:
        assert [expression_error(s) for s in runbook.spec.symptoms if expression_error(s)] == []
        for remediation in runbook.spec.remediations:
            parse(ACTIONS[remediation.action], remediation.parameters)


def test_errors_after_a_rollout(choose, make):
    found = choose(make.signal("ErrorRate"), make.signal("Latency"), rollout_age=9.0)
    assert found.diagnosis.runbook_ref.name == "bad-rollout"
    assert found.diagnosis.hypotheses[0].confidence_percent == 100
    assert "saturated" in found.diagnosis.hypotheses[1].ruled_out


@pytest.mark.parametrize("kind", ["ErrorRate", "Latency", "Workload"])
def test_any_trouble_after_a_rollout(choose, make, kind):
    found = choose(make.signal(kind), rollout_age=30.0, troubles=("payment-x: CrashLoopBackOff",))
    assert found.diagnosis.runbook_ref.name == "bad-rollout"


@pytest.mark.parametrize("age", [None, 601.0, -5.0])
def test_without_a_recent_rollout_it_is_no_bad_rollout(choose, make, age):
    assert choose(make.signal("ErrorRate"), rollout_age=age).reason == "NoRunbookMatches"


@pytest.mark.parametrize(
    ("kind", "detail"),
    [("Scale", "replicas 1 -> 2 (by kubectl)"), ("Quota", "pods 4 -> 1"), ("ConfigMap", "key url removed")],
)
def test_what_was_changed_after_the_rollout_is_suspected_first(choose, make, kind, detail):
    found = choose(make.signal("Workload"), rollout_age=60.0, also=[(kind, 10.0, detail)])
    assert found.reason == "NoRunbookMatches"
    assert "nothing-changed-since" in found.diagnosis.hypotheses[0].ruled_out


@pytest.mark.parametrize(
    ("kind", "age", "detail"),
    [
        ("Scale", 10.0, "replicas 2 -> 4 (by kube-controller-manager)"),  # the autoscaler answers the trouble
        ("ConfigMap", 52.0, "key url changed"),  # applied together
        ("ConfigMap", 90.0, "key url changed"),  # before it
        ("Scale", -5.0, "replicas 2 -> 4 (by kubectl)"),  # somebody helps
    ],
)
def test_the_rollout_stays_suspected_where_the_other_change_is_no_cause(choose, make, kind, age, detail):
    found = choose(make.signal("Workload"), rollout_age=60.0, also=[(kind, age, detail)])
    assert found.diagnosis.runbook_ref.name == "bad-rollout"


def test_a_signal_that_has_cleared_is_no_symptom(choose, make):
    assert choose(make.signal("ErrorRate", state="Clear"), rollout_age=9.0).reason == "NoRunbookMatches"


def test_saturation_without_a_rollout(choose, make):
    saturated = make.signal("Saturation", source="Prometheus")
    found = choose(saturated, make.signal("Latency"))
    assert found.diagnosis.runbook_ref.name == "saturation"
    assert found.diagnosis.hypotheses[0].confidence_percent == 100
    assert choose(saturated, rollout_age=500.0).diagnosis.runbook_ref.name == "saturation"


def test_saturation_right_after_a_rollout_is_not_scaled_away(choose, make):
    found = choose(make.signal("Saturation"), make.signal("Latency"), rollout_age=60.0)
    assert found.diagnosis.runbook_ref.name == "bad-rollout"


def test_the_experiments_fit_the_watches_and_runbooks(make, runbooks):
    watches = {w.metadata.name: w for w in objects(make, "watches.yaml", Watch)}
    books = {r.metadata.name: r for r in runbooks}
    for path in sorted((make.root / "chaos/experiments").glob("*.yaml")):
        for item in load(path):
            spec = ChaosExperiment.model_validate(item).spec
            if spec.watch not in watches:
                continue  # not of this demonstration
            assert books[spec.expect.runbook].spec.remediations[0].action == spec.expect.action
            kinds = {s.metric.kind for s in watches[spec.watch].spec.signals if s.metric}
            assert spec.expect.signal in kinds


def test_the_policies_let_scale_and_not_rollback_go_unattended(make):
    said = {p.spec.actions: p.spec for p in objects(make, "policies.yaml", GatePolicy)}
    assert said[("rollback",)].decision == "Approve"
    scale = said[("scale",)]
    assert (scale.decision, scale.blast_radius.max_pods_percent, scale.blast_radius.max_replicas) == ("Auto", 0, 6)
    assert scale.namespaces == ("shop",)
