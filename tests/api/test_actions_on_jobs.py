"""`suspend-cronjob` and `rerun-job` on a real API server: by `act`'s own rights, and back without a trace."""

from typing import Any

import pytest
from tests.api.roundtrip import Trip, lasting, ours_on
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.registry import discover
from hemostat.api.rbac import opt_in

Json = dict[str, Any]
CATALOGUE = discover()
TEMPLATE = {
    "metadata": {"labels": {"app": "nightly"}},
    "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/app:1"}]},
}


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> str:
    """Return a namespace that has opted in."""
    name = cluster.make_namespace()
    cluster.admin.create(rest("rolebindings", name, RBAC), opt_in(name), MANAGER)
    eventually(lambda: can(cluster.act, "create", "jobs", name, "batch"), "act has opted in")
    return name


def test_a_cron_job_is_suspended_and_resumed(cluster: Cluster, shop: str) -> None:
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}
    metadata = {"name": "nightly", "namespace": shop}
    before = cluster.make({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec})
    path = rest("cronjobs", shop, "batch/v1", "nightly")
    trip = Trip(cluster, shop, CATALOGUE["suspend-cronjob"], before)
    trip.there()
    assert cluster.admin.get(path)["spec"]["suspend"] is True
    trip.back()
    after = cluster.admin.get(path)
    assert (lasting(after), ours_on(after)) == (lasting(before), [])


def test_a_failed_job_runs_again_under_another_name_and_its_pods_go_with_it(cluster: Cluster, shop: str) -> None:
    metadata, jobs = {"name": "import", "namespace": shop}, rest("jobs", shop, "batch/v1")
    made = cluster.make({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": TEMPLATE}})
    now = {"lastTransitionTime": "2026-03-01T12:00:00Z", "reason": "BackoffLimitExceeded", "status": "True"}
    conditions = [{"type": kind, **now} for kind in ("FailureTarget", "Failed")]
    ended = {"startTime": "2026-03-01T11:00:00Z", "failed": 1, "conditions": conditions}
    failed = cluster.admin.merge_patch(f"{jobs}/import/status", {"status": ended}, MANAGER)
    assert "Forbidden" not in refusal(lambda: cluster.act.get(f"{jobs}/import"))

    trip = Trip(cluster, shop, CATALOGUE["rerun-job"], failed)
    trip.there()
    name = trip.plan.effects[0].name
    again = cluster.admin.get(f"{jobs}/{name}")
    assert again["spec"]["template"]["spec"]["containers"] == made["spec"]["template"]["spec"]["containers"]
    assert again["spec"]["selector"] != made["spec"]["selector"]
    assert cluster.admin.get(f"{jobs}/import")["metadata"]["uid"] == failed["metadata"]["uid"]

    trip.back()
    left = [j["metadata"]["name"] for j in cluster.admin.list(jobs) if "deletionTimestamp" not in j["metadata"]]
    assert left == ["import"]
    assert "orphan" not in str(cluster.admin.list(jobs)), "its pods go with it: no finalizer leaves them"
    assert ours_on(cluster.admin.get(f"{jobs}/import")) == []
