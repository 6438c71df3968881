"""`hemostat observe`: kopf tells which Watches there are; a queue looks at them (shell, composition root)."""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import kopf
from aiohttp import web

from hemostat.action.registry import discover
from hemostat.api.meta import set_condition
from hemostat.api.resources import INCIDENT, REMEDIATION, RUNBOOK, WATCH
from hemostat.api.runbook import Runbook, RunbookStatus
from hemostat.clock import SystemClock
from hemostat.diagnosis.answer import Asks
from hemostat.diagnosis.lint import problems
from hemostat.diagnosis.model import connect
from hemostat.diagnosis.panel.consult import Panel
from hemostat.diagnosis.panel.daily import Bound
from hemostat.diagnosis.panel.meter import Budget, Meter
from hemostat.events import Events
from hemostat.handlers import follow, key_of, on_change
from hemostat.kube import Kube
from hemostat.memory.opening import open_memory
from hemostat.observe.attend import Attendant
from hemostat.observe.bulletin import Bulletin
from hemostat.observe.consultant import Consultant
from hemostat.observe.desk import GRAPH_SECONDS, Desk
from hemostat.observe.gather import Gatherer
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.kinds import KINDS
from hemostat.observe.lessons import Lessons
from hemostat.observe.look import Key, Observer
from hemostat.observe.lookup import Lookups
from hemostat.observe.permits import Permits
from hemostat.observe.poll import Poller
from hemostat.observe.recollection import Recollection
from hemostat.observe.resync import CHECKED, Resync
from hemostat.observe.store import Store
from hemostat.observe.talks import Talks
from hemostat.observe.world import World
from hemostat.settings import Settings
from hemostat.signals.loops.detect import Detector
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.graph import CallGraph
from hemostat.telemetry.ingest import Ingest
from hemostat.telemetry.pricelist import load
from hemostat.telemetry.prometheus import Prometheus
from hemostat.telemetry.receiver import Receiver
from hemostat.telemetry.webhook import Webhook
from hemostat.telemetry.window import TraceWindows
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger(__name__)
FORGETFUL = (
    "no outcome is remembered, so no confidence is ever calibrated, and a person decides wherever a GatePolicy asks for"
    " one (unless it says onUncalibrated: Allow); name an SQLite file, as the manifests do, or PostgreSQL"
)


class Observe:
    """The process: what it is made of, and how events reach it."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._clock = SystemClock()
        self._world = World(self._clock)
        self._store = Store(kube, self._world, settings.shared_services)
        self._events = Events(kube, "hemostat-observe", self._clock)
        self._catalogue = discover(settings.actions)
        self._settings = settings
        windows, lock = TraceWindows(), threading.Lock()
        prices = load(settings.prices_file)
        talks = Talks(
            Detector(
                settings.agent_conversations, settings.agent_hold_seconds, turns=settings.agent_turns, prices=prices
            )
        )
        backlog = Backlog(talks.take)
        self._receiver = Receiver(windows, lock, backlog, settings.otlp_max_bytes)
        user, _ = kube.user()
        prometheus = Prometheus.connect(settings)
        poller = Poller(prometheus)
        desk = Desk(self._store.incidents, partial(call_graph, windows, lock))
        self._lessons = Lessons(self._store)
        self._past = Recollection(open_memory(settings.memory), self._store, self._clock) if settings.memory else None
        if self._past is None:
            LOG.warning("HEMOSTAT_MEMORY is not set: %s", FORGETFUL)
        similar = self._past.similar if self._past is not None else None
        lookups = Lookups(kube, self._store, prometheus, desk.drawing, talks.trails, similar, self._clock)
        self.bulletin = Bulletin(self._store, self._clock)
        self._consultant = self._consulting(connect(settings, prices), lookups)
        stale = timedelta(seconds=settings.alertmanager_stale_seconds)
        self.webhook = Webhook(self._clock, settings.alertmanager_token_file, stale)
        self._observer = Observer(
            store=self._store,
            gatherer=Gatherer(self._store, poller, windows, lock, self.webhook, talks, backlog),
            attendant=Attendant(
                store=self._store,
                keeper=IncidentKeeper(
                    self._store,
                    self._events,
                    user,
                    self._consultant,
                    self._past,
                    settings.diagnosis_rounds,
                    lookups.opening,
                ),
                events=self._events,
                desk=desk,
                clock=self._clock,
            ),
            events=self._events,
            clock=self._clock,
        )
        self.watches: WorkQueue[Key] = WorkQueue("watches", self._observer.look)
        self.objects: WorkQueue[str] = WorkQueue("objects", Resync(kube, self._world, self._clock).check)
        self._poller = poller
        self.store, self.prometheus, self.desk = self._store, prometheus, desk
        """What the views read, too."""

    def _consulting(self, asks: Asks | None, lookups: Lookups) -> Consultant | None:
        """Return who consults models; None where none is set."""
        if asks is None:
            return None
        s = self._settings
        budget = Budget(s.diagnosis_turns, s.diagnosis_tokens, s.diagnosis_usd, s.diagnosis_seconds)
        permits = Permits(self._store.annotations, time.monotonic)
        bound = Bound(s.diagnosis_day_tokens, s.diagnosis_day_usd)
        panel = Panel(asks, Meter(budget, time, bound), time, self.bulletin.journal)
        store = self._store
        return Consultant(
            panel, permits.of, lookups.of, self._clock.now, budget.seconds, store.write_usage, store.incidents
        )

    def servers(self) -> tuple[Ingest]:
        """What listens for telemetry."""
        return (Ingest(self._receiver, self._settings.otlp_port, self._settings.otlp_grpc_port),)

    def queues(self) -> tuple[WorkQueue[Any], ...]:
        """The queues, for the liveness probe."""
        past = (self._past.queue,) if self._past is not None else ()
        return (
            self.watches,
            self._poller.quick,
            self._poller.slow,
            self.objects,
            self.bulletin.queue,
            self._lessons.queue,
            *past,
        )

    def start(self) -> list[threading.Thread]:
        """Start the workers; a Watch is looked at by one of them at a time. Slow queries have half as many."""
        most = self._settings.workers
        threads = [
            threading.Thread(target=queue.run, name=f"{queue.name}-{i}", daemon=True)
            for queue in self.queues()
            for i in range(max(1, most // 2) if queue is self._poller.slow else most)
        ]
        for thread in threads:
            thread.start()
        for kind in CHECKED:
            self.objects.add(kind)
        return threads

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Have kopf tell us what changed."""
        for kind in KINDS:
            put, remove = partial(self._put, kind.name), partial(self._world.remove, kind.name)
            follow(registry, kind.group, kind.version, kind.plural, put=put, remove=remove)
        on_change(registry, REMEDIATION, self._remediation)
        on_change(registry, INCIDENT, self._incident)
        on_change(registry, RUNBOOK, lambda body: self._check(Runbook.model_validate(body)))

    def serve(self, pages: web.Application) -> None:
        """Take Alertmanager's notifications."""
        self.webhook.serve(pages)

    def _put(self, kind: str, body: Mapping[str, Any]) -> None:
        self._world.put(kind, body)
        if kind == WATCH.kind:
            self.watches.add(key_of(body))

    def _remediation(self, body: Mapping[str, Any]) -> None:
        namespace, spec = body["metadata"]["namespace"], body["spec"]
        for key in self._observer.watching(namespace, spec["targetRef"]["name"]):
            self.watches.add(key)

    def _incident(self, body: Mapping[str, Any]) -> None:
        self.bulletin.note(body)
        self._lessons.note(body)
        if self._past is not None:
            self._past.note(body)

    def _check(self, runbook: Runbook) -> None:
        """Say in the Runbook's status whether it can be used."""
        wrong = "; ".join(str(p) for p in problems(runbook, self._catalogue))
        reason, message = ("Invalid", wrong) if wrong else ("Valid", "")
        status = RunbookStatus(
            observed_generation=runbook.metadata.generation,
            conditions=set_condition(
                runbook.status.conditions,
                "Ready",
                not wrong,
                reason,
                message,
                self._clock.now(),
                runbook.metadata.generation,
            ),
        )
        if status != runbook.status:
            self._store.write_runbook(runbook, status)
            if wrong:
                self._events.emit("Runbook", runbook.metadata, reason, message, "Warning")


def call_graph(windows: TraceWindows, lock: threading.Lock) -> CallGraph:
    """Return the live call graph; the lock is held only to read what it is made of."""
    with lock:
        reading = windows.read(time.monotonic())
    return reading.graph(GRAPH_SECONDS)
