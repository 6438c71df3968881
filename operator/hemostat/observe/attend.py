"""Attends to the trouble of one Watch after each look: whose Incident it belongs to, and that one kept up (shell)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hemostat.api.incident import Incident, Severity, SignalSource, SignalState
from hemostat.api.meta import BoundTargetRef, LocalRef
from hemostat.api.watch import Watch
from hemostat.clock import Clock
from hemostat.diagnosis.redact import told
from hemostat.events import Events
from hemostat.metrics import INCIDENTS
from hemostat.observe.desk import Desk
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.memory import Memory
from hemostat.observe.store import Store
from hemostat.observe.strays import strays
from hemostat.signals.changes import ChangeKind, Noted
from hemostat.signals.correlate import (
    Report,
    draft,
    fingerprint,
    is_over,
    open_incident,
    quota_of,
    reported,
    returned,
    shares,
    ties,
)
from hemostat.signals.correlate.blame import RECENT_CHANGE
from hemostat.signals.correlate.board import MAX_WATCHES
from hemostat.signals.evaluate import Inputs, Look
from hemostat.signals.severity import overall
from hemostat.signals.workload import state_of

LOG = logging.getLogger(__name__)
_SHARED = (ChangeKind.NODE, ChangeKind.QUOTA)
"""Changes that say nothing about this target rather than another."""
_SIZES = (ChangeKind.SCALE, ChangeKind.AUTOSCALER)
_MEASURED = (SignalSource.TRACES, SignalSource.PROMETHEUS)


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at one Watch, and what is known of its target."""

    watch: Watch
    target: BoundTargetRef
    memory: Memory
    inputs: Inputs
    seen: Look
    now: datetime
    altered: Noted | None = None
    """The last change of what the target rests on before its trouble, if one was noted."""
    remade: datetime | None = None
    """The same, of changes that make it another one: not of how many pods it has, which actions and scalers change."""

    @property
    def namespace(self) -> str:
        """Where all of it is."""
        return self.watch.metadata.namespace or ""

    @property
    def name(self) -> str:
        """Name of the Watch."""
        return self.watch.metadata.name

    @property
    def print_(self) -> str:
        """Fingerprint of the target."""
        return fingerprint(self.namespace, self.target)

    @property
    def changed(self) -> datetime | None:
        """When the target's present revision began or its configuration was changed, if that was seen."""
        return self._since_revision(self.altered.time if self.altered is not None else None)

    @property
    def change(self) -> str:
        """What was changed then, in words; empty where the target's present revision began."""
        last, present = self.altered, self.memory.present
        if last is None or (present is not None and present.since_time == self.changed):
            return ""
        return told(f"{last.ref.kind} {last.ref.name} was changed")

    @property
    def renewed(self) -> datetime | None:
        """When the target became another one: trouble that began before that is not this trouble."""
        return self._since_revision(self.remade)

    def _since_revision(self, other: datetime | None) -> datetime | None:
        present = self.memory.present
        times = (present.since_time if present is not None else None, other)
        return max((t for t in times if t is not None), default=None)


class Attendant:
    """Attends to the trouble of one Watch after each look."""

    def __init__(self, store: Store, keeper: IncidentKeeper, events: Events, desk: Desk, clock: Clock) -> None:
        self._store = store
        self._keeper = keeper
        self._events = events
        self._desk = desk
        self._clock = clock
        self._names: dict[tuple[str, str], str] = {}
        """Name of the open Incident by Watch: if there is none any more, a person deleted it."""

    def attend(self, watch: Watch, memory: Memory, inputs: Inputs, seen: Look, now: datetime) -> None:
        """Feed the open Incident of the Watch, or open one when it is the cause of what fires."""
        if inputs.deployment is None:
            if not inputs.scene.unknown and memory.incident:
                self._let_go(watch, "", now)
            return
        bound = _bound(watch, inputs.deployment)
        noted = self._noted(watch, seen, now)
        visit = Visit(watch, bound, memory, inputs, seen, now, *_altered(noted))
        self._desk.report(visit.namespace, _report(visit, noted), now)
        if not (seen.firing or memory.incident):
            return
        self._let_go(watch, visit.print_, now)
        word = self._desk.word(visit.namespace, visit.name, now)
        incident, deleted = self._standing(visit)
        if deleted:
            self._dismissed(visit)
            return
        back = False
        if incident is None and word.opens and seen.lasts:
            incident, back = self._begun(visit)
        memory.incident = incident is not None or word.again is not None
        self._remember(visit, incident)
        if incident is None:
            return
        if self._keeper.keep(incident, seen, inputs.scene, word, memory.present, now, back=back):
            self._desk.written(visit.namespace)

    def _noted(self, watch: Watch, seen: Look, now: datetime) -> list[Noted]:
        """Return what was changed around the target before its trouble, newest first."""
        if not seen.firing:
            return []
        target, begun = watch.spec.target, min(s.first_fired_time for s in seen.firing)
        noted = self._store.changes(watch.metadata.namespace or "", target.kind, target.name, now)
        return [c for c in noted if c.time <= begun]

    def _let_go(self, watch: Watch, print_: str, now: datetime) -> None:
        namespace = watch.metadata.namespace or ""
        for incident, reason, message in strays(self._desk.incidents(namespace, now), watch, print_):
            self._keeper.abandon(incident, reason, message, now)

    def forget(self, key: tuple[str, str]) -> None:
        """Drop what is remembered about a Watch that was deleted."""
        self._names.pop(key, None)
        self._desk.forget(*key)

    def _standing(self, visit: Visit) -> tuple[Incident | None, bool]:
        """Return the open Incident of the Watch as it is now, and whether the one there was has been deleted."""
        listed = self._desk.incidents(visit.namespace, visit.now)
        mine = open_incident([i for i in listed if i.spec.watch_ref.name == visit.name], visit.print_)
        known = self._names.get((visit.namespace, visit.name))
        name = known or (mine.metadata.name if mine is not None else None)
        if name is None:
            return None, False
        live = self._store.incident(visit.namespace, name)
        if live is None:
            return None, known is not None
        return (None if is_over(live) or live.spec.fingerprint != visit.print_ else live), False

    def _dismissed(self, visit: Visit) -> None:
        """A person deleted the Incident: what still fires must be seen wrong anew before there is another one."""
        LOG.info("Incident of Watch %s was deleted; its signals begin anew", visit.name)
        name = self._names.pop((visit.namespace, visit.name), "")
        visit.memory.state = replace(visit.memory.state, signals={})
        visit.memory.incident = False
        self._desk.dismiss(visit.namespace, name, self._clock.now())

    def _begun(self, visit: Visit) -> tuple[Incident | None, bool]:
        """Return the Incident that was reopened or opened, and whether it was reopened."""
        listed = self._desk.incidents(visit.namespace, visit.now)
        if open_incident(listed, visit.print_) is not None:
            return None, False  # another Watch of the same target has one
        before = returned(listed, visit.name, visit.print_, visit.seen.firing, visit.renewed, visit.now)
        if before is not None:
            live = self._store.incident(visit.namespace, before.metadata.name)
            if live is not None and live.metadata.uid == before.metadata.uid and is_over(live):
                self._desk.opened(visit.namespace, visit.name, live.metadata.name, self._clock.now())
                return live, True
        return self._open(visit), False

    def _open(self, visit: Visit) -> Incident:
        wanted = draft(visit.watch, visit.target, visit.seen.firing)
        incident = self._store.open(visit.namespace, wanted)
        self._desk.opened(visit.namespace, visit.name, incident.metadata.name, self._clock.now())
        deployment = visit.inputs.deployment
        state = state_of(deployment) if deployment is not None else None
        severity = overall(visit.seen.signals, visit.target.kind, state) or Severity.MINOR
        said = f"{severity}: {visit.target.kind} {visit.target.name}: {wanted.spec.title}"
        INCIDENTS.labels(severity.value).inc()
        LOG.info("opened Incident %s: %s", wanted.name, said)
        self._events.emit("Incident", incident.metadata, "Detected", said, "Warning")
        return incident

    def _remember(self, visit: Visit, incident: Incident | None) -> None:
        key = visit.namespace, visit.name
        self._names.pop(key, None)
        if incident is not None:
            self._names[key] = incident.metadata.name
        while len(self._names) > MAX_WATCHES:
            self._names.pop(next(iter(self._names)))


def _altered(noted: Sequence[Noted]) -> tuple[Noted | None, datetime | None]:
    own = [c for c in noted if c.kind not in _SHARED]
    remade = (c.time for c in own if c.kind not in _SIZES)
    return max(own, key=lambda c: c.time, default=None), max(remade, default=None)


def _report(visit: Visit, noted: Sequence[Noted]) -> Report:
    """Return what the look says to all others."""
    spec, seen = visit.watch.spec, visit.seen
    meta = visit.watch.metadata
    well = any(s.state is SignalState.CLEAR and s.samples > 0 and s.source in _MEASURED for s in seen.signals)
    target: dict[str, Any] = dict(visit.inputs.deployment or {})
    return Report(
        watch=LocalRef(name=meta.name, uid=meta.uid or None),
        target=visit.target,
        service=spec.service or spec.target.name,
        signals=reported(seen.signals),
        fresh=well,
        interval=timedelta(seconds=spec.interval_seconds),
        changed=visit.changed,
        change=visit.change,
        quota=quota_of(visit.inputs.scene, seen.firing, visit.now),
        ties=ties(target, visit.inputs.scene, seen.firing, visit.now),
        shares=shares(visit.inputs.scene, [c for c in noted if visit.now - c.time <= RECENT_CHANGE]),
    )


def _bound(watch: Watch, deployment: Any) -> BoundTargetRef:
    target = watch.spec.target
    return BoundTargetRef(
        api_version=target.api_version, kind=target.kind, name=target.name, uid=deployment["metadata"]["uid"]
    )
