"""Faults that the API server shows: what is there before, what breaks it, which signal must name it (pure data).

Every fault has one small workload of its own, so that all of them can stand in one namespace and be timed one after the
other. Everything is undone by deleting the namespace; what reaches beyond it has steps of its own.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hemostat.signals.workload import KINDS, Aspect

Json = dict[str, Any]
IMAGE = "hemostat:dev"
SERVE = ["python3", "-c", "import signal; signal.sigwait([signal.SIGTERM])"]
BROKEN = "/dev/shm/broken"  # noqa: S108 - in the container
Names = Mapping[str, str]
"""What a step may need to know of the cluster: `pod` (of the target) and `node` (of that pod)."""
Command = Callable[[Names], tuple[str, ...]]
"""Arguments of kubectl."""


@dataclass(frozen=True, slots=True)
class WorkloadFault:
    """One fault."""

    name: str
    expected: Aspect
    """The signal that must fire: `<signal>/<aspect>/<name>`."""
    before: tuple[Json, ...]
    """Objects of the healthy state; the target bears the fault's name."""
    apply: tuple[Json, ...] = ()
    """Objects whose application is the fault."""
    commands: tuple[Command, ...] = ()
    """kubectl calls that are the fault, after `apply`."""
    undo: tuple[Command, ...] = ()
    """What deleting the namespace does not undo."""
    kind: str = "Deployment"
    change: str = ""
    """Word that the evidence about what was changed must hold."""
    within_seconds: float = 30.0
    """From the injection until the signal fires, with time for the kubelet and the controllers to notice."""

    def watch(self) -> Json:
        """Return the Watch of the target: workload signals alone, looked at every second."""
        target = {"apiVersion": KINDS[self.kind], "kind": self.kind, "name": self.name}
        signal = {"name": "pods", "workload": {}}
        return {
            "apiVersion": "hemostat.dev/v1alpha1",
            "kind": "Watch",
            "metadata": {"name": self.name},
            "spec": {"target": target, "intervalSeconds": 1, "signals": [signal]},
        }


def container(**changed: Any) -> Json:
    """Return a container that does nothing but end when it is asked to."""
    resources = {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    return {
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": SERVE,
        "resources": resources,
    } | changed


def deployment(name: str, *, replicas: int = 1, deadline: int = 600, pod: Json | None = None, **changed: Any) -> Json:
    """Return a Deployment of such containers."""
    labels = {"app": name}
    spec = {"containers": [container(**changed)], "terminationGracePeriodSeconds": 1} | (pod or {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": deadline,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def job(name: str, *command: str) -> Json:
    """Return a Job that is tried once."""
    template = {"spec": {"restartPolicy": "Never", "containers": [container(command=list(command))]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def cron_job(name: str, *command: str) -> Json:
    """Return a CronJob that is never due: its Jobs are made by hand."""
    spec = {"schedule": "0 0 29 2 *", "jobTemplate": {"spec": job(name, *command)["spec"]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def probe(test: str) -> Json:
    """Return a probe that runs a shell test every second and gives up after two failures."""
    return {"exec": {"command": ["sh", "-c", test]}, "periodSeconds": 1, "failureThreshold": 2, "timeoutSeconds": 5}


def volume(name: str, **source: Any) -> Json:
    """Return the part of a pod with a volume."""
    return {"volumes": [{"name": name, **source}]}


def mounts(name: str) -> Json:
    """Return the part of a container that mounts it."""
    return {"volumeMounts": [{"name": name, "mountPath": "/data"}]}


def break_it(names: Names) -> tuple[str, ...]:
    """Make the probes of the pod fail."""
    return ("exec", names["pod"], "--", "touch", BROKEN)


def _rollout(name: str, expected: Aspect, change: str = "", **changed: Any) -> WorkloadFault:
    return WorkloadFault(name, expected, (deployment(name),), (deployment(name, **changed),), change=change)


def _settings(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _from_key(name: str, key: str) -> list[Json]:
    return [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}]


def _claim(name: str) -> Json:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "there-is-none",
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


_PROBED: Json = {"readinessProbe": probe(f"! test -e {BROKEN}")}
_LIVE: Json = {"livenessProbe": probe(f"! test -e {BROKEN}")}
EAT = ["python3", "-c", "import time; x = b'1' * (200 << 20); time.sleep(600)"]
FILL = ["sh", "-c", "head -c 8000000 /dev/zero > /data/file; sleep 600"]
FALSE = ["sh", "-c", "exit 3"]

FAULTS: tuple[WorkloadFault, ...] = (
    _rollout(
        "bad-image", Aspect.IMAGE_PULL, "image hemostat:dev -> hemostat:no-such-tag", image="hemostat:no-such-tag"
    ),
    _rollout("crash-loop", Aspect.CRASH_LOOP, "command changed", command=FALSE),
    _rollout("out-of-memory", Aspect.OOM_KILLED, "command changed", command=EAT),
    _rollout(
        "unschedulable",
        Aspect.UNSCHEDULABLE,
        "resources changed",
        resources={"requests": {"cpu": "1000"}},
    ),
    WorkloadFault(
        "missing-key",
        Aspect.CONTAINER_CONFIG,
        (_settings("missing-key", mode="fast"), deployment("missing-key", env=_from_key("missing-key", "mode"))),
        (deployment("missing-key", env=_from_key("missing-key", "mood")),),
        change="env MODE changed",
    ),
    WorkloadFault(
        "readiness",
        Aspect.PROBE_FAILED,
        (deployment("readiness", **_PROBED),),
        commands=(break_it,),
    ),
    WorkloadFault(
        "liveness",
        Aspect.PROBE_FAILED,
        (deployment("liveness", **_LIVE),),
        commands=(break_it,),
    ),
    WorkloadFault(
        "stuck-rollout",
        Aspect.ROLLOUT_STUCK,
        (deployment("stuck-rollout", deadline=8),),
        (deployment("stuck-rollout", deadline=8, readinessProbe=probe("false")),),
        change="readinessProbe",
        within_seconds=45,
    ),
    WorkloadFault(
        "missing-volume",
        Aspect.MOUNT_FAILED,
        (deployment("missing-volume"),),
        (
            deployment(
                "missing-volume",
                pod=volume("settings", configMap={"name": "there-is-none"}),
                **mounts("settings"),
            ),
        ),
        change="ConfigMap there-is-none mounted",
        within_seconds=45,
    ),
    WorkloadFault(
        "unbound-claim",
        Aspect.CLAIM,
        (deployment("unbound-claim"),),
        (
            _claim("unbound-claim"),
            deployment(
                "unbound-claim",
                pod=volume("data", persistentVolumeClaim={"claimName": "unbound-claim"}),
                **mounts("data"),
            ),
        ),
        within_seconds=45,
    ),
    WorkloadFault(
        "no-account",
        Aspect.PODS_REFUSED,
        (deployment("no-account"),),
        (deployment("no-account", pod={"serviceAccountName": "there-is-none"}),),
    ),
    WorkloadFault("failed-job", Aspect.JOB_FAILED, (), (job("failed-job", *FALSE),), kind="Job"),
    WorkloadFault(
        "failed-cron-job",
        Aspect.JOB_FAILED,
        (cron_job("failed-cron-job", *FALSE),),
        commands=(lambda _: ("create", "job", "failed-cron-job-1", "--from=cronjob/failed-cron-job"),),
        kind="CronJob",
    ),
    WorkloadFault(
        "evicted",
        Aspect.EVICTED,
        (deployment("evicted", pod=volume("data", emptyDir={"sizeLimit": "1Mi"}), **mounts("data")),),
        (deployment("evicted", pod=volume("data", emptyDir={"sizeLimit": "1Mi"}), command=FILL, **mounts("data")),),
        change="command changed",
        within_seconds=90,
    ),
    WorkloadFault(
        "cordoned",
        Aspect.UNSCHEDULABLE,
        (deployment("cordoned"),),
        commands=(
            lambda names: ("cordon", names["node"]),
            lambda names: ("delete", "pod", names["pod"], "--wait=false"),
        ),
        undo=(lambda names: ("uncordon", names["node"]),),
    ),
)
"""In an order in which they may be run one after the other in one namespace; the quota comes last, by itself."""


def quota_fault(pods: int) -> WorkloadFault:
    """Return the fault of a namespace whose quota is used up by the pods it has.

    :param pods: how many there are.
    """
    limit = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "pods"},
        "spec": {"hard": {"pods": str(pods)}},
    }
    return WorkloadFault(
        "quota",
        Aspect.QUOTA_EXHAUSTED,
        (deployment("quota"),),
        (limit, deployment("quota", replicas=2)),
        change="replicas 1 -> 2",
    )


def in_namespace(manifest: Json, namespace: str) -> Json:
    """Return the object in this namespace."""
    moved = deepcopy(manifest)
    moved["metadata"]["namespace"] = namespace
    return moved
