"""Pods that are not ready, not placed, or were thrown out (pure)."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from hemostat.clock import parse_time
from hemostat.signals.workload.containers import container_troubles
from hemostat.signals.workload.scene import Aspect, Json, Scene, Trouble, age, event_age, event_count, short
from hemostat.signals.workload.state import condition

EVICTION_SECONDS = 300.0
"""So long an eviction is news: the kubelet leaves the failed pod behind until it is collected."""
EVENT_SECONDS = 60.0
"""Events that were last seen longer ago say nothing of now."""
STARTS_IN_SECONDS = 60.0
"""A pod may take so long to become ready when no sibling shows how long it usually takes."""
TIMES_USUAL = 3.0
"""A pod that takes so many times as long as its slowest sibling did is not just starting."""
SETTLE_SECONDS = 1.0
"""Ready conditions and container states are written together but not at the same instant."""
TWICE = 2
LIVENESS_FAILURES = 3
"""The kubelet restarts a container after as many failures in a row (default of `failureThreshold`)."""


def pod_aspects(scene: Scene, now: datetime) -> Iterator[Trouble]:
    """Yield what is wrong with the target's pods."""
    usual, probed = _usual_start(scene), _probed(scene)
    for pod in scene.pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        yield from container_troubles(pod, now, probed.get(pod["metadata"].get("uid"), ()))
        yield from _evicted(pod, now)
    for pod in scene.live_pods():
        yield from _unplaced(pod)
        yield from _not_ready(pod, usual, now)
    yield from _told_by_events(scene, usual, now)


def _probed(scene: Scene) -> dict[Any, list[Json]]:
    """Return what Events say of failed probes and of what was killed for them, by the pod's uid."""
    found: dict[Any, list[Json]] = {}
    for event in scene.events:
        if event.get("reason") in ("Unhealthy", "Killing"):
            found.setdefault(event.get("involvedObject", {}).get("uid"), []).append(event)
    return found


def _evicted(pod: Json, now: datetime) -> Iterator[Trouble]:
    status = pod.get("status", {})
    if status.get("phase") != "Failed" or status.get("reason") != "Evicted":
        return
    times = [c.get("lastTransitionTime") for c in status.get("conditions") or ()]
    since = min((age(t, now) for t in times), default=0.0)
    if since <= EVICTION_SECONDS:
        words = f"evicted by its node: {short(status.get('message')) or 'look at the pressure on the node'}"
        yield Trouble(Aspect.EVICTED, pod["metadata"]["name"], words)


def _unplaced(pod: Json) -> Iterator[Trouble]:
    scheduled = condition(pod, "PodScheduled")
    waiting = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    if waiting and not pod.get("status", {}).get("nominatedNodeName"):
        words = short(scheduled.get("message"), 240) or "no node takes it"
        yield Trouble(Aspect.UNSCHEDULABLE, pod["metadata"]["name"], words)


def _not_ready(pod: Json, usual: float, now: datetime) -> Iterator[Trouble]:
    """A pod whose containers all run and that is not ready: it was before, or takes much longer than others did."""
    ready = condition(pod, "Ready")
    started = _started(pod)
    if started is None or ready.get("status") != "False" or _waits_for_a_gate(pod):
        return
    name, words = pod["metadata"]["name"], "fails; kubectl describe pod shows what it answers"
    changed = ready.get("lastTransitionTime")
    if changed and (parse_time(changed) - started).total_seconds() > SETTLE_SECONDS:
        yield Trouble(Aspect.PROBE_FAILED, name, f"was ready before, now its readiness probe {words}")
    elif (now - started).total_seconds() > usual:
        yield Trouble(
            Aspect.PROBE_FAILED, name, f"runs for longer than pods need to start, its readiness probe {words}"
        )


def _waits_for_a_gate(pod: Json) -> bool:
    """Whether the containers are ready and something else, such as a load balancer, is not."""
    return condition(pod, "ContainersReady").get("status") == "True"


def _started(pod: Json) -> datetime | None:
    """Return when the youngest container began to run; None unless all run."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    times = [((c.get("state") or {}).get("running") or {}).get("startedAt") for c in statuses]
    known = [parse_time(t) for t in times if t]
    return max(known) if known and len(known) == len(times) else None


def _usual_start(scene: Scene) -> float:
    """Return after how many seconds a pod ought to be ready, learned from its siblings that are."""
    took = []
    for pod in scene.live_pods():
        ready, started = condition(pod, "Ready"), _started(pod)
        if ready.get("status") == "True" and started is not None and ready.get("lastTransitionTime"):
            took.append((parse_time(ready["lastTransitionTime"]) - started).total_seconds())
    return max(STARTS_IN_SECONDS / 2, TIMES_USUAL * max(took)) if took else STARTS_IN_SECONDS


def _told_by_events(scene: Scene, usual: float, now: datetime) -> Iterator[Trouble]:
    """What only Events tell: liveness probes and volumes that cannot be mounted."""
    live = {p["metadata"].get("uid"): p for p in scene.live_pods()}
    seen: dict[tuple[Aspect, str], int] = {}
    said: dict[tuple[Aspect, str], str] = {}
    for event in scene.events:
        pod = live.get(event.get("involvedObject", {}).get("uid"))
        aspect = _aspect(event)
        if pod is None or aspect is None or event_age(event, now) > EVENT_SECONDS:
            continue
        if aspect is Aspect.MOUNT_FAILED and _started(pod) is not None:
            continue  # it was mounted in the end
        if aspect is Aspect.PROBE_FAILED and _only_starts(pod, event, usual, now):
            continue
        key = aspect, pod["metadata"]["name"]
        before = _restarts(pod) if aspect is Aspect.PROBE_FAILED else 0
        seen[key] = seen.get(key, before) + event_count(event)
        said[key] = short(event.get("message"), 240)
    for (aspect, name), count in seen.items():
        if count >= _ENOUGH[aspect]:
            yield Trouble(aspect, name, said[aspect, name])


def _only_starts(pod: Json, event: Json, usual: float, now: datetime) -> bool:
    """Whether the pod has not been up for long enough yet, or has become ready since: slow starts fail probes."""
    ready, started = condition(pod, "Ready"), _started(pod)
    if ready.get("status") != "True":
        return started is not None and (now - started).total_seconds() <= usual and not _restarts(pod)
    return age(ready.get("lastTransitionTime"), now) < event_age(event, now)


def _restarts(pod: Json) -> int:
    return sum(int(c.get("restartCount") or 0) for c in pod.get("status", {}).get("containerStatuses") or ())


_ENOUGH = {Aspect.PROBE_FAILED: LIVENESS_FAILURES, Aspect.MOUNT_FAILED: TWICE}
"""Once is no trouble: kubelets try again."""


def _aspect(event: Json) -> Aspect | None:
    rule = _EVENTS.get(event.get("reason", ""))
    return rule(event.get("message") or "") if rule is not None else None


_EVENTS: dict[str, Callable[[str], Aspect | None]] = {
    "Unhealthy": lambda m: Aspect.PROBE_FAILED if m.startswith("Liveness") else None,
    "FailedMount": lambda _: Aspect.MOUNT_FAILED,
    "FailedAttachVolume": lambda _: Aspect.MOUNT_FAILED,
}
"""Readiness and startup are not among them: the pod's own condition says it, and starting pods fail them as a matter
of course."""
