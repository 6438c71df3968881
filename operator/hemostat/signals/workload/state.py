"""How a workload stands, whatever its kind (pure)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hemostat.api.meta import API_VERSIONS

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """How a workload stands, in replicas; of a Job in completions, of a CronJob in running Jobs."""

    desired: int
    ready: int
    updated: int
    total: int
    complete: bool
    """All replicas are of the newest template, available, and the controller has seen the newest spec."""
    stuck: bool
    """The rollout exceeded its progress deadline, or the Job failed."""

    def readiness(self, what: str = "replicas") -> str:
        """Say how many are ready: `2 of 3 replicas ready`; between two templates there may be more than wanted."""
        if self.ready > self.desired:
            return f"{self.ready} {what} ready, {self.desired} wanted"
        return f"{self.ready} of {self.desired} {what} ready"


def state_of(workload: Json) -> WorkloadState:
    """Read a workload's status, as `kubectl rollout status` does. A kind that is not known reads as a Deployment."""
    return _READERS.get(workload.get("kind", ""), _deployment)(workload)


def condition(workload: Json, kind: str) -> Json:
    """Return the condition of this type, or an empty mapping."""
    found: Json = next((c for c in workload.get("status", {}).get("conditions") or () if c["type"] == kind), {})
    return found


def holds(workload: Json, kind: str) -> bool:
    """Tell whether the condition is True."""
    return condition(workload, kind).get("status") == "True"


def _counts(workload: Json, *names: str) -> list[int]:
    status = workload.get("status", {})
    return [int(status.get(name) or 0) for name in names]


def _seen(workload: Json) -> bool:
    observed = int(workload.get("status", {}).get("observedGeneration", 0))
    return observed >= int(workload["metadata"].get("generation", 0))


def _deployment(workload: Json) -> WorkloadState:
    desired = int(workload.get("spec", {}).get("replicas", 1))
    names = ("readyReplicas", "updatedReplicas", "replicas", "availableReplicas")
    ready, updated, total, available = _counts(workload, *names)
    return WorkloadState(
        desired=desired,
        ready=ready,
        updated=updated,
        total=total,
        complete=_seen(workload) and updated == desired == total == available,
        stuck=condition(workload, "Progressing").get("reason") == "ProgressDeadlineExceeded",
    )


def _stateful_set(workload: Json) -> WorkloadState:
    spec = workload.get("spec", {})
    desired = int(spec.get("replicas", 1))
    names = ("readyReplicas", "updatedReplicas", "replicas", "availableReplicas")
    ready, updated, total, available = _counts(workload, *names)
    strategy = spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    wanted = 0 if strategy.get("type") == "OnDelete" else max(0, desired - partition)
    complete = _seen(workload) and updated >= wanted and desired == total == available
    return WorkloadState(desired, ready, updated, total, complete, stuck=False)


def _daemon_set(workload: Json) -> WorkloadState:
    names = (
        "desiredNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "currentNumberScheduled",
        "numberAvailable",
    )
    desired, ready, updated, total, available = _counts(workload, *names)
    on_delete = (workload.get("spec", {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    complete = _seen(workload) and desired == total == available and (on_delete or updated == desired)
    return WorkloadState(desired, ready, updated, total, complete, stuck=False)


def _job(workload: Json) -> WorkloadState:
    """A Job that runs is as it should be: only failure is not."""
    spec = workload.get("spec", {})
    desired = int(spec.get("completions") or spec.get("parallelism") or 1)
    active, ready, succeeded = _counts(workload, "active", "ready", "succeeded")
    failed = holds(workload, "Failed")
    return WorkloadState(desired, ready + succeeded, active + succeeded, active + succeeded, not failed, failed)


def last_run(jobs: Iterable[Json]) -> Json | None:
    """Return the newest of these Jobs that has ended, well or not."""
    ended = [job for job in jobs if holds(job, "Failed") or holds(job, "Complete")]
    return max(ended, key=lambda job: job["metadata"].get("creationTimestamp") or "", default=None)


def _cron_job(workload: Json) -> WorkloadState:
    running = len(workload.get("status", {}).get("active") or ())
    return WorkloadState(running, running, running, running, complete=True, stuck=False)


def _node(workload: Json) -> WorkloadState:
    ready = int(holds(workload, "Ready"))
    return WorkloadState(1, ready, 1, 1, complete=bool(ready), stuck=False)


_READERS: Mapping[str, Callable[[Json], WorkloadState]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Node": _node,
}
KINDS = API_VERSIONS
"""Kinds that a Watch may have as its target, with their apiVersion."""


def idle(workload: Json) -> tuple[str, str] | None:
    """Return reason and words when the workload is meant to run nothing now, so that there is nothing to judge."""
    kind, spec = workload.get("kind", ""), workload.get("spec", {})
    if kind in ("Deployment", "StatefulSet") and spec.get("replicas") == 0:
        return "ScaledToZero", "scaled to zero: there are no pods to judge"
    if kind == "DaemonSet" and _seen(workload) and not _counts(workload, "desiredNumberScheduled")[0]:
        return "NoNodes", "no node is selected: there are no pods to judge"
    if kind in ("Job", "CronJob") and spec.get("suspend"):
        return "Suspended", "suspended: nothing runs that could be judged"
    return None
