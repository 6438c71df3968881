"""What pods stand on: nodes, autoscalers, claims and quotas; Jobs, rollouts and refusals."""

import pytest
from tests.unit.builders import NAMESPACE, T0, deployment, event, node, pending_pod, running_pod, since

from hemostat.api.watch import SignalKind
from hemostat.signals.workload import Aspect, Scene, judge, troubles
from hemostat.signals.workload.surroundings import amount, quota_usage


def wrong(**around):
    target = around.pop("target", None) or deployment()
    return [(t.aspect.value, t.subject) for t in troubles(Scene(target, **around), T0)]


def says(**around):
    target = around.pop("target", None) or deployment()
    (found,) = troubles(Scene(target, **around), T0)
    return found.words


def conditions(*pairs, **more):
    return {"status": {"conditions": [{"type": t, "status": "True", "reason": r} | more for t, r in pairs]}}


# --- nodes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (node(), []),
        (node(ready="False"), ["NodeNotReady"]),
        (node(ready="Unknown"), ["NodeNotReady"]),
        (node(pressure="MemoryPressure"), ["NodePressure"]),
        (node(pressure="DiskPressure"), ["NodePressure"]),
        (node(ready="False", pressure="DiskPressure"), ["NodeNotReady"]),
        (node(unschedulable=True), []),  # a drain that goes well
    ],
)
def test_the_nodes_under_the_pods(given_, expected):
    assert [a for a, _ in wrong(nodes=[given_], pods=[running_pod()])] == expected


# --- autoscalers ---------------------------------------------------------------------------------------------


def autoscaler(status="True", reason="TooManyReplicas"):
    limited = {"type": "ScalingLimited", "status": status, "reason": reason}
    return {"metadata": {"name": "hpa"}, "spec": {"maxReplicas": 4}, "status": {"conditions": [limited]}}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (autoscaler(), [("AutoscalerAtMaximum", "hpa")]),
        (autoscaler("False", "DesiredWithinRange"), []),
        (autoscaler("True", "TooFewReplicas"), []),  # at its minimum
    ],
)
def test_an_autoscaler_at_its_maximum_that_wants_more(given_, expected):
    assert wrong(autoscalers=[given_]) == expected


# --- claims --------------------------------------------------------------------------------------------------


def claim(phase="Bound", created=-60, **status):
    meta = {"name": "data", "creationTimestamp": since(created)}
    return {"metadata": meta, "spec": {"storageClassName": "fast"}, "status": {"phase": phase} | status}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (claim("Lost"), "lost its volume"),
        (claim("Pending"), "not bound (fast)"),
        (claim(conditions=[{"type": "NodeResizeError", "status": "True", "message": "no space"}]), "no space"),
        (claim(allocatedResourceStatuses={"storage": "ControllerResizeInfeasible"}), "ControllerResizeInfeasible"),
    ],
)
def test_claims_in_trouble(given_, words):
    assert words in says(claims=[given_])


@pytest.mark.parametrize(
    "given_",
    [claim(), claim("Pending", created=-5), claim(allocatedResourceStatuses={"storage": "NodeResizePending"})],
)
def test_claims_that_are_well_or_on_their_way(given_):
    assert wrong(claims=[given_]) == []


# --- quotas and refusals ------------------------------------------------------------------------------------

EXCEEDED = 'pods "payment-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3'


def refused(message):
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return deployment(conditions=[failure])


def test_a_quota_that_refuses_pods_is_told_apart_from_other_refusals():
    assert wrong(target=refused(EXCEEDED)) == [("QuotaExhausted", "payment")]
    assert "exceeded quota: team" in says(target=refused(EXCEEDED))
    other = 'pods "payment-x" is forbidden: error looking up service account shop/none'
    assert wrong(target=refused(other)) == [("PodsRefused", "payment")]


@pytest.mark.parametrize(
    ("seen", "ready", "expected"),
    [(-20, 2, [("QuotaExhausted", "payment")]), (-400, 2, []), (-20, 3, [])],
)
def test_sets_that_keep_no_condition_are_told_by_events_until_they_are_complete(seen, ready, expected):
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), ready)
    target = deployment() | {"kind": "StatefulSet"}
    target["status"] = counts | {"observedGeneration": 1}
    assert wrong(target=target, events=[event("FailedCreate", EXCEEDED, "uid-payment", seen=seen)]) == expected


def quota(**pairs):
    hard, used = ({k: v[i] for k, v in pairs.items()} for i in (0, 1))
    return {"metadata": {"name": "team", "namespace": NAMESPACE}, "status": {"hard": hard, "used": used}}


@pytest.mark.parametrize(
    ("given_", "share"),
    [
        (quota(pods=("10", "9")), 90),
        (quota(pods=("10", "5"), cpu=("2", "1900m")), 95),
        (quota(**{"requests.memory": ("1Gi", "1023Mi")}), 99.9),
        (quota(secrets=("10", "10")), 0),  # pods need none
        (quota(pods=("0", "0")), 0),
        (quota(pods=("ten", "9")), 0),
    ],
)
def test_the_share_of_a_quota_that_is_used(given_, share):
    assert quota_usage(Scene(deployment(), quotas=[given_]))[0] == pytest.approx(share, abs=0.01)


def test_a_quota_that_is_nearly_used_is_exhaustion_and_not_yet_trouble():
    scene = Scene(deployment(), quotas=[quota(pods=("20", "19"))])
    assert troubles(scene, T0) == ()
    (found,) = (o for o in judge("pods", scene, T0) if o.kind is SignalKind.EXHAUSTION)
    assert (found.wrong, found.value, found.threshold, found.unit) == (True, 95.0, 95.0, "%")
    assert "team: pods 19 of 20" in found.note


@pytest.mark.parametrize(
    ("text", "number"),
    [("100m", 0.1), ("1Gi", 2**30), ("2k", 2000), ("1e3", 1000), ("5", 5), ("", None), ("lots", None), ("Gi", None)],
)
def test_quantities_read_as_kubernetes_reads_them(text, number):
    found = amount(text)
    assert found is None if number is None else float(found) == number


# --- rollouts and Jobs ---------------------------------------------------------------------------------------


def test_a_rollout_past_its_deadline_is_stuck():
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert wrong(target=deployment(conditions=[late])) == [("RolloutStuck", "payment")]


def stateful(**status):
    counts = {"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}
    return deployment() | {"kind": "StatefulSet", "status": counts | {"updateRevision": "new"} | status}


@pytest.mark.parametrize(
    ("revision", "since_seconds", "expected"),
    [("new", -90, ["RolloutStuck"]), ("new", -20, []), ("old", -90, [])],
)
def test_a_set_whose_newest_pod_does_not_get_ready_is_stuck(revision, since_seconds, expected):
    labels = {"controller-revision-hash": revision}
    waiting = running_pod("p", ready=False, ready_since=since_seconds, started=since_seconds, labels=labels)
    found = [a for a, _ in wrong(target=stateful(), pods=[waiting]) if a == "RolloutStuck"]
    assert found == expected


def a_job(name="run", created=-60, **how):
    meta = {"name": name, "creationTimestamp": since(created)}
    found = [{"type": t, "status": "True", "reason": r, "message": "it did"} for t, r in how.items()]
    return {"kind": "Job", "metadata": meta, "status": {"conditions": found}}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (a_job(Failed="BackoffLimitExceeded"), [("JobFailed", "run")]),
        (a_job(Failed="DeadlineExceeded"), [("JobFailed", "run")]),
        (a_job(Complete=""), []),
        (a_job(), []),
    ],
)
def test_a_job(given_, expected):
    assert wrong(target=given_) == expected


CRON = {"kind": "CronJob", "metadata": {"name": "nightly", "uid": "uid-nightly"}, "spec": {}, "status": {}}


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([a_job("one", -600, Failed="x"), a_job("two", -60, Complete="")], []),
        ([a_job("one", -600, Complete=""), a_job("two", -60, Failed="x")], [("JobFailed", "two")]),
        ([a_job("one", -600, Failed="x"), a_job("two", -60)], [("JobFailed", "one")]),  # the second still runs
        ([], []),
    ],
)
def test_the_newest_finished_job_speaks_for_a_cron_job(jobs, expected):
    assert wrong(target=CRON, owned=jobs) == expected


@pytest.mark.parametrize(
    ("ran", "suspended", "seen", "expected"),
    [
        (-9000, False, -60, [("ScheduleMissed", "nightly")]),
        (None, False, -60, [("ScheduleMissed", "nightly")]),
        (-30, False, -60, []),
        (-9000, True, -60, []),
        (-9000, False, -900, []),
    ],
)
def test_a_missed_schedule_is_the_controllers_word(ran, suspended, seen, expected):
    status = {"lastScheduleTime": since(ran)} if ran is not None else {}
    target = CRON | {"spec": {"suspend": suspended}, "status": status}
    assert wrong(target=target, events=[event("MissSchedule", "missed", "uid-nightly", seen=seen)]) == expected


# --- all together --------------------------------------------------------------------------------------------


def test_every_aspect_has_a_signal_that_says_which_it_is():
    scene = Scene(deployment(), pods=[pending_pod("0/1 nodes"), pending_pod("0/1 nodes", "payment-q")])
    found = {o.key: o for o in judge("pods", scene, T0)}
    assert len(found) == len(judge("pods", scene, T0))
    one = found["pods/Unschedulable/payment"]
    assert (one.wrong, one.value, one.subject) == (True, 2.0, "Unschedulable of payment")
    assert one.note == "Unschedulable: 0/1 nodes (payment-p, payment-q)"
    assert {o.wrong for k, o in found.items() if k != one.key} == {False}


def test_many_pods_with_one_trouble_are_one_signal_with_a_bounded_text():
    scene = Scene(deployment(), pods=[pending_pod("m" * 5000, f"p{i:04}") for i in range(1000)])
    (found,) = (o for o in judge("pods", scene, T0) if o.wrong)
    assert found.value == 1000
    assert found.note.endswith("(p0000, p0001, p0002, p0003, p0004 and 995 more)")
    assert len(found.note) < 2000


@pytest.mark.parametrize(
    "scene", [Scene(), Scene(deployment(), unknown="Pods are still being read", pods=[pending_pod("x")])]
)
def test_nothing_is_said_of_what_is_not_known(scene):
    (found,) = judge("pods", scene, T0)
    assert (found.key, found.wrong, found.value) == ("pods/target", None, None)
    assert found.note


def test_a_node_may_be_watched_itself():
    target = node(ready="Unknown") | {"kind": "Node"}
    found = {o.key: o.wrong for o in judge("n", Scene(target, nodes=[target]), T0)}
    assert found == {"n/target": False, f"n/{Aspect.NODE_NOT_READY}/node-1": True, "n/NodePressure/node-1": False}
