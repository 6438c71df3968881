"""Room for more pods: quotas and nodes are counted as the API server and the scheduler count them, or not at all."""

import pytest
from tests.unit.builders import deployment

from hemostat.gate.room import MANY, added, fits_in_quotas, fits_on_nodes, requested


def workload(requests=None, limits=None, init=(), **spec):
    resources = {"requests": requests or {}, "limits": limits or {}}
    found = deployment()
    found["spec"]["template"]["spec"] = {"containers": [{"name": "a", "resources": resources}]} | spec
    found["spec"]["template"]["spec"]["initContainers"] = list(init)
    return found


REQUIRED, PREFERRED = (f"{how}DuringSchedulingIgnoredDuringExecution" for how in ("required", "preferred"))
SMALL = workload({"cpu": "500m", "memory": "256Mi"})


def quota(hard, used):
    return {"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}}


def node(name="n1", cpu="2", memory="4Gi", pods="110", *, ready=True, **spec):
    return {
        "metadata": {"name": name, "labels": {"disk": "ssd"}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def running(on="n1", cpu="500m", phase="Running"):
    spec = {"nodeName": on, "containers": [{"name": "a", "resources": {"requests": {"cpu": cpu}}}]}
    return {"spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("hard", "used", "fits"),
    [
        ({"pods": "10"}, {"pods": "7"}, 3),
        ({"count/pods": "10"}, {"count/pods": "10"}, 0),
        ({"requests.cpu": "2"}, {"requests.cpu": "750m"}, 2),
        ({"cpu": "2", "requests.memory": "512Mi"}, {"cpu": "0", "requests.memory": "0"}, 2),
        ({"pods": "5"}, {"pods": "9"}, 0),
        ({"services": "1", "requests.nvidia.com/gpu": "0"}, {"services": "1"}, MANY),
        ({"requests.ephemeral-storage": "1Gi"}, {"requests.ephemeral-storage": "0"}, 0),  # stated by no pod: refused
        ({"pods": "10"}, {}, None),
        ({"pods": "many"}, {"pods": "1"}, None),
    ],
)
def test_a_quota_leaves_room_for_so_many(hard, used, fits):
    assert fits_in_quotas(SMALL, [quota(hard, used)]) == fits


@pytest.mark.parametrize(
    ("pod", "fits"),
    [
        (workload({"cpu": "100m"}, {"cpu": "1"}), 0),
        (workload({"cpu": "100m"}, {"cpu": "200m"}), 2),
        (workload({}, {"cpu": "200m"}, init=[{"resources": {"limits": {"cpu": "400m"}}}]), 1),
        (workload({"cpu": "100m"}), 0),  # states no limit: refused
        (workload({"cpu": "100m"}, {"cpu": "x"}), None),
    ],
)
def test_a_quota_on_limits_is_about_limits(pod, fits):
    """A pod may be limited to ten times what it requests: by its requests there was room, and it was refused."""
    assert fits_in_quotas(pod, [quota({"limits.cpu": "2"}, {"limits.cpu": "1500m"})]) == fits


def test_the_smallest_of_several_quotas_counts_and_none_is_no_limit():
    two = [quota({"pods": "10"}, {"pods": "1"}), quota({"pods": "3"}, {"pods": "1"})]
    assert fits_in_quotas(SMALL, two) == 2
    assert fits_in_quotas(SMALL, []) == MANY


@pytest.mark.parametrize(
    ("nodes", "pods", "fits"),
    [
        ([node()], [], 4),
        ([node()], [running(), running()], 2),
        ([node()], [running(phase="Succeeded"), running(phase="Failed"), running(on="elsewhere"), running(on="")], 4),
        ([node(), node("n2")], [running(cpu="1900m"), running(on="n2", cpu="1900m")], 0),  # room in pieces is none
        ([node(ready=False)], [], 0),
        ([node(unschedulable=True)], [], 0),
        ([node(taints=[{"key": "a", "effect": "NoSchedule"}])], [], 0),
        ([node(taints=[{"key": "a", "effect": "PreferNoSchedule"}])], [], 4),
        ([node(memory="600Mi")], [], 2),
        ([node(pods="1")], [], 1),
        ([node(cpu="?")], [], 0),
        ([], [], 0),
        ([node()], [running(cpu="lots")], None),
    ],
)
def test_nodes_have_room_for_so_many(nodes, pods, fits):
    assert fits_on_nodes(SMALL, nodes, requested(pods)) == fits


@pytest.mark.parametrize(
    ("pod", "fits"),
    [
        (workload({}), 110),  # requests nothing: only the number of pods counts
        (workload({}, {"cpu": "1"}), 2),  # a limit alone is requested too
        (workload({"cpu": "100m"}, init=[{"resources": {"requests": {"cpu": "1"}}}]), 2),
        (workload({"cpu": "1"}, init=[{"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}]), 1),
        (workload({"cpu": "x"}), None),
        (workload({"cpu": "1"}, nodeSelector={"disk": "hdd"}), 0),
        (workload({"cpu": "1"}, nodeSelector={"disk": "ssd"}), 2),
        (
            workload({"cpu": "1"}, affinity={"podAntiAffinity": {REQUIRED: []}}),
            None,
        ),
        (
            workload({"cpu": "1"}, affinity={"podAntiAffinity": {PREFERRED: []}}),
            2,
        ),
        (workload({"cpu": "1"}, topologySpreadConstraints=[{"whenUnsatisfiable": "DoNotSchedule"}]), None),
    ],
)
def test_what_a_pod_needs_is_what_the_scheduler_counts(pod, fits):
    assert fits_on_nodes(pod, [node()], {}) == fits


@pytest.mark.parametrize(
    ("replicas", "after", "more"), [(3, 5, 2), (3, 3, 0), (3, 1, 0), ("3", 5, None), (None, 5, None)]
)
def test_how_many_are_added(replicas, after, more):
    live = deployment()
    live["spec"]["replicas"] = replicas
    assert added(live, after) == more


def test_a_deployment_that_does_not_say_has_one():
    live = deployment()
    del live["spec"]["replicas"]
    assert added(live, 3) == 2
