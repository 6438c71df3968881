"""Containers that cannot start or do not stay up (pure). Reasons are the kubelet's container status reasons."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hemostat.clock import parse_time
from hemostat.signals.workload.scene import Aspect, Json, Trouble, age, event_age, killing_probe, short

IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"})
CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
WAITING_TROUBLE = IMAGE | CONFIG | {"CrashLoopBackOff"}
"""Waiting reasons that do not pass by themselves."""
RECENT_SECONDS = 60.0
"""So long after its end a container's bad end is news: between two crashes a pod looks well."""
STEADY_SECONDS = 600.0
"""A container that ran longer than this did not crash in a loop: the kubelet's back-off starts over by then."""
TIMES_LAST = 2.0
"""A loop is over once the container has run so many times as long as it last did: until then it may end again."""
_SIGKILLED = 137
"""Exit code of what got SIGKILL: 128 and the signal."""
SAID_SECONDS = 1800.0
"""What a container said longer ago as it ended is not about what is wrong now."""
LOOPS = 2
"""So many ends are a loop. The kubelet reports the second one as an end, and calls it a back-off only later."""
TERMINATED = frozenset({0, 137, 143})
"""Exit codes after SIGTERM: it heard it and ended, was killed after the grace period, or took no notice of it."""
PROBES = ("Liveness", "Startup")
"""The kubelet restarts a container whose probe of these fails; a readiness probe only takes its traffic away."""
SAME_TIME_SECONDS = 2.0


def container_troubles(pod: Json, now: datetime, probed: Sequence[Json] = ()) -> Iterator[Trouble]:
    """Yield what is wrong with a pod's containers.

    :param probed: the Events of reason Unhealthy and Killing about this pod.
    """
    over = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
    for container, stays in _statuses(pod):
        probe = _probe_that_kills(container, probed, now)
        found = _waiting(container, probe) or _ended(container, now, probe, over=over, stays=stays)
        if found is not None:
            aspect, label, words = found
            yield Trouble(aspect, pod["metadata"]["name"], f"container {container.get('name', '')} {words}", label)


def pod_troubles(pod: Json) -> Iterator[str]:
    """Yield what keeps a pod from running, whatever the time, for example `payment-7d: ImagePullBackOff`."""
    if pod["metadata"].get("deletionTimestamp"):
        return
    for container, _ in _statuses(pod):
        found = _waiting(container)
        if found is not None:
            yield f"{pod['metadata']['name']}: {found[1] or found[0]}"
        elif _killed(container).get("reason") == "OOMKilled" and not container.get("ready"):
            yield f"{pod['metadata']['name']}: {Aspect.OOM_KILLED}"


def last_words(pod: Json, now: datetime) -> Iterator[tuple[str, str, float]]:
    """Yield, of each container that ended badly in the last half hour, its name, its termination message as the program
    wrote it (not redacted), and how many seconds ago that was.
    """
    for container, stays in _statuses(pod):
        ended = _killed(container)
        ago = age(ended.get("finishedAt"), now)
        if ended.get("message") and (ended.get("exitCode") or stays) and ago <= SAID_SECONDS:
            yield container.get("name", ""), ended["message"], ago


Found = tuple[Aspect, str, str]
"""Aspect, the kubelet's word for it, and what to say."""


def _waiting(container: Json, probe: str = "") -> Found | None:
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
    return _loop(container, killed, probe)


def _ended(container: Json, now: datetime, probe: str, *, over: bool, stays: bool) -> Found | None:
    """Judge how it last ended.

    :param probe: the probe for which the kubelet ended it, if it did.
    :param over: the whole pod has ended, so that the kubelet starts no container of it again.
    :param stays: it is meant to run for ever, so that no end is a good one.
    """
    killed = _killed(container)
    recent = age(killed.get("finishedAt"), now) <= RECENT_SECONDS
    bad = bool(killed.get("exitCode")) or (stays and killed.get("exitCode") == 0)
    ended_now = bool((container.get("state") or {}).get("terminated"))
    often = bad and int(container.get("restartCount") or 0) + ended_now >= LOOPS and _lasted(killed) < STEADY_SECONDS
    loops = often and (recent or not (over or _runs_steadily(container, killed, now)))
    if killed.get("reason") == "OOMKilled" and (loops or recent or not container.get("ready")):
        return Aspect.OOM_KILLED, "", _oom(container)
    return _loop(container, killed, probe) if loops else None


def _runs_steadily(container: Json, killed: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether it has run for longer than one that ends again would.

    Ready is not enough: without a readiness probe it is ready as soon as it runs, after every back-off. The kubelet may
    leave a container at `terminated` for the whole back-off, minutes long: then it does not run.
    """
    running = (container.get("state") or {}).get("running")
    proves = max(RECENT_SECONDS, TIMES_LAST * _lasted(killed)) if container.get("ready") else STEADY_SECONDS
    return running is not None and age(running.get("startedAt"), now) >= min(proves, STEADY_SECONDS)


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
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    at = f" at its limit of {limit}" if limit else ""
    return f"was killed for lack of memory{at}, {_restarts(container)}; raise its memory limit or find what grows"


def _loop(container: Json, killed: Mapping[str, Any], probe: str) -> Found:
    """Kubernetes calls it a crash loop whatever the exit code is; a person looks elsewhere when it is 0, or killed."""
    code, often = killed.get("exitCode"), _restarts(container)
    if probe:
        words = f"see what it answers, and what the {probe} probe asks of it and when (kubectl describe pod)"
        said = f"is killed by the kubelet again and again, for its {probe} probe fails (exit code {code}), {often}"
        return Aspect.CRASH_LOOP, "", f"{said}; {words}"
    if code == 0:
        words = "this is no crash, its program ends by itself; let it run on, or make it a Job"
        return Aspect.CRASH_LOOP, "", f"ends again and again with exit code 0, {often}: {words}"
    if code == _SIGKILLED:
        words = "as a rule for lack of memory, which runtimes do not always report: see what it uses of its limit"
        return Aspect.CRASH_LOOP, "", f"is killed again and again with SIGKILL (exit code 137), {often}; {words}"
    said = f"exit code {code}, " if code is not None else ""
    return Aspect.CRASH_LOOP, "", f"crashes again and again, {said}{often}; read kubectl logs --previous"


def _probe_that_kills(container: Json, probed: Sequence[Json], now: datetime) -> str:
    """Return `liveness` or `startup` if the kubelet ended the container because that probe failed; else nothing.

    Both the probe's failures and the killing are seen in some other run of the container than the last too: kubelets
    tell the 26th Event of a pod and all that follow only every few minutes, of the failures long before the killings.
    """
    killed = _killed(container)
    if killed.get("exitCode") not in TERMINATED or killed.get("reason") == "OOMKilled":
        return ""
    end = age(killed.get("finishedAt"), now)
    for event in probed:
        probe = killing_probe(event) or _failed_probe(event)
        path = event.get("involvedObject", {}).get("fieldPath") or ""
        mine = not path or path.endswith(f"{{{container.get('name', '')}}}")
        began = age(event.get("firstTimestamp") or event.get("eventTime"), now)
        if mine and probe and began + SAME_TIME_SECONDS >= end and event_age(event, now) - end <= STEADY_SECONDS:
            return probe
    return ""


def _failed_probe(event: Json) -> str:
    word = (event.get("message") or "").partition(" ")[0]
    return word.lower() if event.get("reason") == "Unhealthy" and word in PROBES else ""


def _restarts(container: Json) -> str:
    """How often is no part of what is said: a text that changes with every restart is news each time."""
    return "restarted more than once" if int(container.get("restartCount") or 0) > 1 else "restarted"


def _statuses(pod: Json) -> Iterator[tuple[Json, bool]]:
    """Yield the containers, and whether each is meant to run for ever."""
    status = pod.get("status", {})
    stays = (pod.get("spec") or {}).get("restartPolicy", "Always") == "Always"
    yield from ((c, False) for c in status.get("initContainerStatuses") or ())
    yield from ((c, stays) for c in status.get("containerStatuses") or ())
