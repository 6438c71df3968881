"""Sets the stage for a workload fault, inflicts it, waits for its signal, and takes it away again (shell)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hemostat.api.incident import Incident, SignalState, SignalStatus
from hemostat.api.meta import is_true
from hemostat.api.resources import INCIDENT, WATCH
from hemostat.api.watch import Watch
from hemostat.errors import Refused
from hemostat.kube import Kube, NotFound, path_of
from hemostat.signals.workload import KINDS, state_of
from hemostat.signals.workload.scene import short
from hemostat.signals.workload.state import condition, holds
from hemostat_chaos.cluster.constants import SPARE
from hemostat_chaos.experiment.manifests import Json, in_namespace
from hemostat_chaos.experiment.waiting import Waiter
from hemostat_chaos.experiment.workload_faults import WorkloadFault

MANAGER = "hemostat-chaos"
READY_SECONDS = 60.0
LOAD_KNOWN_SECONDS = 120.0
"""Until an autoscaler knows the load of new pods: it wants two measurements, and looks every 15 s."""
QUIET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of a fault."""

    incident: Incident
    signal: SignalStatus
    injected: datetime

    @property
    def seconds(self) -> float:
        """From the injection until the signal fired."""
        return (self.signal.state_time - self.injected).total_seconds()


def no_nodes(node: str, *words: str) -> str:
    """Refuse to run a command on a node."""
    raise Refused("NoNodes", f"`{' '.join(words)}` on {node}: the faults of nodes are for clusters made here alone")


@dataclass(frozen=True, slots=True)
class Inflictor:
    """One namespace where faults are inflicted.

    :param kubectl: runs kubectl with these arguments and returns what it prints.
    :param on_node: runs a command on the node of this name and returns what it prints.
    """

    kube: Kube
    kubectl: Callable[..., str]
    waiter: Waiter
    namespace: str
    on_node: Callable[..., str] = no_nodes

    def prepare(self, fault: WorkloadFault) -> None:
        """Bring about the healthy state, watched; returns when Hemostat calls it healthy."""
        self._apply(fault.before)
        self._apply((fault.watch(),))
        if fault.before and fault.kind == "Deployment":
            self.waiter.until(f"{fault.name} runs", lambda: self._incomplete(fault), READY_SECONDS)
        if any(o["kind"] == "HorizontalPodAutoscaler" for o in fault.before):
            self.waiter.until(f"load of {fault.name}", lambda: self._load_unknown(fault), LOAD_KNOWN_SECONDS)
        self.waiter.until(f"Watch {fault.name} is quiet", lambda: self._noisy(fault), QUIET_SECONDS)

    def inflict(self, fault: WorkloadFault) -> datetime:
        """Inject the fault. Returns when."""
        names = self._names(fault)
        began = self.waiter.clock.now()
        self._apply(fault.apply)
        for command in fault.commands:
            self.kubectl("-n", self.namespace, *command(names))
        for words in fault.on_node:
            self.on_node(self.spare(), *words)
        return began

    def wait(self, fault: WorkloadFault, injected: datetime) -> Fired:
        """Wait until the Incident of the target shows the expected signal firing."""
        found: list[Fired] = []

        def missing() -> str | None:
            for incident in self._incidents(fault):
                signal = next((s for s in incident.status.signals if _is(s, fault, injected)), None)
                if signal is not None:
                    found.append(Fired(incident, signal, injected))
                    return None
            shown = [s.subject for i in self._incidents(fault) for s in i.status.signals]
            return f"no {fault.expected}; there is {', '.join(shown) or 'nothing'}"

        self.waiter.until(f"signal of {fault.name}", missing, fault.within_seconds + 15)
        return found[0]

    def relieve(self, fault: WorkloadFault) -> datetime:
        """End the trouble and leave the target. Returns when."""
        began, names = self.waiter.clock.now(), self._names(fault)
        for command in fault.relief:
            self.kubectl("-n", self.namespace, *command(names))
        self._restore_node(fault)
        return began

    def wait_clear(self, fault: WorkloadFault, fired: Fired, relieved: datetime) -> float:
        """Wait until the signal that fired is clear; return how many seconds after the relief."""
        found: list[datetime] = []

        def fires() -> str | None:
            live = self.kube.get(INCIDENT.path(self.namespace, fired.incident.metadata.name))
            signal = next(s for s in Incident.model_validate(live).status.signals if s.key == fired.signal.key)
            if signal.state is not SignalState.CLEAR:
                return f"{signal.subject}: {signal.state}"
            found.append(signal.state_time)
            return None

        self.waiter.until(f"signal of {fault.name} is clear", fires, fault.clears_seconds + 15)
        return (found[0] - relieved).total_seconds()

    def spare(self) -> str:
        """Return the name of the node that faults may hit: nothing else runs there."""
        found = self.kube.list("/api/v1/nodes", labelSelector=SPARE)
        if not found:
            raise Refused("NoSpareNode", "python -m hemostat_chaos.cluster up --spares 1 makes a cluster that has one")
        return str(found[0]["metadata"]["name"])

    def take_away(self, fault: WorkloadFault) -> None:
        """Undo the fault, delete its target and the Incidents about it: the next time must not take up this one."""
        self._restore_node(fault)
        names = self._names(fault)
        for command in fault.undo:
            self.kubectl(*command(names))
        self.kubectl("-n", self.namespace, "delete", "watches.hemostat.dev", fault.name, "--ignore-not-found")
        for incident in self._incidents(fault):
            self.kubectl("-n", self.namespace, "delete", "incidents.hemostat.dev", incident.metadata.name)
        made = ((o["kind"].lower(), o["metadata"]["name"]) for o in (*fault.before, *fault.apply))
        for kind, name in dict.fromkeys(made):
            self.kubectl("-n", self.namespace, "delete", kind, name, "--ignore-not-found", "--wait=false")

    def _apply(self, objects: tuple[Json, ...]) -> None:
        for manifest in objects:
            moved = in_namespace(manifest, self.namespace)
            meta = moved["metadata"]
            path = path_of(moved["apiVersion"], moved["kind"], self.namespace, meta["name"])
            if moved["kind"] == WATCH.kind:
                path = WATCH.path(self.namespace, meta["name"])
            self.kube.apply(path, moved, MANAGER, force=True)

    def _names(self, fault: WorkloadFault) -> dict[str, str]:
        pods = self.kube.list(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"app={fault.name}")
        pod: dict[str, Any] = next((p for p in pods if not p["metadata"].get("deletionTimestamp")), {})
        name, node = pod.get("metadata", {}).get("name", ""), pod.get("spec", {}).get("nodeName", "")
        return {"pod": name, "node": node or self.kube.list("/api/v1/nodes")[0]["metadata"]["name"]}

    def _restore_node(self, fault: WorkloadFault) -> None:
        for words in fault.undo_on_node:
            self.on_node(self.spare(), *words)

    def _load_unknown(self, fault: WorkloadFault) -> str | None:
        live = self.kube.get(path_of("autoscaling/v2", "HorizontalPodAutoscaler", self.namespace, fault.name))
        return None if holds(live, "ScalingActive") else short(condition(live, "ScalingActive").get("message")) or "new"

    def _incomplete(self, fault: WorkloadFault) -> str | None:
        live = self.kube.get(path_of(KINDS[fault.kind], fault.kind, self.namespace, fault.name))
        return None if state_of(live).complete else "not every pod is available"

    def _noisy(self, fault: WorkloadFault) -> str | None:
        """Return why the Watch is not quiet; where the fault makes the target, it is missing until then."""
        watch = Watch.model_validate(self.kube.get(WATCH.path(self.namespace, fault.name)))
        now = self.waiter.clock.now()
        for said in watch.status.conditions:
            if said.type == "Ready" and (said.status == "True" or not fault.before):
                settled = now - said.last_transition_time >= timedelta(seconds=1)
                return "just begun" if not settled else f"{watch.status.firing} fire" if watch.status.firing else None
        return "it says nothing yet"

    def _incidents(self, fault: WorkloadFault) -> list[Incident]:
        try:
            items = self.kube.list(INCIDENT.path(self.namespace))
        except NotFound:
            return []
        parsed = [Incident.model_validate(i) for i in items]
        mine = [i for i in parsed if i.spec.target_ref.name == fault.name]
        return [i for i in mine if not is_true(i.status.conditions, "Resolved")]


def _is(signal: SignalStatus, fault: WorkloadFault, injected: datetime) -> bool:
    """Whether it is the expected signal and began to fire after the injection."""
    fires = signal.state is SignalState.FIRING and signal.state_time >= injected
    return fires and signal.key == f"pods/{fault.expected}/{fault.name}"
