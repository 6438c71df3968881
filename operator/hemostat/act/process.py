"""`hemostat act`: kopf tells which objects changed; queues do the work (shell, composition root)."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kopf

from hemostat.act.elector import steady
from hemostat.act.facts import Facts
from hemostat.act.pace import Key
from hemostat.act.policies import PolicyCheck
from hemostat.act.publishing import Publisher
from hemostat.act.pulse import Pulse
from hemostat.act.reconcile import Reconciler
from hemostat.act.recording import recorder
from hemostat.act.retention import Keep
from hemostat.act.servertime import ServerClock
from hemostat.act.store import Store
from hemostat.act.sweeping import EVERYWHERE, Sweeper
from hemostat.act.waiting import Waiting
from hemostat.action.calls.caller import Caller
from hemostat.action.execute import Executor
from hemostat.action.registry import discover, installed
from hemostat.api import GROUP, VERSION
from hemostat.api.incident import SignalState
from hemostat.api.remediation import ADMITTED
from hemostat.api.resources import APPROVAL, GATEPOLICY, INCIDENT, REMEDIATION
from hemostat.audit.opening import open_log
from hemostat.clock import SystemClock
from hemostat.events import Events
from hemostat.handlers import follow, key_of, on_change
from hemostat.kube import Kube
from hemostat.metrics import AUDIT_REFUSED
from hemostat.settings import Settings
from hemostat.telemetry.prometheus import Prometheus
from hemostat.workqueue import WorkQueue

FIRST_SWEEP_SECONDS = 300.0
"""After a start there is more urgent work."""


class Act:
    """The process: what it is made of, and how events reach it.

    :param permit: asked before whatever is written or called; raises where another replica acts.
    :param spent: is set when the audit log is not as this process left it: only a new one may go on with it.
    """

    def __init__(
        self,
        kube: Kube,
        settings: Settings,
        permit: Callable[[], None] = lambda: None,
        spent: threading.Event | None = None,
    ) -> None:
        AUDIT_REFUSED.set(1)  # till it is open and compared: while it cannot be opened nothing else says so
        kube = kube.permitted(permit)
        clock = ServerClock(kube.server_now, SystemClock(), steady)
        log = open_log(settings.audit, settings.audit_key, f"hemostat-act/{version('hemostat')}", clock)
        events = Events(kube, "hemostat-act", clock)
        publisher = Publisher(kube, log, events)
        record = recorder(log, publisher.compared, permit, spent or threading.Event())
        store = Store(kube, record)
        prometheus = Prometheus.connect(settings)
        catalogue = discover(settings.actions)
        facts = Facts(kube, store, prometheus, clock, tuple(sorted(installed())))
        self.policies: WorkQueue[str] = WorkQueue("policies", PolicyCheck(store, events, clock, installed()).look)
        executor = Executor(kube, Caller(kube, permit=permit))
        reconciler = Reconciler(
            store=store,
            facts=facts,
            executor=executor,
            catalogue=catalogue,
            events=events,
            clock=clock,
            server_now=kube.server_now,
            record=record,
            crowd=lambda: max(len(self.remediations), len(self.incidents)),
        )
        keep = Keep(timedelta(days=settings.keep_days), settings.keep_remediations)
        sweeper = Sweeper(
            store, executor, keep, record, facts.go, kube.server_now, add=lambda key: self.retention.add(key)
        )
        self.retention: WorkQueue[str] = WorkQueue("retention", sweeper.look)
        self.retention.add(EVERYWHERE, FIRST_SWEEP_SECONDS)
        self._waiting = Waiting()
        self.remediations: WorkQueue[Key] = WorkQueue("remediations", self._waiting.told(reconciler.remediation))
        self.incidents: WorkQueue[Key] = WorkQueue("incidents", reconciler.incident)
        self.heads: WorkQueue[str] = WorkQueue("heads", publisher.publish)
        self.heads.add(log.origin)
        folder = Path(settings.audit).parent if "://" not in settings.audit else None
        pulse = Pulse(facts.go, publisher.compared, folder, clock, clock.set)
        self.pulse: WorkQueue[str] = WorkQueue("pulse", pulse.look)
        self.pulse.add("act")

    def queues(self) -> tuple[WorkQueue[Any], ...]:
        """The queues, for the liveness probe."""
        return (self.remediations, self.incidents, self.heads, self.pulse, self.retention, self.policies)

    def start(self) -> list[threading.Thread]:
        """Start one worker per queue. One, so that two actions are never admitted at once."""
        threads = [threading.Thread(target=q.run, name=q.name, daemon=True) for q in self.queues()]
        for thread in threads:
            thread.start()
        return threads

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Have kopf tell us what changed."""
        on_change(registry, REMEDIATION, self._remediation)
        on_change(registry, APPROVAL, self._approval)
        on_change(registry, INCIDENT, self._incident)
        on_change(registry, GATEPOLICY, lambda body: self.policies.add(body["metadata"]["name"]))
        waiting = self._waiting
        follow(registry, GROUP, VERSION, REMEDIATION.plural, put=waiting.put, remove=waiting.remove)
        follow(registry, GROUP, VERSION, INCIDENT.plural, put=waiting.incident, remove=waiting.incident_gone)

    def _remediation(self, body: Mapping[str, Any]) -> None:
        key = key_of(body)
        self.remediations.add(key, first=not _waits(body))
        self.incidents.add((key[0], body["spec"]["incidentRef"]["name"]))

    def _incident(self, body: Mapping[str, Any]) -> None:
        key, status = key_of(body), body.get("status", {})
        self.incidents.add(key)
        proposed = status.get("remediationRef")
        if proposed and not any(s["state"] == SignalState.FIRING for s in status.get("signals", ())):
            self.remediations.add((key[0], proposed["name"]))  # what waits for a person may not be needed any more

    def _approval(self, body: Mapping[str, Any]) -> None:
        self.remediations.add((body["metadata"]["namespace"], body["spec"]["remediation"]), first=True)


def _waits(body: Mapping[str, Any]) -> bool:
    """Tell whether it was looked at and waits for a person or for its time: what is new comes before."""
    conditions = body.get("status", {}).get("conditions", ())
    return any(c["type"] == ADMITTED and c["status"] == "Unknown" for c in conditions)
