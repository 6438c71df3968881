"""What the judges look at: the target and what it depends on, as the API server last told (pure)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hemostat.clock import parse_time

Json = Mapping[str, Any]
_KILLED_FOR = re.compile(r"failed (liveness|startup) probe")


class Aspect(StrEnum):
    """What can be wrong with a workload. One signal each, so that an Incident says what it is."""

    CRASH_LOOP = "CrashLoopBackOff"
    OOM_KILLED = "OOMKilled"
    IMAGE_PULL = "ImagePullBackOff"
    CONTAINER_CONFIG = "CreateContainerConfigError"
    MOUNT_FAILED = "FailedMount"
    PROBE_FAILED = "ProbeFailed"
    UNSCHEDULABLE = "Unschedulable"
    EVICTED = "Evicted"
    PODS_REFUSED = "PodsRefused"
    QUOTA_EXHAUSTED = "QuotaExhausted"
    QUOTA_NEAR = "QuotaNearlyUsed"
    ROLLOUT_STUCK = "RolloutStuck"
    JOB_FAILED = "JobFailed"
    SCHEDULE_MISSED = "ScheduleMissed"
    AUTOSCALER_MAX = "AutoscalerAtMaximum"
    CLAIM = "VolumeClaim"
    NODE_NOT_READY = "NodeNotReady"
    NODE_PRESSURE = "NodePressure"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with one object."""

    aspect: Aspect
    subject: str
    """Name of the object: a pod, a node, a claim, ..."""
    words: str
    """What is wrong and what to look at."""
    label: str = ""
    """The API server's own word where it is more exact than the aspect, for example `ErrImagePull`."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.label or self.aspect}" + (f": {self.words}" if self.words else "")


@dataclass(frozen=True, slots=True)
class Scene:
    """The target of a Watch and what it depends on. Objects are as the API server gives them, or trimmed."""

    target: Json | None = None
    """None: it does not exist."""
    unknown: str = ""
    """Why nothing can be said: the objects are not all there yet, or no longer up to date."""
    pods: Sequence[Json] = ()
    """Of the target; of a Node none."""
    owned: Sequence[Json] = ()
    """ReplicaSets of a Deployment, Jobs of a CronJob, ControllerRevisions of the others."""
    nodes: Sequence[Json] = ()
    """All of the cluster that the pods run on; every node where some pod cannot be placed."""
    autoscalers: Sequence[Json] = ()
    """Those that scale the target."""
    claims: Sequence[Json] = ()
    """Those that the pods mount."""
    quotas: Sequence[Json] = ()
    """Those of the namespace."""
    events: Sequence[Json] = ()
    """Recent warnings about the target, its pods, what it owns and its claims; see `tells_trouble`."""

    @property
    def name(self) -> str:
        """Name of the target, or an empty text."""
        return str(self.target["metadata"]["name"]) if self.target is not None else ""

    @property
    def revisions(self) -> Sequence[Json]:
        """ReplicaSets or ControllerRevisions. A Job that a CronJob made, or that runs a failed one again, is a run of
        it, not a version."""
        return () if self.target is not None and self.target.get("kind") in ("CronJob", "Job") else self.owned

    def live_pods(self) -> Iterator[Json]:
        """Yield the pods that are neither finished nor being deleted: what happens to others is meant to happen."""
        for pod in self.pods:
            phase = pod.get("status", {}).get("phase")
            if not pod["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed"):
                yield pod


def age(text: str | None, now: datetime) -> float:
    """Return how many seconds ago this time of the API server was; infinite when there is none.

    A clock that runs ahead of ours makes nothing younger than now.
    """
    if not text:
        return float("inf")
    try:
        return max(0.0, (now - parse_time(text)).total_seconds())
    except ValueError:
        return float("inf")


def event_age(event: Json, now: datetime) -> float:
    """Return how many seconds ago the Event was last seen."""
    series = event.get("series") or {}
    return age(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
        or event["metadata"].get("creationTimestamp"),
        now,
    )


def killing_probe(event: Json) -> str:
    """Return the probe for which the kubelet ends a container, if the Event tells of that: `liveness` or `startup`."""
    match = _KILLED_FOR.search(event.get("message") or "") if event.get("reason") == "Killing" else None
    return match[1] if match is not None else ""


def tells_trouble(event: Json) -> bool:
    """Tell whether it is a warning, or of what the kubelet calls Normal the one thing that is none."""
    return event.get("type") != "Normal" or bool(killing_probe(event))


def event_count(event: Json) -> int:
    """Return how often the Event was seen."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def short(text: str | None, limit: int = 160) -> str:
    """Return the first line of somebody's message, cut."""
    line = " ".join((text or "").split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
