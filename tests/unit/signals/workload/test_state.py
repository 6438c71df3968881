"""How a workload stands, by kind: a rollback is verified by it and a Watch is healthy by it."""

import pytest
from tests.unit.builders import deployment

from hemostat.signals.workload import KINDS, state_of
from hemostat.signals.workload.judge import ASPECTS


@pytest.mark.parametrize(
    ("changed", "complete"),
    [
        ({}, True),
        ({"updatedReplicas": 2}, False),
        ({"replicas": 4}, False),
        ({"availableReplicas": 2}, False),
        ({"observedGeneration": 0}, False),
    ],
)
def test_a_rollout_is_complete_as_kubectl_says(changed, complete):
    given_ = deployment()
    given_["status"] |= changed
    assert state_of(given_).complete is complete


@pytest.mark.parametrize(
    ("ready", "said"),
    [(0, "0 of 2 pods ready"), (2, "2 of 2 pods ready"), (3, "3 pods ready, 2 wanted")],
)
def test_more_pods_than_wanted_are_never_some_of_them(ready, said):
    """A timeline said "3 of 2 replicas ready" while it was scaled down."""
    assert state_of(deployment(replicas=2, readyReplicas=ready)).readiness("pods") == said


def test_a_deployment_that_no_controller_has_seen_is_not_complete():
    found = state_of({"metadata": {"generation": 1}, "spec": {}})
    assert (found.desired, found.ready, found.complete, found.stuck) == (1, 0, False, False)


def workload(kind, spec=None, **status):
    return {"kind": kind, "metadata": {"name": "w", "generation": 1}, "spec": spec or {}, "status": status}


SET = {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "observedGeneration": 1}
DAEMON = dict.fromkeys(("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable"), 3)


@pytest.mark.parametrize(
    ("spec", "updated", "complete"),
    [
        ({"replicas": 3}, 3, True),
        ({"replicas": 3}, 2, False),
        ({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}, 1, True),
        ({"replicas": 3, "updateStrategy": {"type": "OnDelete"}}, 0, True),
        ({"replicas": 4}, 3, False),
    ],
)
def test_a_stateful_set_may_be_updated_in_part_on_purpose(spec, updated, complete):
    assert state_of(workload("StatefulSet", spec, updatedReplicas=updated, **SET)).complete is complete


@pytest.mark.parametrize(
    ("spec", "updated", "complete"),
    [({}, 3, True), ({}, 1, False), ({"updateStrategy": {"type": "OnDelete"}}, 1, True)],
)
def test_a_daemon_set_is_complete_on_all_its_nodes(spec, updated, complete):
    daemon = workload("DaemonSet", spec, updatedNumberScheduled=updated, observedGeneration=1, **DAEMON)
    assert state_of(daemon).complete is complete
    daemon["status"]["numberAvailable"] = 2
    assert not state_of(daemon).complete


def test_a_job_that_runs_is_as_it_should_be_and_one_that_failed_is_not():
    running = state_of(workload("Job", {"completions": 4}, active=2, ready=1, succeeded=1))
    assert (running.desired, running.ready, running.complete, running.stuck) == (4, 2, True, False)
    failed = state_of(workload("Job", conditions=[{"type": "Failed", "status": "True"}]))
    assert (failed.complete, failed.stuck) == (False, True)


def test_every_kind_that_can_be_watched_has_aspects_to_look_at():
    assert KINDS.keys() == ASPECTS.keys()
