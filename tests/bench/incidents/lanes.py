"""Lanes of a recording, side by side, each in namespaces of its own (shell).

An Incident is recorded a moment after the signal that must fire does, whatever the matcher makes of it: after some
seconds, in which observe looks again and says what else it sees. Loops of agents are recorded a moment after observe
advises to cut them: before, nothing is to be decided. A run that is missed is told, and the next one begun.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tests.bench.incidents import agents, pods, shop
from tests.bench.incidents.recorded import LIBRARY, keep, path_of

from hemostat.api.incident import PART_OF, Advice, Incident, SignalState, SignalStatus
from hemostat.api.meta import is_true
from hemostat.api.resources import INCIDENT, WATCH
from hemostat.api.watch import Watch
from hemostat.errors import HemostatError
from hemostat.kube import Kube
from hemostat_chaos.agents.lab import ByApiServer, Lab
from hemostat_chaos.demo import agents as sample
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.inflict import Inflictor
from hemostat_chaos.experiment.waiting import TimedOut, Waiter

SETTLE_SECONDS = 3.0
CUT_SECONDS = 60.0
"""Loops of agents are told before it is advised to cut them: so long it may take."""
QUIET_SECONDS = 200.0
CALM_SECONDS = 60.0
NOISE_SECONDS = 20.0
ROLLED_OUT_SECONDS = 30.0
OBJECTS = "incidents.hemostat.dev,remediations.hemostat.dev,approvals.hemostat.dev"
ALERTMANAGER = "http://hemostat-observe.hemostat-system.svc:8080/alertmanager"
SEND = (
    "import sys, urllib.request as u; "
    "u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode(), {'Content-Type': 'application/json'}), timeout=5).read()"
)
Wanted = Callable[[SignalStatus], bool]


class Run(Protocol):
    """One fault of one kind."""

    @property
    def kind(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def told(self) -> str: ...


@dataclass(slots=True)
class Tools:
    """What a lane works with; one set for each thread."""

    kube: Kube
    kubectl: Kubectl
    waiter: Waiter
    on_node: Callable[..., str]
    root: Path
    missed: list[str] = field(default_factory=list)

    def each(self, runs: Iterable[Run], record: Callable[[Any], None], deadline: float) -> None:
        """Record what is not recorded yet, until the deadline on the monotonic clock."""
        for run in runs:
            if path_of(run.kind, run.number).exists():
                continue
            if time.monotonic() > deadline:
                self.missed.append(f"{run.kind}/{run.number}: no time left")
                continue
            try:
                record(run)
            except (HemostatError, OSError, ValueError, KeyError) as error:
                self.missed.append(f"{run.kind}/{run.number}: {error}")
                self.waiter.say(f"{run.kind:24} {run.number} MISSED: {error}")

    def record(
        self, run: Run, namespace: str, since: datetime, wanted: Wanted, within: float, target: str = ""
    ) -> None:
        """Wait for an Incident that leads, with a signal that is wanted; keep it.

        :param target: the workload that it must be about; empty: any.
        """
        found: list[str] = []

        def missing() -> str | None:
            live = [Incident.model_validate(i) for i in self.kube.list(INCIDENT.path(namespace))]
            leading = [
                i for i in live if not is_true(i.status.conditions, PART_OF) and target in ("", i.spec.target_ref.name)
            ]
            named = [i.metadata.name for i in leading if any(_fires(s, wanted, since) for s in i.status.signals)]
            found[:] = named
            return (
                None if named else f"shown: {', '.join(s.subject for i in live for s in i.status.signals) or 'nothing'}"
            )

        took = self.waiter.until(f"Incident of {run.kind}/{run.number}", missing, within)
        time.sleep(SETTLE_SECONDS)
        live = self.kube.get(INCIDENT.path(namespace, found[0]))
        chosen = ((live["status"].get("diagnosis") or {}).get("runbookRef") or {}).get("name")
        keep(run.kind, run.number, run.told, live, matcher=chosen)
        self.waiter.say(f"{run.kind:24} {run.number} {took:5.1f} s  {chosen or 'none'}")

    def quiet(self, namespace: str, seconds: float) -> None:
        """Wait until every Watch is well; delete what was recorded, for trouble that returns would reopen it."""

        def noisy() -> str | None:
            watches = [Watch.model_validate(w) for w in self.kube.list(WATCH.path(namespace))]
            loud = [w.metadata.name for w in watches if w.status.firing]
            return f"{', '.join(loud)} not well" if loud else None

        self.waiter.until(f"{namespace} is quiet", noisy, seconds)
        time.sleep(5.0)
        self.waiter.until(f"{namespace} stays quiet", noisy, seconds)
        self.kubectl("delete", OBJECTS, "-n", namespace, "--all", "--timeout=30s")

    def runbooks(self, namespace: str) -> None:
        """Give the namespace the Runbooks that the project ships: nothing comes of them without a person."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-n", namespace, "-k", LIBRARY)


def record_pods(tools: Tools, run: pods.Run) -> None:
    """Record a fault of pods in a namespace of its own, which is gone afterwards."""
    namespace = f"team-{uuid.uuid4().hex[:6]}"
    tools.kubectl("create", "namespace", namespace)
    inflictor = Inflictor(tools.kube, tools.kubectl, tools.waiter, namespace, tools.on_node)
    try:
        tools.runbooks(namespace)
        inflictor._apply(run.beside)
        inflictor.prepare(run.fault)
        if run.fault.kind == "StatefulSet":
            tools.kubectl("-n", namespace, "rollout", "status", f"statefulset/{run.fault.name}", "--timeout=50s")
        if run.noise:
            tools.kubectl("-n", namespace, *run.noise)
            time.sleep(3.0)
        if run.rolled_out:
            tools.kubectl("-n", namespace, "set", "env", f"deployment/{run.fault.name}", "RELEASE=2")
            tools.kubectl("-n", namespace, "rollout", "status", f"deployment/{run.fault.name}", "--timeout=50s")
            time.sleep(ROLLED_OUT_SECONDS)
        since = inflictor.inflict(run.fault)
        if run.alert:
            _alert(tools, run, namespace)
        wanted = _from_alertmanager if run.alert else _about(f"pods/{run.fault.expected}/{run.fault.name}")
        within = run.fault.within_seconds + 60
        tools.record(run, namespace, since, wanted, within, run.fault.name)
    finally:
        try:
            inflictor.take_away(run.fault)
        finally:
            tools.kubectl("delete", "namespace", namespace, "--wait=false")


def record_shop(tools: Tools, run: shop.Run) -> None:
    """Record a fault of the shop, and wait until it is well again."""
    tools.quiet("shop", QUIET_SECONDS)
    for arguments in run.noise:
        tools.kubectl("-n", "shop", *arguments)
    if run.noise:
        time.sleep(NOISE_SECONDS)
    since = datetime.now(UTC)
    try:
        for arguments in run.inflict:
            tools.kubectl("-n", "shop", *arguments)
        wanted: Wanted = lambda s: s.kind in run.signals  # noqa: E731
        tools.record(run, "shop", since, wanted, run.within_seconds, run.target)
    finally:
        for arguments in run.undo:
            tools.kubectl("-n", "shop", *arguments)


def record_agents(tools: Tools, run: agents.Run) -> None:
    """Record trouble among agents, and wait until they are well again."""
    lab = Lab(ByApiServer(tools.kubectl, sample.NAMESPACE))
    try:
        tools.quiet(sample.NAMESPACE, CALM_SECONDS)
    except TimedOut:  # who waits for each other does so for ever
        tools.kubectl("delete", "pods", "-n", sample.NAMESPACE, "--all", "--grace-period=1", "--timeout=50s")
        tools.quiet(sample.NAMESPACE, QUIET_SECONDS)
    since = datetime.now(UTC)
    for kind in run.beside:
        lab.begin(kind)
    try:
        for _ in range(run.trouble.conversations):
            lab.begin(run.trouble.kind, "task", run.trouble.faults)
        tools.record(run, sample.NAMESPACE, since, partial(_loop, run), 150.0 + CUT_SECONDS)
    finally:
        for conversation in lab.faulty():
            lab.clear(conversation)


def _fires(signal: SignalStatus, wanted: Wanted, since: datetime) -> bool:
    return signal.state is SignalState.FIRING and signal.state_time >= since and wanted(signal)


def _loop(run: agents.Run, signal: SignalStatus) -> bool:
    advised = signal.conversation is not None and signal.conversation.advice is Advice.CUT
    return signal.kind == run.signal and (advised or run.signal not in agents.LOOPS)


def _about(key: str) -> Wanted:
    return lambda signal: signal.key == key


def _from_alertmanager(signal: SignalStatus) -> bool:
    return signal.source == "Alertmanager"


def _alert(tools: Tools, run: pods.Run, namespace: str) -> None:
    labels = {"alertname": run.alert, "namespace": namespace, "deployment": run.fault.name, "severity": "warning"}
    item = {"status": "firing", "labels": labels, "annotations": {"summary": f"{run.alert} of {run.fault.name}"}}
    told = json.dumps({"version": "4", "alerts": [item]})
    tools.kubectl("exec", "-n", "shop", "deployment/load", "--", "python3", "-c", SEND, ALERTMANAGER, told)
