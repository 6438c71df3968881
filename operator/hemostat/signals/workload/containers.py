"""Containers that cannot start or do not stay up (pure). Reasons are the kubelet's container status reasons."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hemostat.clock import parse_time
from hemostat.signals.workload.scene import Aspect, Json, Trouble, age, short

IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"})
CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
WAITING_TROUBLE = IMAGE | CONFIG | {"CrashLoopBackOff"}
"""Waiting reasons that do not pass by themselves."""
RECENT_SECONDS = 60.0
"""So long after its end a container's bad end is news: between two crashes a pod looks well."""
STEADY_SECONDS = 600.0
"""A container that ran longer than this did not crash in a loop: the kubelet's back-off starts over by then."""
LOOPS = 2
"""So many crashes are a loop. The kubelet reports the second one as an end, and calls it a back-off only later."""


def container_troubles(pod: Json, now: datetime) -> Iterator[Trouble]:
    """Yield what is wrong with a pod's containers."""
    over = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
    for container in _statuses(pod):
        found = _waiting(container) or _ended(container, now, over=over)
        if found is not None:
            aspect, label, words = found
            yield Trouble(aspect, pod["metadata"]["name"], f"container {container.get('name', '')} {words}", label)


def pod_troubles(pod: Json) -> Iterator[str]:
    """Yield what keeps a pod from running, whatever the time, for example `payment-7d: ImagePullBackOff`."""
    if pod["metadata"].get("deletionTimestamp"):
        return
    for container in _statuses(pod):
        found = _waiting(container)
        if found is not None:
            yield f"{pod['metadata']['name']}: {found[1] or found[0]}"
        elif _killed(container).get("reason") == "OOMKilled" and not container.get("ready"):
            yield f"{pod['metadata']['name']}: {Aspect.OOM_KILLED}"


Found = tuple[Aspect, str, str]
"""Aspect, the kubelet's word for it, and what to say."""


def _waiting(container: Json) -> Found | None:
    waiting: Mapping[str, Any] = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), short(waiting.get("message"))
    if reason in IMAGE:
        return Aspect.IMAGE_PULL, reason, f"cannot pull its image: {message or 'check name, tag and pull secret'}"
    if reason in CONFIG:
        return Aspect.CONTAINER_CONFIG, reason, f"cannot be created: {message or 'check ConfigMap and Secret keys'}"
    if reason != "CrashLoopBackOff":
        return None
    killed = _killed(container)
    if killed.get("reason") == "OOMKilled":
        return Aspect.OOM_KILLED, "", _oom(container)
    return Aspect.CRASH_LOOP, "", _crash(container, killed)


def _ended(container: Json, now: datetime, *, over: bool) -> Found | None:
    """Judge how it last ended.

    :param over: the whole pod has ended, so that the kubelet starts no container of it again.
    """
    killed = _killed(container)
    recent = age(killed.get("finishedAt"), now) <= RECENT_SECONDS
    if killed.get("reason") == "OOMKilled" and (recent or not container.get("ready")):
        return Aspect.OOM_KILLED, "", _oom(container)
    ended_now = bool((container.get("state") or {}).get("terminated"))
    crashes = int(container.get("restartCount") or 0) + ended_now if killed.get("exitCode") else 0
    goes_on = recent or not (over or container.get("ready") or _runs_steadily(container, now))
    if goes_on and crashes >= LOOPS and _lasted(killed) < STEADY_SECONDS:
        return Aspect.CRASH_LOOP, "", _crash(container, killed)
    return None


def _runs_steadily(container: Json, now: datetime) -> bool:
    """The kubelet may leave a container at `terminated` for the whole back-off, minutes long: then it does not run."""
    running = (container.get("state") or {}).get("running")
    return running is not None and age(running.get("startedAt"), now) >= STEADY_SECONDS


def _killed(container: Json) -> Mapping[str, Any]:
    """Return how the container last ended; empty if it never did."""
    for when in ("state", "lastState"):
        ended: Mapping[str, Any] | None = (container.get(when) or {}).get("terminated")
        if ended:
            return ended
    return {}


def _lasted(ended: Mapping[str, Any]) -> float:
    try:
        return (parse_time(ended["finishedAt"]) - parse_time(ended["startedAt"])).total_seconds()
    except (KeyError, ValueError):
        return 0.0


def _oom(container: Json) -> str:
    return f"was killed for lack of memory, {_restarts(container)}; raise its memory limit or find what grows"


def _crash(container: Json, killed: Mapping[str, Any]) -> str:
    code = f"exit code {killed['exitCode']}, " if killed.get("exitCode") is not None else ""
    return f"crashes again and again, {code}{_restarts(container)}; read kubectl logs --previous"


def _restarts(container: Json) -> str:
    """How often is no part of what is said: a text that changes with every restart is news each time."""
    return "restarted more than once" if int(container.get("restartCount") or 0) > 1 else "restarted"


def _statuses(pod: Json) -> Iterator[Json]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()
