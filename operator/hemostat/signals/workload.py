"""The target as the API server sees it (pure): pods that cannot start or do not stay up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemostat.api.incident import SignalSource
from hemostat.api.watch import SignalKind, WorkloadSignal
from hemostat.signals.base import Observation, Timing

WAITING_TROUBLE = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Waiting reasons that do not pass by themselves (kubelet's container status reasons)."""


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """How a Deployment stands."""

    desired: int
    ready: int
    updated: int
    total: int
    complete: bool
    """All replicas are of the newest template, available, and the controller has seen the newest spec."""
    stuck: bool
    """The rollout exceeded its progress deadline."""


def timing(signal: WorkloadSignal) -> Timing:
    """Return how long a pod must be in trouble or well."""
    return Timing(signal.for_seconds, 5)


def state_of(deployment: Mapping[str, Any]) -> WorkloadState:
    """Read a Deployment's status, as `kubectl rollout status` does."""
    spec, status = deployment.get("spec", {}), deployment.get("status", {})
    desired = int(spec.get("replicas", 1))
    updated, total = int(status.get("updatedReplicas", 0)), int(status.get("replicas", 0))
    available = int(status.get("availableReplicas", 0))
    seen = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
    progressing: Mapping[str, Any] = next((c for c in status.get("conditions", ()) if c["type"] == "Progressing"), {})
    return WorkloadState(
        desired=desired,
        ready=int(status.get("readyReplicas", 0)),
        updated=updated,
        total=total,
        complete=seen and updated == desired == total == available,
        stuck=progressing.get("reason") == "ProgressDeadlineExceeded",
    )


def judge(name: str, deployment: Mapping[str, Any] | None, pods: Sequence[Mapping[str, Any]]) -> list[Observation]:
    """Return one observation about the target's pods; None for the deployment means it is not there."""
    if deployment is None:
        return [_observation(name, "the target does not exist", None, 0)]
    troubles = sorted(trouble for pod in pods for trouble in pod_troubles(pod))
    if state_of(deployment).stuck:
        troubles.append("rollout exceeded its progress deadline")
    return [_observation(name, "; ".join(troubles[:5]), len(troubles), len(pods))]


def pod_troubles(pod: Mapping[str, Any]) -> Iterable[str]:
    """Yield what is wrong with a pod's containers, for example `payment-7d: ImagePullBackOff`."""
    pod_name = pod["metadata"]["name"]
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting", {}).get("reason", "")
        killed = container.get("lastState", {}).get("terminated", {}).get("reason", "")
        if waiting in WAITING_TROUBLE:
            yield f"{pod_name}: {'OOMKilled' if killed == 'OOMKilled' else waiting}"
        elif killed == "OOMKilled" and not container.get("ready"):
            yield f"{pod_name}: OOMKilled"


def _observation(name: str, note: str, count: int | None, pods: int) -> Observation:
    return Observation(
        key=f"{name}/pods",
        name=name,
        kind=SignalKind.WORKLOAD,
        source=SignalSource.WORKLOAD,
        subject="pods",
        wrong=None if count is None else count > 0,
        value=None if count is None else float(count),
        threshold=0.0,
        samples=pods,
        note=note,
    )
