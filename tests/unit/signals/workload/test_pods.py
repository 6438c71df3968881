"""Pods in trouble, and pods that only look like it: what must never cry wolf stands beside what must."""

import pytest
from tests.unit.builders import T0, at, deployment, ended, event, pending_pod, pod, running_pod, since

from hemostat.observe.trim import trim
from hemostat.signals.workload import WAITING_TROUBLE, Aspect, Scene, pod_troubles, troubles


def wrong(*pods, events=(), target=None, now=T0):
    found = troubles(Scene(target or deployment(), pods=pods, events=events), now)
    return [(t.aspect.value, t.subject) for t in found]


A = "payment-a"


@pytest.mark.parametrize(
    ("reason", "aspect"),
    [
        ("CrashLoopBackOff", Aspect.CRASH_LOOP),
        ("ImagePullBackOff", Aspect.IMAGE_PULL),
        ("ErrImagePull", Aspect.IMAGE_PULL),
        ("ErrImageNeverPull", Aspect.IMAGE_PULL),
        ("InvalidImageName", Aspect.IMAGE_PULL),
        ("CreateContainerConfigError", Aspect.CONTAINER_CONFIG),
        ("CreateContainerError", Aspect.CONTAINER_CONFIG),
        ("RunContainerError", Aspect.CONTAINER_CONFIG),
    ],
)
def test_a_container_that_waits_for_what_does_not_come(reason, aspect):
    assert reason in WAITING_TROUBLE
    (found,) = troubles(Scene(deployment(), pods=[pod(A, waiting=reason)]), T0)
    assert (found.aspect, found.subject) == (aspect, A)
    assert str(found).startswith(f"{A}: {reason}")


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (pod("p", waiting="ContainerCreating"), []),
        (pod("p", waiting="PodInitializing"), []),
        (pod("p", killed="OOMKilled", ready=True), []),
        (pod("p", killed="OOMKilled", ready=False), ["p: OOMKilled"]),
        (pod("p", killed="Error", ready=False), []),
        (pod("p", waiting="CrashLoopBackOff", killed="OOMKilled"), ["p: OOMKilled"]),
        (pod("p", waiting="CrashLoopBackOff", deletionTimestamp="2026-03-01T12:00:00Z"), []),
        ({"metadata": {"name": "p"}}, []),
        ({"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "a"}]}}, []),
        (
            {
                "metadata": {"name": "p"},
                "status": {"initContainerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]},
            },
            ["p: ErrImagePull"],
        ),
    ],
)
def test_what_keeps_a_pod_from_running(given_, said):
    assert list(pod_troubles(given_)) == said


def test_out_of_memory_is_told_between_two_kills_too():
    killed = running_pod(restarts=3, started=-5, last=ended("OOMKilled", 137, finished=-6))
    assert wrong(killed) == [("OOMKilled", A)]
    assert wrong(killed, now=at(120)) == []


def test_a_finished_pod_of_a_job_that_was_killed_for_memory_is_told():
    failed = running_pod(ready=False, state=ended("OOMKilled", 137, finished=-10))
    failed["status"]["phase"] = "Failed"
    assert wrong(failed) == [("OOMKilled", A)]


@pytest.mark.parametrize(
    ("restarts", "code", "finished", "lasted", "expected"),
    [
        (4, 1, -10, 5, ["CrashLoopBackOff"]),
        (1, 1, -10, 5, []),  # the first crash
        (4, 1, -10, 90000, []),  # one crash after a day
        (4, 1, -100, 5, []),  # long over
        (1, 0, -10, 5, []),  # it may have been asked to end
    ],
)
def test_a_crash_is_a_loop_when_it_comes_again_and_soon(restarts, code, finished, lasted, expected):
    last = ended("Error", code, finished, lasted)
    assert [a for a, _ in wrong(running_pod(restarts=restarts, started=finished + 1, last=last))] == expected


def test_the_second_crash_is_told_before_the_kubelet_calls_it_a_back_off():
    """The kubelet leaves the container at `terminated` for many seconds first."""
    assert wrong(running_pod(ready=False, restarts=1, state=ended(finished=-2, lasted=1))) == [("CrashLoopBackOff", A)]
    assert wrong(running_pod(ready=False, restarts=0, state=ended(finished=-2, lasted=1))) == []


@pytest.mark.parametrize("state", [ended(finished=-119), None])
def test_a_crash_loop_goes_on_until_the_container_is_ready_or_runs_for_long(state):
    """The kubelet was seen to leave a container at `terminated` for two minutes, and then to start it once more."""
    last = ended(finished=-119)
    crashing = running_pod(ready=False, restarts=4, started=-20, state=state, last=last)
    assert (Aspect.CRASH_LOOP, A) in wrong(crashing)
    assert wrong(running_pod(ready=True, restarts=4, started=-61, last=last)) == []
    steady = wrong(running_pod(ready=False, restarts=4, started=-700, last=ended(finished=-710)))
    assert (Aspect.CRASH_LOOP, A) not in steady
    crashing["status"]["phase"] = "Failed"  # nobody starts it again: that is told as what its owner makes of it
    assert wrong(crashing) == []


def kubelet(code, runs_for, back_offs, reason="Error"):
    """Yield time and pod, every five seconds: a container without readiness probe that ends after so many seconds.

    The kubelet counts a restart when it starts the container again, and moves what ended to `lastState`.
    """
    now, last = 0, {}
    for restarts, back_off in enumerate(back_offs):
        started, finished = now, now + runs_for
        for t in range(started, finished, 5):
            yield at(t), running_pod(started=started, restarts=restarts, last=last)
        last = ended(reason, code, finished, runs_for)
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off {back_off}s restarting failed"}}
        for t in range(finished, finished + back_off, 5):
            state, before = (last, {}) if t == finished else (waiting, last)
            yield at(t), running_pod(ready=False, restarts=restarts, state=state, last=before)
        now = finished + back_off


@pytest.mark.parametrize("runs_for", [5, 20, 90, 280])
@pytest.mark.parametrize(
    ("code", "reason", "aspect"),
    [(1, "Error", "CrashLoopBackOff"), (0, "Completed", "CrashLoopBackOff"), (137, "OOMKilled", "OOMKilled")],
)
def test_a_loop_is_told_without_a_break_however_long_the_back_off(runs_for, code, reason, aspect):
    """It was told as clear when it had run for a few seconds after a back-off of minutes."""
    seen = [(now, wrong(p, now=now)) for now, p in kubelet(code, runs_for, [0, 10, 20, 40, 80, 160, 300], reason)]
    second_end = 2 * runs_for
    assert {tuple(found) for now, found in seen if now >= at(second_end)} == {((aspect, A),)}


@pytest.mark.parametrize(("lasted", "over_after"), [(5, 60), (100, 200), (500, 600)])
def test_a_loop_is_over_once_the_container_runs_for_twice_as_long_as_before(lasted, over_after):
    healed = running_pod(restarts=6, started=0, last=ended(finished=-300, lasted=lasted))
    assert wrong(healed, now=at(over_after - 1)) == [("CrashLoopBackOff", A)]
    assert wrong(healed, now=at(over_after)) == []


def test_a_program_that_ends_by_itself_is_not_said_to_crash():
    """A Deployment whose command ends: kubectl says CrashLoopBackOff, and there is nothing in its log."""
    completed = ended("Completed", 0, -30)
    for found in (
        running_pod(ready=False, restarts=3, state={"waiting": {"reason": "CrashLoopBackOff"}}, last=completed),
        running_pod(restarts=3, started=-5, last=completed),
        running_pod(ready=False, restarts=2, state=completed),
    ):
        (trouble,) = troubles(Scene(deployment(), pods=[found]), T0)
        assert trouble.words.startswith("container app ends again and again with exit code 0, restarted more than once")
        assert "this is no crash" in trouble.words
        assert trouble.aspect is Aspect.CRASH_LOOP


@pytest.mark.parametrize("probe", ["liveness", "startup"])
@pytest.mark.parametrize(("reason", "code"), [("Completed", 0), ("Error", 137), ("Error", 143)])
def test_what_the_kubelet_kills_for_a_probe_is_neither_said_to_crash_nor_to_end_by_itself(reason, code, probe):
    """It was told to be a program that ends by itself, which ought to be a Job."""
    killed = ended(reason, code, -30, lasted=40)
    failed = event("Unhealthy", f"{probe.capitalize()} probe failed: HTTP 500", seen=-60, count=9)
    failed["involvedObject"]["fieldPath"] = "spec.containers{app}"
    failed = trim("Event", failed)
    assert failed["involvedObject"]["fieldPath"], "else every container of the pod is meant"
    for found in (
        running_pod(ready=False, restarts=3, state={"waiting": {"reason": "CrashLoopBackOff"}}, last=killed),
        running_pod(restarts=3, started=-5, last=killed),
        running_pod(ready=False, restarts=2, state=killed),
    ):
        (trouble,) = [t for t in troubles(Scene(deployment(), pods=[found], events=[failed]), T0) if "app" in t.words]
        assert trouble.aspect is Aspect.CRASH_LOOP
        assert trouble.words.startswith(
            f"container app is killed by the kubelet again and again, for its {probe} probe fails (exit code {code})"
        )
        assert "by itself" not in trouble.words


@pytest.mark.parametrize("probe", ["liveness", "startup"])
def test_that_the_kubelet_killed_it_is_enough_where_it_no_longer_tells_of_the_failures(probe):
    """Of one pod it tells 25 Events and then one in five minutes: the warning was half an hour old, and the program was
    said to end by itself."""
    failed = event("Unhealthy", f"{probe.capitalize()} probe failed: HTTP 500", seen=-2200)
    killing = event("Killing", f"Container app failed {probe} probe, will be restarted", seen=-60, count=4)
    killing |= {"type": "Normal", "firstTimestamp": since(-1500)}
    found = running_pod(restarts=9, started=-5, last=ended("Completed", 0, -30, lasted=40))
    scene = Scene(deployment(), pods=[found], events=[failed, killing])
    (trouble,) = [t for t in troubles(scene, T0) if t.aspect is Aspect.CRASH_LOOP]
    assert f"is killed by the kubelet again and again, for its {probe} probe fails (exit code 0)" in trouble.words


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (event("Killing", "Stopping container app"), "it was to be deleted"),
        (event("Killing", "Container app failed liveness probe, will be restarted", "uid-payment-b"), "of another pod"),
        (
            event("Killing", "Container app failed liveness probe, will be restarted", seen=-2000),
            "long before this run",
        ),
        (event("Unhealthy", "Readiness probe failed: HTTP 503"), "it takes traffic away and kills nothing"),
        (event("Unhealthy", "Liveness probe failed", "uid-payment-b"), "of another pod"),
        (event("Unhealthy", "Liveness probe failed", seen=-2000), "long before this run"),
        (event("Unhealthy", "Liveness probe failed") | {"firstTimestamp": since(-9)}, "it began after the last end"),
        (
            event("Unhealthy", "Liveness probe failed")
            | {"involvedObject": {"uid": "uid-payment-a", "fieldPath": "spec.containers{proxy}"}},
            "of another container",
        ),
    ],
)
def test_a_probe_that_did_not_kill_it_is_not_blamed(said, why):
    last = ended("Completed", 0, -30)
    found = running_pod(ready=False, restarts=3, state={"waiting": {"reason": "CrashLoopBackOff"}}, last=last)
    (trouble, *_) = troubles(Scene(deployment(), pods=[found], events=[said]), T0)
    assert "this is no crash, its program ends by itself" in trouble.words, why


def test_a_crash_with_an_error_of_its_own_is_a_crash_whatever_the_probe_said():
    crashed = running_pod(ready=False, restarts=3, state=ended("Error", 1, -30, lasted=40))
    failed = event("Unhealthy", "Liveness probe failed: connection refused", seen=-31)
    (trouble, *_) = troubles(Scene(deployment(), pods=[crashed], events=[failed]), T0)
    assert "crashes again and again, exit code 1" in trouble.words


def test_who_is_killed_for_lack_of_memory_is_told_its_limit():
    killed = running_pod(restarts=2, last=ended("OOMKilled", 137, -20))
    killed["spec"]["containers"] = [{"name": "app", "resources": {"limits": {"memory": "64Mi", "cpu": "1"}}}]
    for found in (killed, killed | {"spec": {}, "status": told_of_its_limit(killed)}):
        (trouble,) = troubles(Scene(deployment(), pods=[trim("Pod", found)]), T0)
        assert trouble.words.startswith("container app was killed for lack of memory at its limit of 64Mi, restarted")


def told_of_its_limit(pod):
    """As a kubelet that can resize in place tells it."""
    (container,) = pod["status"]["containerStatuses"]
    return pod["status"] | {"containerStatuses": [container | {"resources": {"limits": {"memory": "64Mi"}}}]}


def test_what_is_meant_to_end_may_end_again_and_again():
    """Init containers run anew with the sandbox, those of Jobs with the Job."""
    job = running_pod(restarts=3, started=-5, last=ended("Completed", 0, -30))
    job["spec"]["restartPolicy"] = "OnFailure"
    again = running_pod()
    again["status"]["initContainerStatuses"] = [
        {"name": "init", "ready": True, "restartCount": 3, "state": ended("Completed", 0, -30)}
    ]
    assert wrong(job) == wrong(again) == []


def test_what_a_container_said_at_its_end_is_not_repeated():
    """The last words of a container come from its log: they may hold secrets."""
    crashed = pod(A, waiting="CrashLoopBackOff")
    last = ended("Error", 3)
    last["terminated"]["message"] = "canary"
    crashed["status"]["containerStatuses"][0]["lastState"] = last
    (found,) = troubles(Scene(deployment(), pods=[crashed]), T0)
    assert "exit code 3" in str(found)
    assert "canary" not in str(found)


# --- readiness, liveness ------------------------------------------------------------------------------------


def test_a_pod_that_was_ready_and_is_no_more_fails_its_probe():
    (found,) = troubles(Scene(deployment(), pods=[running_pod(ready=False, ready_since=-8)]), T0)
    assert found.aspect is Aspect.PROBE_FAILED
    assert "was ready before" in found.words


def test_a_pod_that_has_only_just_started_is_just_starting():
    starting = running_pod(ready=False, started=-20, ready_since=-22)
    assert wrong(starting) == []


def test_a_pod_that_takes_much_longer_than_its_siblings_is_not_just_starting():
    slow = running_pod("slow", ready=False, started=-40, ready_since=-41)
    usual = [running_pod(f"s{i}", started=-600, ready_since=-596) for i in range(2)]
    assert wrong(slow, *usual) == [("ProbeFailed", "slow")]
    patient = [running_pod(f"s{i}", started=-600, ready_since=-560) for i in range(2)]
    assert wrong(slow, *patient) == []
    assert wrong(running_pod("alone", ready=False, started=-61, ready_since=-62)) == [("ProbeFailed", "alone")]


def test_a_pod_that_waits_for_a_load_balancer_is_no_failed_probe():
    gated = running_pod(ready=False, started=-600, ready_since=-8)
    next(c for c in gated["status"]["conditions"] if c["type"] == "ContainersReady")["status"] = "True"
    assert wrong(gated) == []


def test_a_pod_that_ends_may_fail_every_probe():
    ending = running_pod(ready=False, ready_since=-3, deletionTimestamp=since(-5))
    assert wrong(ending, events=[event("Unhealthy", "Liveness probe failed: 503", count=9)]) == []


@pytest.mark.parametrize(
    ("message", "count", "seen", "expected"),
    [
        ("Liveness probe failed: HTTP 500", 3, -5, [("ProbeFailed", A)]),
        ("Startup probe failed: connection refused", 9, -5, []),
        ("Liveness probe failed: HTTP 500", 2, -5, []),
        ("Liveness probe failed: HTTP 500", 1, -5, []),
        ("Liveness probe failed: HTTP 500", 3, -90, []),
        ("Readiness probe failed: HTTP 503", 9, -5, []),
    ],
)
def test_liveness_is_told_by_events_and_once_is_no_trouble(message, count, seen, expected):
    assert wrong(running_pod(), events=[event("Unhealthy", message, count=count, seen=seen)]) == expected


def test_a_liveness_probe_that_fails_while_the_pod_starts_is_no_trouble():
    failed = event("Unhealthy", "Liveness probe failed: connection refused", count=3, seen=-8)
    assert wrong(running_pod(ready=False, started=-20, ready_since=-22), events=[failed]) == []
    assert wrong(running_pod(started=-20, ready_since=-4), events=[failed]) == []
    assert wrong(running_pod(started=-600, ready_since=-590), events=[failed]) == [("ProbeFailed", A)]


def test_a_liveness_probe_that_fails_again_after_a_restart_is_trouble_at_once():
    restarted = running_pod(started=-3, ready_since=-2)
    restarted["status"]["containerStatuses"][0]["restartCount"] = 1
    failed = event("Unhealthy", "Liveness probe failed: HTTP 500", count=2, seen=-1)
    assert wrong(restarted, events=[failed]) == [("ProbeFailed", A)]


def test_events_of_pods_that_are_gone_say_nothing():
    assert wrong(running_pod(), events=[event("Unhealthy", "Liveness probe failed", "uid-gone", count=9)]) == []


# --- placing, mounting, eviction -----------------------------------------------------------------------------


def test_the_scheduler_is_quoted():
    message = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available"
    (found,) = troubles(Scene(deployment(), pods=[pending_pod(message)]), T0)
    assert found.aspect is Aspect.UNSCHEDULABLE
    assert "3 Insufficient cpu" in found.words


def test_a_pod_that_will_replace_another_only_waits():
    assert wrong(pending_pod("0/3 nodes", nominatedNodeName="node-2")) == []


def test_a_volume_that_cannot_be_mounted_is_told_until_it_is():
    creating = running_pod(ready=False, state={"waiting": {"reason": "ContainerCreating"}})
    events = [event("FailedMount", 'configmap "settings" not found', count=4)]
    (found,) = troubles(Scene(deployment(), pods=[creating], events=events), T0)
    assert (found.aspect, found.words) == (Aspect.MOUNT_FAILED, 'configmap "settings" not found')
    assert wrong(running_pod(), events=events) == []


def evicted(when):
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    conditions = [{"type": "DisruptionTarget", "status": "True", "lastTransitionTime": since(when)}]
    return {"metadata": {"name": A}, "status": status | {"conditions": conditions}}


def test_an_eviction_is_told_for_a_while():
    assert wrong(evicted(-100)) == [("Evicted", A)]
    assert wrong(evicted(-400)) == []


# --- what goes as planned ------------------------------------------------------------------------------------


def test_a_rolling_update_that_goes_well_is_quiet_at_every_step():
    """One old pod after the other ends while new ones start: nothing of it is trouble at any moment."""
    for second in range(0, 30, 2):
        old = running_pod("old", ready=second < 12, ready_since=-590 if second < 12 else 11)
        if second >= 10:
            old["metadata"]["deletionTimestamp"] = since(10)
        new = running_pod("new", started=2, ready=second >= 8, ready_since=8 if second >= 8 else 1)
        if second < 2:
            new["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ContainerCreating"}}
        halfway = deployment(updatedReplicas=1, observedGeneration=1)
        assert wrong(old, new, target=halfway, now=at(second)) == [], second


def test_completed_pods_are_quiet():
    done = running_pod(ready=False, ready_since=-3, state=ended("Completed", 0))
    done["status"]["phase"] = "Succeeded"
    assert wrong(done) == []


@pytest.mark.parametrize("broken", ["", "yesterday", "2026-03-01T12:00:00"])
def test_times_that_cannot_be_read_are_long_ago(broken):
    odd = running_pod(restarts=5, last=ended())
    odd["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"] = broken
    assert wrong(odd) == []


def test_what_got_sigkill_and_nobody_says_why_is_said_to_lack_memory_as_a_rule():
    """Runtimes miss the kernel's word at times; the kubelet then says Error, and a person read the program's log."""
    killed = running_pod(restarts=3, ready=False, last=ended("Error", 137, finished=-6))
    (trouble, *_) = troubles(Scene(deployment(), pods=[killed]), T0)
    assert trouble.aspect == "CrashLoopBackOff"
    assert "with SIGKILL (exit code 137), restarted more than once; as a rule for lack of memory" in trouble.words
