"""Keeps one open Incident: signals, numbered evidence, diagnosis, proposal (shell around pure functions)."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from hemostat.api.incident import DIAGNOSED, PART_OF, WATCHED, Diagnosis, Incident, IncidentStatus, Storm
from hemostat.api.meta import LocalRef, find, is_false, is_true, set_condition
from hemostat.api.runbook import Runbook
from hemostat.api.watch import PresentRevision
from hemostat.diagnosis.evidence import Facts, Item, append, gather
from hemostat.diagnosis.matcher import NO_RUNBOOKS, Conclusion, match, unheard
from hemostat.diagnosis.panel.case import question
from hemostat.diagnosis.propose import NothingToPropose, may_choose_again, propose
from hemostat.events import Events
from hemostat.metrics import DIAGNOSES
from hemostat.observe.consultant import Consultant
from hemostat.observe.store import Store
from hemostat.observe.telling import abandoned, consulted, consulting, described, grouped, reopened, size, told
from hemostat.signals.correlate import Word, began, merge, own
from hemostat.signals.evaluate import Look
from hemostat.signals.severity import worse
from hemostat.signals.workload import Scene

LOG = logging.getLogger(__name__)


class IncidentKeeper:
    """Brings an Incident up to date with one look.

    :param requester: the user name that the API server sees in this process.
    :param consultant: asks models; None where none is set.
    :param history: finds past incidents like one that has just been described for the first time; None without memory.
    :param opening: gathers what can be known of one at once.
    """

    def __init__(
        self,
        store: Store,
        events: Events,
        requester: str,
        consultant: Consultant | None = None,
        history: Callable[[Incident], Sequence[Item]] | None = None,
        opening: Callable[[Incident], Sequence[Item]] = lambda _: (),
    ) -> None:
        self._store = store
        self._events = events
        self._requester = requester
        self._consultant = consultant
        self._history = history
        self._opening = opening

    def keep(
        self,
        incident: Incident,
        seen: Look,
        scene: Scene,
        word: Word,
        present: PresentRevision | None,
        now: datetime,
        *,
        back: bool = False,
    ) -> bool:
        """Write what is new, and propose what follows from it.

        :param word: what the looks at other targets say about this one.
        :param back: it was resolved, and its trouble came back.
        :return: whether it changed what it is part of, or was reopened.
        """
        namespace, target = incident.metadata.namespace or "", incident.spec.target_ref
        before = incident
        if back:
            incident = incident.model_copy(update={"status": reopened(incident, seen, now)})
        signals = merge(incident.status.signals, seen.signals, word.symptoms, now)
        at_callees = self._store.service_changes(namespace, word.callees, now)
        facts = gather(
            target={"kind": target.kind, "name": target.name},
            signals=own(signals),
            scene=scene,
            opened=began(incident),
            now=now,
            present=present,
            noted=self._store.changes(namespace, target.kind, target.name, now),
            callees=[change for changes in at_callees.values() for change in changes],
        )
        runbooks = self._store.runbooks(namespace)
        hold = self._consultant is not None and self._consultant.pending(incident.metadata.uid)
        status = described(incident, incident.status, facts, signals, seen, now, hold=hold)
        if status.diagnosis is None and not hold:
            as_seen = incident.model_copy(update={"status": status})
            more = [*self._opening(as_seen), *(self._history(as_seen) if self._history is not None else ())]
            status = status.model_copy(update={"evidence": append(status.evidence, more, now)})
        status = grouped(status, word, firing=bool(seen.firing) and seen.lasts, now=now)
        status = self._diagnosed(incident, status, runbooks, facts, now)
        if status.part_of is None:
            status = self._proposed(incident, status, runbooks, now)
        if status != before.status:
            self._store.write_incident(incident, status)
        self._announce(before, status)
        return back or status.part_of != before.status.part_of

    def abandon(self, incident: Incident, reason: str, message: str, now: datetime) -> None:
        """Say that what it is about is gone, so that it can end; once."""
        if is_false(incident.status.conditions, WATCHED):
            return
        self._store.write_incident(incident, abandoned(incident.status, reason, message, now))
        self._events.emit("Incident", incident.metadata, reason, message)

    def _announce(self, before: Incident, status: IncidentStatus) -> None:
        """Emit an Event for what other targets have to do with it."""
        old, meta = before.status, before.metadata
        part = find(status.conditions, PART_OF)
        if status.part_of != old.part_of and part is not None:
            self._events.emit("Incident", meta, part.reason, part.message)
        if status.reopened is not None and status.reopened != old.reopened:
            message = f"the trouble came back; the Incident is open again ({status.summary})"
            self._events.emit("Incident", meta, "Reopened", message, "Warning")
        if status.storm is not None and _grown(old.storm, status.storm):
            said = f"namespace {meta.namespace}: {status.storm.words}"
            self._events.emit("Incident", meta, "Storm", said, "Warning")
        if status.severity is not None and old.severity is not None and worse(status.severity, old.severity):
            said = f"from {old.severity} to {status.severity} ({status.summary})"
            self._events.emit("Incident", meta, "Escalated", said, "Warning")

    def _diagnosed(
        self,
        incident: Incident,
        status: IncidentStatus,
        runbooks: Sequence[Runbook],
        facts: Facts,
        now: datetime,
    ) -> IncidentStatus:
        """Choose a Runbook, and again once signals say something new, while nothing is at work or was of effect."""
        again = is_true(status.conditions, DIAGNOSED)
        if again and not (
            unheard(status.diagnosis, status.evidence)
            and may_choose_again(incident, self._store.remediations(incident))
        ):
            return status
        conclusion = match(runbooks, incident.spec.target_ref.kind, facts, status.evidence)
        if again and not conclusion.matched:
            return status
        asked = ""
        if self._consultant is not None:
            asked = question(status.evidence, conclusion.diagnosis)
            if status.diagnosis is not None and status.diagnosis.question == asked:
                return status
            opinion = self._consultant.opinion(incident, status.evidence, conclusion, runbooks)
            if opinion is None:
                return consulting(status, now)
            conclusion, status = (
                opinion.concluded.conclusion,
                consulted(status, opinion.concluded, opinion.evidence, now),
            )
        self._tell(incident, status, conclusion)
        timeline = status.timeline
        if conclusion.matched and not _same(status.diagnosis, conclusion.diagnosis):
            ref = conclusion.diagnosis.runbook_ref
            name = ref.name if ref is not None else ""
            timeline = told(
                timeline, f"diagnosed/{name}" if again else "diagnosed", now, f"runbook {name}: {conclusion.message}"
            )
        conditions = set_condition(
            status.conditions, DIAGNOSED, conclusion.matched, conclusion.reason, conclusion.message, now
        )
        diagnosis = conclusion.diagnosis.model_copy(update={"question": asked})
        return status.model_copy(update={"diagnosis": diagnosis, "conditions": conditions, "timeline": timeline})

    def _tell(self, incident: Incident, status: IncidentStatus, conclusion: Conclusion) -> None:
        old = find(status.conditions, DIAGNOSED)
        if old is not None and (old.reason, old.message) == (conclusion.reason, conclusion.message):
            return
        DIAGNOSES.labels(conclusion.reason).inc()
        level = "Normal" if conclusion.matched or conclusion.reason == NO_RUNBOOKS else "Warning"
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
            if found.reason in ("Exhausted", "PersonNeeded", "Flapping"):
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


def _same(old: Diagnosis | None, new: Diagnosis) -> bool:
    """Tell whether the choice is the one that was made before, with more to rest on."""
    return old is not None and old.runbook_ref == new.runbook_ref


def _grown(old: Storm | None, new: Storm) -> bool:
    """Tell whether it is worth another Event: when it began, and whenever it passed a power of two."""
    return old is None or size(new) > size(old)
