"""Keeps one open Incident: signals, numbered evidence, diagnosis, proposal (shell around pure functions)."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from hemostat.api.incident import DETECTED, DIAGNOSED, MAX_TOLD, Incident, IncidentStatus, TimelineEntry
from hemostat.api.meta import LocalRef, find, is_true, set_condition
from hemostat.api.runbook import Runbook
from hemostat.api.watch import PresentRevision
from hemostat.diagnosis.evidence import Facts, gather, number
from hemostat.diagnosis.matcher import Conclusion, match
from hemostat.diagnosis.propose import NothingToPropose, propose
from hemostat.events import Events
from hemostat.metrics import DIAGNOSES
from hemostat.observe.store import BY, Store
from hemostat.signals.correlate import merge
from hemostat.signals.evaluate import Look
from hemostat.signals.workload import Scene

LOG = logging.getLogger(__name__)


class IncidentKeeper:
    """Brings an Incident up to date with one look.

    :param requester: the user name that the API server sees in this process.
    """

    def __init__(self, store: Store, events: Events, requester: str) -> None:
        self._store = store
        self._events = events
        self._requester = requester

    def keep(
        self,
        incident: Incident,
        seen: Look,
        scene: Scene,
        present: PresentRevision | None,
        now: datetime,
        callees: Iterable[str] = (),
    ) -> None:
        """Write what is new, and propose what follows from it.

        :param callees: services that the target calls, by their names in traces: their changes are evidence too.
        """
        namespace, target = incident.metadata.namespace or "", incident.spec.target_ref
        at_callees = self._store.service_changes(namespace, callees, now)
        facts = gather(
            target={"kind": target.kind, "name": target.name},
            signals=merge(incident.status.signals, seen.signals),
            scene=scene,
            opened=incident.spec.opened_time,
            now=now,
            present=present,
            noted=self._store.changes(namespace, target.kind, target.name, now),
            callees=[change for changes in at_callees.values() for change in changes],
        )
        status = self._described(incident, facts, seen, now)
        runbooks = self._store.runbooks(namespace)
        status = self._diagnosed(incident, status, runbooks, facts, now)
        status = self._proposed(incident, status, runbooks, now)
        if status != incident.status:
            self._store.write_incident(incident, status)

    def _described(self, incident: Incident, facts: Facts, seen: Look, now: datetime) -> IncidentStatus:
        status = incident.status
        conditions = status.conditions
        timeline = status.timeline
        if not is_true(conditions, DETECTED):
            conditions = set_condition(conditions, DETECTED, True, "SignalFired", incident.spec.title, now)
            conditions = set_condition(conditions, DIAGNOSED, "Unknown", "NotYet", "", now)
            timeline = told(timeline, "detected", incident.spec.opened_time, incident.spec.title)
        for signal in facts.signals:
            message = f"{signal.kind} of {signal.subject} fires: {signal.value}{signal.unit}"
            timeline = told(timeline, f"signal/{signal.key}", signal.first_fired_time, message)
        return status.model_copy(
            update={
                "conditions": conditions,
                "signals": facts.signals,
                "evidence": number(status.evidence, facts, seen.notes, now),
                "timeline": timeline,
            }
        )

    def _diagnosed(
        self,
        incident: Incident,
        status: IncidentStatus,
        runbooks: Sequence[Runbook],
        facts: Facts,
        now: datetime,
    ) -> IncidentStatus:
        if is_true(status.conditions, DIAGNOSED):
            return status
        conclusion = match(runbooks, incident.spec.target_ref.kind, facts, status.evidence)
        self._tell(incident, status, conclusion)
        timeline = status.timeline
        if conclusion.matched:
            ref = conclusion.diagnosis.runbook_ref
            name = ref.name if ref is not None else ""
            timeline = told(timeline, "diagnosed", now, f"runbook {name}: {conclusion.message}")
        conditions = set_condition(
            status.conditions, DIAGNOSED, conclusion.matched, conclusion.reason, conclusion.message, now
        )
        return status.model_copy(
            update={"diagnosis": conclusion.diagnosis, "conditions": conditions, "timeline": timeline}
        )

    def _tell(self, incident: Incident, status: IncidentStatus, conclusion: Conclusion) -> None:
        old = find(status.conditions, DIAGNOSED)
        if old is not None and (old.reason, old.message) == (conclusion.reason, conclusion.message):
            return
        DIAGNOSES.labels(conclusion.reason).inc()
        level = "Normal" if conclusion.matched else "Warning"
        self._events.emit("Incident", incident.metadata, conclusion.reason, conclusion.message, level)  # type: ignore[arg-type]

    def _proposed(
        self, incident: Incident, status: IncidentStatus, runbooks: Sequence[Runbook], now: datetime
    ) -> IncidentStatus:
        diagnosis = status.diagnosis
        if diagnosis is None or diagnosis.runbook_ref is None:
            return status
        chosen = diagnosis.runbook_ref
        runbook = next((r for r in runbooks if r.metadata.uid == chosen.uid), None)
        if runbook is None:
            conditions = set_condition(
                status.conditions, DIAGNOSED, False, "RunbookDeleted", f"Runbook {chosen.name} was deleted", now
            )
            return status.model_copy(update={"conditions": conditions})
        confidence = next((h.confidence_percent for h in diagnosis.hypotheses if h.runbook == chosen.name), 0)
        found = propose(incident, runbook, confidence, self._store.remediations(incident), self._requester)
        if isinstance(found, NothingToPropose):
            if found.reason in ("Exhausted", "PersonNeeded"):
                return self._handed_over(incident, status, found, now)
            return status
        self._store.propose(incident.metadata.namespace or "", found)
        LOG.info("proposed Remediation %s", found.name)
        timeline = told(status.timeline, f"proposed/{found.name}", now, f"proposed {found.spec.action}: {found.name}")
        return status.model_copy(update={"remediation_ref": LocalRef(name=found.name), "timeline": timeline})

    def _handed_over(
        self, incident: Incident, status: IncidentStatus, found: NothingToPropose, now: datetime
    ) -> IncidentStatus:
        timeline = told(status.timeline, f"handed-over/{found.reason}", now, f"a person is needed: {found.message}")
        if timeline != status.timeline:
            self._events.emit("Incident", incident.metadata, found.reason, found.message, "Warning")
        return status.model_copy(update={"timeline": timeline})


def told(timeline: tuple[TimelineEntry, ...], what: str, time: datetime, message: str) -> tuple[TimelineEntry, ...]:
    """Add an entry unless it was told before, or enough was told."""
    entry_id = f"{BY}/{what}"[:253]
    if sum(e.by == BY for e in timeline) >= MAX_TOLD or any(e.id == entry_id for e in timeline):
        return timeline
    return (*timeline, TimelineEntry(id=entry_id, time=time, by=BY, message=message[:1024]))
