"""Faults that the API server shows, each at a target with a name that gives nothing away, with noise beside it (pure).

Most are those of the chaos package; the rest is what kubectl alone can break.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hemostat.signals.workload import Aspect
from hemostat_chaos.cluster.constants import SPARE
from hemostat_chaos.experiment.manifests import config_map, container, deployment
from hemostat_chaos.experiment.node_faults import NODE_FAULTS, ON_SPARE
from hemostat_chaos.experiment.workload_faults import FALSE, FAULTS, Command, WorkloadFault, quota_fault

Json = dict[str, Any]
TARGETS = ("api", "ledger", "mailer", "search", "billing", "gateway", "reports", "media", "sessions", "orders")
NEIGHBOUR = "neighbour"
AFTER = "-after-rollout"
_DECOYED = ("config-key-removed", "secret-key-removed", "no-room-for-more", "quota", "node-not-ready", "node-pressure")
"""Faults that are also inflicted shortly after a rollout that is fine."""
ON_A_NODE = ("cordoned", *(f"node-{what}{after}" for what in ("not-ready", "pressure") for after in ("", AFTER)))
"""Kinds that need the spare node, one at a time."""
_ONE_REPLICA = ("quota", "autoscaler-maximum", "no-room-for-more")
ALERTS = ("HighErrorRate", "LatencyBudgetBurn", "QueueGrows", "TooFewReplicas")


@dataclass(frozen=True, slots=True)
class Run:
    """One fault to be recorded; the target bears the fault's name."""

    kind: str
    number: int
    fault: WorkloadFault
    beside: tuple[Json, ...] = ()
    """Objects that have nothing to do with it."""
    noise: tuple[str, ...] = ()
    """kubectl's arguments for what happens to them just before."""
    rolled_out: bool = False
    """Whether the target gets a new revision half a minute before, and that one is fine."""
    alert: str = ""
    """In place of a fault: the alert that is sent about the target."""

    @property
    def told(self) -> str:
        """Return what was done, in words."""
        what = f"alert {self.alert} about" if self.alert else f"{self.kind} at"
        noise = f"; just before: kubectl {' '.join(self.noise)}" if self.noise else ""
        before = "; half a minute before: a rollout that was fine" if self.rolled_out else ""
        return f"{what} {self.fault.kind} {self.fault.name}{noise}{before}"


class Alerted(WorkloadFault):
    """A workload that is well, with a Watch of all defaults."""

    def watch(self) -> Json:
        """Return a Watch with only a target."""
        plain = WorkloadFault.watch(self)
        return plain | {"spec": {"target": plain["spec"]["target"], "intervalSeconds": 1}}


def runs(each: int) -> Iterator[Run]:
    """Yield every fault so many times, one of each kind before the second of any; alerts four times."""
    faults = {f.name: f for f in (*FAULTS, quota_fault(1), *_MORE, *NODE_FAULTS)}
    faults["cordoned"] = replace(
        faults["cordoned"],
        before=(deployment("cordoned", pod=ON_SPARE),),  # other lanes need the other node
        commands=(lambda _: ("cordon", "--selector", SPARE), _pod_again),
        undo=(lambda _: ("uncordon", "--selector", SPARE),),
    )
    for number in range(1, each + 1):
        for place, (kind, fault) in enumerate(faults.items()):
            target = TARGETS[(place + 3 * number) % len(TARGETS)]
            moved = renamed(fault, target)
            if number % 2 == 0 and kind not in (*ON_A_NODE, *_ONE_REPLICA):
                moved = replace(moved, before=_scaled(moved.before, target), apply=_scaled(moved.apply, target))
            beside, noise = ((), ()) if kind in (*ON_A_NODE, "quota") else _NOISE[(place + number) % len(_NOISE)]
            yield Run(kind, number, moved, beside, noise)
    for number in range(1, each + 1):
        for place, kind in enumerate(_DECOYED):
            moved = renamed(faults[kind], TARGETS[(place + 5 * number) % len(TARGETS)])
            name = kind.removesuffix("-for-more") + AFTER
            yield Run(name, number, moved, rolled_out=True)
    for number, alert in enumerate(ALERTS, 1):
        target = TARGETS[number]
        well = Alerted(target, Aspect.CRASH_LOOP, (deployment(target),))
        beside, noise = _NOISE[number % len(_NOISE)]
        yield Run("alert-only", number, well, beside, noise, alert=alert)


def renamed(fault: WorkloadFault, target: str) -> WorkloadFault:
    """Return the fault at a target of another name."""
    old = fault.name

    def moved(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: moved(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(moved(v) for v in value)
        if not isinstance(value, str):
            return value
        for begins in (old, f"deployment/{old}", f"statefulset/{old}", f"secret/{old}", f"configmap/{old}"):
            if value == begins or value.startswith(f"{begins}-"):
                return value.replace(old, target, 1)
        return value.replace(f"//{old}:", f"//{target}:").replace(f"=cronjob/{old}", f"=cronjob/{target}")

    def command(given: Command) -> Command:
        return lambda names: moved(given(names))

    return replace(
        fault,
        name=target,
        before=moved(fault.before),
        apply=moved(fault.apply),
        commands=tuple(command(c) for c in fault.commands),
        undo=tuple(command(c) for c in fault.undo),
        relief=tuple(command(c) for c in fault.relief),
    )


def _scaled(objects: Sequence[Json], target: str) -> tuple[Json, ...]:
    """Give the target two replicas."""
    return tuple(
        o | {"spec": o["spec"] | {"replicas": 2}}
        if o["kind"] == "Deployment" and o["metadata"]["name"] == target
        else o
        for o in objects
    )


def _from_secret(name: str) -> list[Json]:
    return [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": "token"}}}]


def _from_config(name: str) -> list[Json]:
    return [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": name, "key": "mode"}}}]


def _secret(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"token": "sesame", "b": ""},
    }


def _account(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def _without_key(kind: str, name: str, key: str) -> Command:
    patch = f'[{{"op": "remove", "path": "/data/{key}"}}]'
    return lambda _: ("patch", f"{kind}/{name}", "--type=json", "-p", patch)


def _pod_again(names: Mapping[str, str]) -> tuple[str, ...]:
    return ("delete", "pod", names["pod"], "--wait=false")


def _stateful(name: str, image: str) -> Json:
    labels = {"app": name}
    pod = {"containers": [container(image=image)], "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "serviceName": name, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}


def _in_place(of: Json) -> Json:
    """Return the Deployment with no more pods during a rollout than else."""
    return of | {"spec": of["spec"] | {"strategy": {"type": "Recreate"}}}


def _apart(name: str) -> Json:
    """Return the part of a pod that shares no node with its like."""
    term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


_MORE = (
    WorkloadFault(
        "secret-key-removed",
        Aspect.CONTAINER_CONFIG,
        (_secret("secret-key-removed"), deployment("secret-key-removed", env=_from_secret("secret-key-removed"))),
        commands=(_without_key("secret", "secret-key-removed", "token"), _pod_again),
    ),
    WorkloadFault(
        "config-key-removed",
        Aspect.CONTAINER_CONFIG,
        (
            config_map("config-key-removed", mode="fast", other="1"),
            deployment("config-key-removed", env=_from_config("config-key-removed")),
        ),
        commands=(_without_key("configmap", "config-key-removed", "mode"), _pod_again),
    ),
    WorkloadFault(
        "bad-command",
        Aspect.CONTAINER_CONFIG,
        (deployment("bad-command"),),
        (deployment("bad-command", command=["/there/is/none"]),),
        within_seconds=45,
    ),
    WorkloadFault(
        "init-fails",
        Aspect.CRASH_LOOP,
        (deployment("init-fails"),),
        (deployment("init-fails", pod={"initContainers": [container(name="migrate", command=FALSE)]}),),
        within_seconds=45,
    ),
    WorkloadFault(
        "stateful-bad-image",
        Aspect.IMAGE_PULL,
        (_stateful("stateful-bad-image", "hemostat:dev"),),
        (_stateful("stateful-bad-image", "hemostat:no-such-tag"),),
        kind="StatefulSet",
        within_seconds=45,
    ),
    WorkloadFault(
        "no-room-for-more",
        Aspect.UNSCHEDULABLE,
        (_in_place(deployment("no-room-for-more", pod=_apart("no-room-for-more"))),),
        commands=(lambda _: ("scale", "deployment/no-room-for-more", "--replicas=3"),),
    ),
    WorkloadFault(
        "account-deleted",
        Aspect.PODS_REFUSED,
        (_account("account-deleted"), deployment("account-deleted", pod={"serviceAccountName": "account-deleted"})),
        commands=(lambda _: ("delete", "serviceaccount", "account-deleted"), _pod_again),
    ),
)

_BESIDE = (deployment(NEIGHBOUR), config_map("flags", colour="red"))
_NOISE: tuple[tuple[tuple[Json, ...], tuple[str, ...]], ...] = (
    ((), ()),
    (_BESIDE, ("set", "env", f"deployment/{NEIGHBOUR}", "MODE=new")),
    (_BESIDE, ("scale", f"deployment/{NEIGHBOUR}", "--replicas=2")),
    (_BESIDE, ("patch", "configmap/flags", "--type=merge", "-p", '{"data": {"colour": "green"}}')),
    (_BESIDE, ("delete", "pods", "-l", f"app={NEIGHBOUR}", "--wait=false")),
)
"""What may be beside the target, and what happens to it."""
