"""`suspend-cronjob` and `rerun-job`: what they write, what they take back, and how a rerun is judged."""

import json

import pytest
from tests.unit.act.double import patched
from tests.unit.builders import NAMESPACE, T0, condition, meta

from hemostat.action.contract import World, make_plan
from hemostat.action.effects import body_of, still_ours, wire
from hemostat.action.registry import discover
from hemostat.api.identity import REMEDIATION_LABEL
from hemostat.api.meta import BoundTargetRef
from hemostat.errors import Refused
from hemostat.signals.workload import Scene, troubles
from hemostat.signals.workload.state import last_run, state_of

SUSPEND, RERUN = (discover()[name] for name in ("suspend-cronjob", "rerun-job"))
OWN = {"controller-uid": "u", "job-name": "nightly", "batch.kubernetes.io/job-name": "nightly"}


def cron(**spec):
    given = {"schedule": "0 3 * * *", "suspend": False} | spec
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta("nightly"), "spec": given, "status": {}}


def job(name="nightly", ended="Failed", created="2026-03-01T11:00:00Z", **spec):
    template = {"metadata": {"labels": OWN | {"app": "nightly"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    given = {"backoffLimit": 1, "selector": {"matchLabels": {"controller-uid": "u"}}, "template": template} | spec
    conditions = [condition(ended, reason="BackoffLimitExceeded")] if ended else []
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta(name, creationTimestamp=created),
        "spec": given,
        "status": {"conditions": conditions},
    }


def plan(action, live):
    target = BoundTargetRef(api_version="batch/v1", kind=live["kind"], name="nightly", uid="uid-nightly")
    seen = World(target=live, proposed=T0, remediation="uid-r", name="nightly-1-rerun", namespace=NAMESPACE)
    return make_plan(action, target, action.params(), seen)


def reason(action, live):
    with pytest.raises(Refused) as caught:
        plan(action, live)
    return caught.value.reason


def test_a_cron_job_is_suspended_and_resumed():
    live = cron()
    live["status"]["active"] = [{"name": "nightly-1"}]
    found = plan(SUSPEND, live)
    (step,) = found.steps
    after = patched(live, wire(step.forward, live))
    assert after["spec"]["suspend"] is True
    assert patched(after, wire(step.inverse, after)) == live
    assert "1 that run go on" in found.summary


def test_what_somebody_suspended_is_his():
    assert reason(SUSPEND, cron(suspend=True)) == "AlreadySuspended"


def test_a_failed_job_is_made_again_of_its_template_and_without_what_was_its_own():
    live = job()
    before = json.dumps(live)
    (step,) = plan(RERUN, live).steps
    body = body_of(step.forward, NAMESPACE)
    assert json.dumps(live) == before, "planning changes nothing"
    assert body["metadata"]["labels"] == {REMEDIATION_LABEL: "uid-r"}, "else act could not delete it"
    assert [o["uid"] for o in body["metadata"]["ownerReferences"]] == ["uid-r", "uid-nightly"]
    assert "annotations" not in body["metadata"]
    assert body["spec"] == {
        "backoffLimit": 1,
        "template": {"metadata": {"labels": {"app": "nightly"}}, "spec": live["spec"]["template"]["spec"]},
    }
    assert (step.inverse.verb.value, step.inverse.name) == ("Delete", step.forward.name)
    assert still_ours(step.forward, body | {"status": {}})
    assert not still_ours(step.forward, body | {"spec": body["spec"] | {"backoffLimit": 7}})


@pytest.mark.parametrize("ended", ["", "Complete"])
def test_what_has_not_failed_is_not_run_again(ended):
    assert reason(RERUN, job(ended=ended)) == "NotFailed"


def test_a_job_is_judged_by_its_last_run_that_ended():
    failed, well = job(), job("again", "Complete", "2026-03-01T12:00:00Z")
    later = job("more", "Failed", "2026-03-01T13:00:00Z")
    assert [t.subject for t in troubles(Scene(failed), T0)] == ["nightly"]
    assert troubles(Scene(failed, owned=[job("again", "")]), T0), "a run that goes on says nothing yet"
    assert troubles(Scene(failed, owned=[well]), T0) == ()
    assert [t.subject for t in troubles(Scene(failed, owned=[later, well]), T0)] == ["more"]
    assert last_run([]) is None
    assert state_of(last_run([later, well])).stuck


def test_a_suspended_cron_job_is_not_judged():
    failed = job("run-1")
    assert [t.subject for t in troubles(Scene(cron(), owned=[failed]), T0)] == ["run-1"]
    assert troubles(Scene(cron(suspend=True), owned=[failed]), T0) == ()
