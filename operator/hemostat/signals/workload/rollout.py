"""Rollouts that do not get on, pods that are refused, Jobs that fail (pure)."""

from collections.abc import Iterator
from datetime import datetime

from hemostat.signals.workload.scene import Aspect, Json, Scene, Trouble, age, event_age, short
from hemostat.signals.workload.state import condition, last_run, state_of

UNREADY_SECONDS = 60.0
"""StatefulSets and DaemonSets have no progress deadline: one whose newest pod is not ready for so long is stuck."""
REFUSED_SECONDS = 180.0
"""So long a refusal holds for while pods are missing: controllers try again ever more slowly."""
MISSED = frozenset({"MissSchedule", "TooManyMissedTimes", "FailedNeedsStart", "UnparseableSchedule", "InvalidSchedule"})
MISSED_SECONDS = 600.0


def rollout_aspects(scene: Scene, now: datetime) -> Iterator[Trouble]:
    """Yield what keeps the target from having the pods it should have."""
    if scene.target is None:
        return
    if state_of(scene.target).stuck and scene.target.get("kind") != "Job":
        why = short(condition(scene.target, "Progressing").get("message"))
        yield Trouble(Aspect.ROLLOUT_STUCK, scene.name, f"rollout exceeded its progress deadline: {why}")
    elif _ordered_and_stuck(scene, now):
        yield Trouble(
            Aspect.ROLLOUT_STUCK, scene.name, "rollout waits for a pod of the newest revision to become ready"
        )
    yield from _refused(scene, now)


def _ordered_and_stuck(scene: Scene, now: datetime) -> bool:
    target = scene.target or {}
    if target.get("kind") not in ("StatefulSet", "DaemonSet") or state_of(target).complete:
        return False
    newest = target.get("status", {}).get("updateRevision")
    for pod in scene.live_pods():
        ready = condition(pod, "Ready")
        mine = newest is None or pod["metadata"].get("labels", {}).get("controller-revision-hash") == newest
        if mine and ready.get("status") == "False" and age(ready.get("lastTransitionTime"), now) > UNREADY_SECONDS:
            return True
    return False


def _refused(scene: Scene, now: datetime) -> Iterator[Trouble]:
    """Pods that the API server does not let the controller create."""
    said = ""
    for owner in (scene.target or {}, *scene.owned):
        failure = condition(owner, "ReplicaFailure")
        if failure.get("status") == "True" and failure.get("reason") == "FailedCreate":
            said = said or str(failure.get("message") or "FailedCreate")
    for event in scene.events:
        recent = event_age(event, now) <= REFUSED_SECONDS
        if not said and recent and event.get("reason") == "FailedCreate" and not state_of(scene.target or {}).complete:
            said = str(event.get("message") or "FailedCreate")
    if said:
        quota = "exceeded quota" in said
        aspect = Aspect.QUOTA_EXHAUSTED if quota else Aspect.PODS_REFUSED
        yield Trouble(aspect, scene.name, f"its pods are refused: {short(said, 300)}", "" if quota else "FailedCreate")


def job_aspects(scene: Scene, now: datetime) -> Iterator[Trouble]:
    """Yield Jobs that failed: the target or what ran it again, or the newest finished one of a CronJob that goes on."""
    target = scene.target or {}
    kind = target.get("kind")
    if kind == "Job":
        yield from _failed(last_run(scene.owned) or target)
    elif kind == "CronJob" and not target.get("spec", {}).get("suspend"):
        yield from _failed(last_run(scene.owned) or {})
        yield from _missed(scene, now)


def _failed(job: Json) -> Iterator[Trouble]:
    failed = condition(job, "Failed")
    if failed.get("status") == "True":
        words = f"the Job failed ({failed.get('reason')}): {short(failed.get('message'))}; read the logs of its pods"
        yield Trouble(Aspect.JOB_FAILED, job["metadata"]["name"], words)


def _missed(scene: Scene, now: datetime) -> Iterator[Trouble]:
    """The CronJob controller itself says that it missed a time; a run since then makes it good."""
    target = scene.target or {}
    ran = age(target.get("status", {}).get("lastScheduleTime"), now)
    for event in scene.events:
        since = event_age(event, now)
        if event.get("reason") in MISSED and since <= MISSED_SECONDS and since < ran:
            yield Trouble(Aspect.SCHEDULE_MISSED, scene.name, f"missed its schedule: {short(event.get('message'))}")
            return
