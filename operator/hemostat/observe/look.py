"""One look at one Watch: fetch, judge, publish; open or feed its Incident (shell)."""

import logging
import math
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hemostat.api.incident import Incident
from hemostat.api.meta import BoundTargetRef, find, set_condition
from hemostat.api.watch import Baseline, HealthyRevision, PresentRevision, Watch, WatchStatus, effective_signals
from hemostat.clock import Clock
from hemostat.diagnosis.evidence import REVISION, TEMPLATE_HASH, revision_of
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.events import Events
from hemostat.kube import Json
from hemostat.metrics import FIRING, INCIDENTS, LOOK_SECONDS, LOOKS
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.store import Store
from hemostat.signals import trace
from hemostat.signals.base import Debounced, Observation, decimal, resumed
from hemostat.signals.correlate import draft, fingerprint, open_incident
from hemostat.signals.evaluate import Inputs, Look, WatchState, look
from hemostat.signals.workload import state_of
from hemostat.telemetry.prometheus import Prometheus
from hemostat.telemetry.sample import Series
from hemostat.telemetry.window import EdgeStats, EdgeWindows

LOG = logging.getLogger(__name__)
Key = tuple[str, str]
PUBLISH_EVERY = timedelta(seconds=30)
MAX_REVISIONS = 10
APPS, KIND = "apps/v1", "Deployment"
"""The only targets that can be looked at so far."""


@dataclass
class _Memory:
    """What is remembered about one Watch between looks; lost at a restart and rebuilt from status."""

    state: WatchState = field(default_factory=WatchState)
    status: WatchStatus = field(default_factory=WatchStatus)
    published: datetime | None = None
    present: PresentRevision | None = None
    healthy_since: datetime | None = None
    incident: bool = False
    target: str = ""


class Observer:
    """Looks at Watches; each by one worker at a time."""

    def __init__(
        self,
        store: Store,
        prometheus: Prometheus,
        windows: EdgeWindows,
        lock: threading.Lock,
        keeper: IncidentKeeper,
        events: Events,
        clock: Clock,
    ) -> None:
        self._store = store
        self._prometheus = prometheus
        self._windows = windows
        self._lock = lock
        self._keeper = keeper
        self._events = events
        self._clock = clock
        self._memories: dict[Key, _Memory] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a Watch that was deleted."""
        self._memories.pop(key, None)

    def watching(self, namespace: str, target: str) -> list[Key]:
        """Return the Watches known to look at this target."""
        return [k for k, m in list(self._memories.items()) if k[0] == namespace and m.target == target]

    def look(self, key: Key) -> float | None:
        """Look once. Returns the seconds until the next look, or None when the Watch is gone."""
        namespace, name = key
        watch = self._store.watch(namespace, name)
        if watch is None:
            self.forget(key)
            return None
        began = time.perf_counter()
        memory = self._memories.get(key) or self._recall(key, watch)
        known = watch.spec.target.kind == KIND and watch.spec.target.api_version == APPS
        deployment = self._store.deployment(namespace, watch.spec.target.name) if known else None
        inputs, problem = self._fetch(watch, deployment)
        now = self._clock.now()
        seen = look(watch.spec, inputs, memory.state, now)
        memory.state = seen.state
        if deployment is not None:
            self._revision(memory, namespace, deployment, now)
            self._attend(watch, memory, deployment, inputs, seen, now)
        self._publish(watch, memory, seen, deployment, problem, now)
        FIRING.labels(namespace, name).set(len(seen.firing))
        LOOKS.labels("ok" if problem is None else problem[0]).inc()
        LOOK_SECONDS.observe(time.perf_counter() - began)
        return float(watch.spec.interval_seconds) if not memory.incident else min(2.0, watch.spec.interval_seconds)

    # --- reading -------------------------------------------------------------------------------------------

    def _recall(self, key: Key, watch: Watch) -> _Memory:
        """Take up where the last process stopped: open incident's signals, learned baselines, Watch status."""
        memory = _Memory(status=watch.status, target=watch.spec.target.name, present=watch.status.present)
        open_ = [i for i in self._store.incidents(key[0]) if i.spec.watch_ref.name == watch.metadata.name]
        signals: dict[str, tuple[Debounced, Observation]] = {}
        for incident in open_:
            if open_incident([incident], incident.spec.fingerprint):
                signals |= {s.key: resumed(s) for s in incident.status.signals}
                memory.incident = True
        normal = {
            b.signal: trace.Normal(math.log(max(float(b.value), 0.01) / 1000), trace.WARM_UP_LOOKS, b.observed_time)
            for b in watch.status.baselines
        }
        usable = {k: v for k, v in normal.items() if trace.fresh(v, self._clock.now())}
        memory.state = WatchState(signals, usable)
        return self._memories.setdefault(key, memory)

    def _fetch(self, watch: Watch, deployment: Json | None) -> tuple[Inputs, tuple[str, str] | None]:
        vectors: dict[str, list[Series] | None] = {}
        edges: dict[str, list[EdgeStats]] = {}
        problem = None
        service = watch.spec.service or watch.spec.target.name
        for signal in effective_signals(watch.spec):
            if signal.metric is not None:
                try:
                    vectors[signal.name] = self._prometheus.instant(signal.metric.query)
                except (Retry, Refused) as error:
                    vectors[signal.name] = None
                    reason = "BadQuery" if isinstance(error, Refused) else "PrometheusUnavailable"
                    problem = (reason, f"signal {signal.name}: {error}")
            if signal.trace is not None:
                with self._lock:
                    edges[signal.name] = self._windows.into(service, signal.trace.window_seconds, time.monotonic())
        pods = self._store.pods(watch.metadata.namespace or "", deployment) if deployment is not None else []
        return Inputs(vectors, edges, deployment, pods), problem

    def _revision(self, memory: _Memory, namespace: str, deployment: Json, now: datetime) -> None:
        """Notice a new revision; ReplicaSets are only listed when the revision number moved."""
        uid = deployment["metadata"]["uid"]
        number = deployment["metadata"].get("annotations", {}).get(REVISION, "")
        old = memory.present
        if old is not None and (old.target_uid, old.number) == (uid, number):
            return
        owned = self._store.replicasets(namespace, deployment)
        newest = max(owned, key=revision_of, default=None)
        if newest is None or str(revision_of(newest)) != number:
            return  # the controller has not caught up
        memory.present = PresentRevision(
            target_uid=uid,
            number=number,
            template_hash=newest["metadata"]["labels"].get(TEMPLATE_HASH, ""),
            since_time=now if old is not None else None,
        )
        memory.healthy_since = None

    # --- incident ------------------------------------------------------------------------------------------

    def _attend(
        self, watch: Watch, memory: _Memory, deployment: Json, inputs: Inputs, seen: Look, now: datetime
    ) -> None:
        if not seen.firing and not memory.incident:
            return
        namespace = watch.metadata.namespace or ""
        target = BoundTargetRef(
            api_version=watch.spec.target.api_version,
            kind=watch.spec.target.kind,
            name=watch.spec.target.name,
            uid=deployment["metadata"]["uid"],
        )
        incident = open_incident(self._store.incidents(namespace), fingerprint(namespace, target))
        if incident is None and seen.firing:
            incident = self._open(watch, target, seen)
        memory.incident = incident is not None
        if incident is not None:
            self._keeper.keep(incident, seen, deployment, inputs.pods, memory.present, now)

    def _open(self, watch: Watch, target: BoundTargetRef, seen: Look) -> Incident:
        wanted = draft(watch, target, seen.firing)
        incident = self._store.open(watch.metadata.namespace or "", wanted)
        INCIDENTS.labels(wanted.spec.severity.value).inc()
        LOG.info("opened Incident %s: %s", wanted.name, wanted.spec.title)
        self._events.emit("Incident", incident.metadata, "Detected", wanted.spec.title, "Warning")
        return incident

    # --- status --------------------------------------------------------------------------------------------

    def _publish(
        self,
        watch: Watch,
        memory: _Memory,
        seen: Look,
        deployment: Json | None,
        problem: tuple[str, str] | None,
        now: datetime,
    ) -> None:
        status = self._status(watch, memory, seen, deployment, problem, now)
        changed = status != memory.status
        due = memory.published is None or now - memory.published >= PUBLISH_EVERY
        if not changed and not due:
            return
        ready = find(status.conditions, "Ready")
        if deployment is None and ready is not None and find(memory.status.conditions, "Ready") != ready:
            self._events.emit("Watch", watch.metadata, ready.reason, ready.message, "Warning")
        if problem is not None and memory.status.conditions != status.conditions:
            self._events.emit("Watch", watch.metadata, problem[0], problem[1], "Warning")
        if due:
            status = status.model_copy(update={"baselines": _baselines(memory.state)})
        try:
            self._store.write_watch(watch, status)
        except HemostatError as error:
            LOG.warning("status of Watch %s could not be written: %s", watch.metadata.name, error)
            return
        memory.status, memory.published = status, now if due else memory.published

    def _status(
        self,
        watch: Watch,
        memory: _Memory,
        seen: Look,
        deployment: Json | None,
        problem: tuple[str, str] | None,
        now: datetime,
    ) -> WatchStatus:
        generation = watch.metadata.generation
        conditions = memory.status.conditions
        ready = (True, "Watching", "")
        target = watch.spec.target
        if (target.api_version, target.kind) != (APPS, KIND):
            words = f"{target.api_version} {target.kind} cannot be watched yet; there is {APPS} {KIND}"
            ready = (False, "UnsupportedKind", words)
        elif deployment is None:
            ready = (False, "TargetMissing", f"{watch.spec.target.kind} {watch.spec.target.name} does not exist")
        elif problem is not None and problem[0] == "BadQuery":
            ready = (False, *problem)
        conditions = set_condition(conditions, "Ready", *ready, now, generation)
        fresh = (True, "Arriving", "") if seen.fresh else (False, "NoTelemetry", "no signal rests on fresh data")
        if problem is not None and problem[0] == "PrometheusUnavailable":
            fresh = (False, *problem)
        conditions = set_condition(conditions, "DataFresh", *fresh, now, generation)
        complete = deployment is not None and state_of(deployment).complete
        healthy = (True, "Quiet", "") if complete and not seen.firing and seen.fresh else _unhealthy(seen, complete)
        conditions = set_condition(conditions, "Healthy", *healthy, now, generation)
        return WatchStatus(
            observed_generation=generation,
            conditions=conditions,
            watching=len(seen.signals),
            firing=len(seen.firing),
            last_signal=_last(seen) or memory.status.last_signal,
            present=memory.present,
            revisions=self._revisions(watch, memory, healthy=healthy[0], now=now),
            baselines=memory.status.baselines,
        )

    def _revisions(self, watch: Watch, memory: _Memory, *, healthy: bool, now: datetime) -> tuple[HealthyRevision, ...]:
        """Add the present revision once it ran healthy for long enough; a new healthy streak makes it the youngest."""
        old = memory.status.revisions
        if not healthy or memory.present is None:
            memory.healthy_since = None
            return old
        if memory.healthy_since is None:
            memory.healthy_since = now
        uid, template = memory.present.target_uid, memory.present.template_hash
        due = now - memory.healthy_since >= timedelta(seconds=watch.spec.healthy_after_seconds)
        last = old[-1] if old else None
        if not due or (last is not None and (last.template_hash, last.target_uid) == (template, uid)):
            return old
        kept = tuple(r for r in old if r.template_hash != template and r.target_uid == uid)
        return (*kept, HealthyRevision(template_hash=template, target_uid=uid, observed_time=now))[-MAX_REVISIONS:]


def _unhealthy(seen: Look, complete: bool) -> tuple[bool, str, str]:  # noqa: FBT001
    if seen.firing:
        return False, "SignalsFiring", f"{seen.firing[0].kind} of {seen.firing[0].subject}"
    return (
        (False, "NoTelemetry", "no signal rests on fresh data")
        if complete
        else (
            False,
            "RolloutIncomplete",
            "not every pod is of the newest template and available",
        )
    )


def _last(seen: Look) -> str | None:
    newest = max(seen.firing, key=lambda s: s.first_fired_time, default=None)
    return f"{newest.kind} {newest.subject}"[:256] if newest is not None else None


def _baselines(state: WatchState) -> tuple[Baseline, ...]:
    known = sorted(state.normal.items())[:64]
    return tuple(
        Baseline(signal=key, value=decimal(1000 * math.exp(n.log_seconds)) or "0", observed_time=n.observed_time)
        for key, n in known
        if n.looks >= trace.WARM_UP_LOOKS
    )
