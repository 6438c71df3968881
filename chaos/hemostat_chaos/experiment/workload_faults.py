"""Faults that the API server shows: what is there before, what breaks it, which signal must name it (pure data).

Every fault has one small workload of its own, so that all of them can stand in one namespace and be timed one after the
other. Everything is undone by deleting the namespace; what reaches beyond it has steps of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hemostat.signals.workload import KINDS, Aspect
from hemostat_chaos.experiment.manifests import (
    Json,
    autoscaler,
    config_map,
    cron_job,
    deployment,
    job,
    load_on,
    mounts,
    pod_quota,
    probe,
    service,
    unbound_claim,
    volume,
    web_server,
)

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
    relief: tuple[Command, ...] = ()
    """kubectl calls that end the trouble and leave the target: its signal must clear."""
    on_node: tuple[tuple[str, ...], ...] = ()
    """Commands that are the fault, on the spare node."""
    undo_on_node: tuple[tuple[str, ...], ...] = ()
    """Commands there that end it, and that do no harm where there is none: both relief and undo."""
    kind: str = "Deployment"
    change: str = ""
    """Word that the evidence about what was changed must hold."""
    within_seconds: float = 30.0
    """From the injection until the signal fires, with time for the kubelet and the controllers to notice."""
    clears_seconds: float = 30.0
    """From the relief until the signal is clear, likewise."""

    @property
    def can_be_relieved(self) -> bool:
        """Whether it can end while its target stays."""
        return bool(self.relief or self.undo_on_node)

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


def break_it(names: Names) -> tuple[str, ...]:
    """Make the probes of the pod fail."""
    return ("exec", names["pod"], "--", "touch", BROKEN)


def _rollout(name: str, expected: Aspect, change: str = "", **changed: Any) -> WorkloadFault:
    return WorkloadFault(name, expected, (deployment(name),), (deployment(name, **changed),), change=change)


def _from_key(name: str, key: str) -> list[Json]:
    return [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}]


def _loaded(name: str) -> WorkloadFault:
    """Return more load than as many pods as there may be can bear."""
    return WorkloadFault(
        name,
        Aspect.AUTOSCALER_MAX,
        (web_server(name), service(name), autoscaler(name, most=2, cpu_percent=50)),
        (load_on(name),),
        relief=(lambda _: ("delete", "pod", f"{name}-load", "--wait=false"),),
        change="replicas 1 -> 2",
        # kubelet, metrics-server and autoscaler look every 10 to 15 s, one after the other
        within_seconds=90,
        clears_seconds=90,
    )


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
        (config_map("missing-key", mode="fast"), deployment("missing-key", env=_from_key("missing-key", "mode"))),
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
            unbound_claim("unbound-claim"),
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
    _loaded("autoscaler-maximum"),
)
"""In an order in which they may be run one after the other in one namespace; the quota comes last, by itself."""


def quota_fault(pods: int) -> WorkloadFault:
    """Return the fault of a namespace whose quota is used up by the pods it has.

    :param pods: how many there are.
    """
    return WorkloadFault(
        "quota",
        Aspect.QUOTA_EXHAUSTED,
        (deployment("quota"),),
        (pod_quota("pods", pods), deployment("quota", replicas=2)),
        change="replicas 1 -> 2",
    )
