"""Keeps one open Incident: signals, numbered evidence, diagnosis, proposal (shell around pure functions)."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from hemostat.api.incident import (
    DIAGNOSED,
    PART_OF,
    WATCHED,
    Diagnosis,
    Incident,
    IncidentStatus,
    SignalState,
    SignalStatus,
    Storm,
)
from hemostat.api.meta import LocalRef, find, is_false, is_true, set_condition
from hemostat.api.remediation import Calibration, Remediation
from hemostat.api.runbook import Runbook
from hemostat.api.watch import PresentRevision
from hemostat.diagnosis.evidence import Facts, Item, append, gather
from hemostat.diagnosis.ladders import about, propose_next
from hemostat.diagnosis.matcher import EXHAUSTED, NO_RUNBOOKS, Conclusion, grounds, match, unheard
from hemostat.diagnosis.outcomes import Tried, tried
from hemostat.diagnosis.propose import Confidence, NothingToPropose, Proposal
from hemostat.diagnosis.recall import remembered
from hemostat.events import Events
from hemostat.metrics import DIAGNOSES
from hemostat.observe.consultant import Consultant
from hemostat.observe.rounds import ROUNDS_USED_UP, another_round, asked, asked_again, used_up, with_next
from hemostat.observe.store import BY, Store
from hemostat.observe.telling import abandoned, consulted, consulting, described, grouped, news, reopened, size, told
from hemostat.settings import Settings
from hemostat.signals.correlate import Word, began, merge, openings, own
from hemostat.signals.evaluate import Look
from hemostat.signals.severity import worse
from hemostat.signals.workload import Scene

LOG = logging.getLogger(__name__)


class Past(Protocol):
    """What was remembered."""

    def similar(self, incident: Incident) -> Sequence[Item]:
        """Return past incidents like one that has just been described for the first time."""
        ...

    def worth(self, namespace: str, by: str, percent: int, runbook: str) -> Calibration:
        """Return what outcomes say of a confidence of Matcher or Model in a Runbook."""
        ...


class IncidentKeeper:
    """Brings an Incident up to date with one look.

    :param requester: the user name that the API server sees in this process.
    :param consultant: asks models; None where none is set.
    :param past: what was remembered; None without a memory.
    :param rounds: how often one Incident is diagnosed at most, counting what was denied or in vain.
    :param opening: gathers what can be known of one at once.
    """

    def __init__(
        self,
        store: Store,
        events: Events,
        requester: str,
        consultant: Consultant | None = None,
        past: Past | None = None,
        rounds: int = Settings.diagnosis_rounds,
        opening: Callable[[Incident], Sequence[Item]] = lambda _: (),
    ) -> None:
        self._store = store
        self._events = events
        self._requester = requester
        self._consultant = consultant
        self._past = past
        self._rounds = rounds
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
        hold = self._asking(incident)
        status = described(incident, incident.status, facts, signals, seen, now, hold=hold)
        if status.diagnosis is None and not hold:
            as_seen = incident.model_copy(update={"status": status})
            more = [*self._opening(as_seen), *(self._past.similar(as_seen) if self._past is not None else ())]
            status = status.model_copy(update={"evidence": append(status.evidence, more, now)})
        done = self._store.remediations(incident) if _may_have_any(status) else []
        known = tried(incident, done, about(incident.model_copy(update={"status": status})))
        if not hold:
            status = status.model_copy(update={"evidence": append(status.evidence, known.items(), now)})
        status = grouped(status, word, firing=bool(seen.firing) and seen.lasts, now=now)
        status = self._diagnosed(incident, status, runbooks, facts, known, now)
        ready = is_true(status.conditions, DIAGNOSED) and not self._asking(incident)
        proposal = None
        if status.part_of is None and ready and _fires(status.signals):
            status, proposal = self._proposed(incident, status, runbooks, done, now)
        if news(before.status, status, now):
            self._store.write_incident(incident, status)
        if proposal is not None:  # after what fires is written: `act` reads there which conversations are in trouble
            self._store.propose(namespace, proposal)
            LOG.info("proposed Remediation %s", proposal.name)
        self._announce(before, status)
        return back or status.part_of != before.status.part_of

    def abandon(self, incident: Incident, reason: str, message: str, now: datetime) -> None:
        """Say that what it is about is gone, so that it can end; once."""
        if is_false(incident.status.conditions, WATCHED):
            return
        present = self._store.incident(incident.metadata.namespace or "", incident.metadata.name)
        if present is None or present.metadata.uid != incident.metadata.uid:
            return
        # what was listed may be a second old, and no look comes after this one that would write again what is newer
        self._store.write_incident(present, abandoned(present.status, reason, message, now))
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

    def _asking(self, incident: Incident) -> bool:
        return self._consultant is not None and self._consultant.pending(incident)

    def _diagnosed(
        self,
        incident: Incident,
        status: IncidentStatus,
        runbooks: Sequence[Runbook],
        facts: Facts,
        known: Tried,
        now: datetime,
    ) -> IncidentStatus:
        """Choose a Runbook, and again once an outcome or a signal says something new, while nothing is at work."""
        asking, before = self._asking(incident), status.diagnosis
        if before is not None and not asking and not _fires(own(status.signals)):
            return status  # what stood while it fired stands: what is seen as it passes says less
        again = is_true(status.conditions, DIAGNOSED)
        due = asked_again(status, now)
        anew = before is not None and known.settled and len(known.over) > before.outcomes
        if known.settled and known.rounds >= self._rounds and not asking:
            return self._worn_out(incident, status, known, now)
        if again and not (asking or anew or (known.settled and (due or unheard(before, status.evidence)))):
            return status
        opened, kind = began(incident), incident.spec.target_ref.kind
        facts, shown = remembered(facts, status.evidence, opened), grounds(status.evidence, opened)
        conclusion = match(runbooks, kind, facts, shown, known.spent(runbooks) if known.over else {})
        if again and not (asking or anew or conclusion.matched):
            return status
        conclusion = asked(conclusion, status.evidence, known)
        if self._consultant is not None:
            if before is not None and before.question == conclusion.diagnosis.question and not (asking or due):
                return status
            opinion = self._consultant.opinion(
                incident, status.evidence, conclusion, [known.left(r) for r in runbooks] if known.over else runbooks
            )
            if opinion is None:
                return consulting(status, now, anew=anew)
            conclusion = opinion.concluded.conclusion
            status = with_next(consulted(status, opinion.concluded, opinion.evidence, now), now)
        return self._concluded(incident, status, conclusion, known, now)

    def _concluded(
        self, incident: Incident, status: IncidentStatus, conclusion: Conclusion, known: Tried, now: datetime
    ) -> IncidentStatus:
        """Say what was concluded, in condition, Event and timeline."""
        self._tell(incident, status, conclusion)
        timeline, before, diagnosis = status.timeline, status.diagnosis, conclusion.diagnosis
        if before is not None and diagnosis.outcomes > before.outcomes:
            timeline = told(timeline, *another_round(incident, known, self._rounds, now))
        ref = diagnosis.runbook_ref
        if ref is not None and (before is None or before.runbook_ref != ref):
            first = all(e.id != f"{BY}/diagnosed" for e in timeline)
            what = "diagnosed" if first else f"diagnosed/{ref.name}"
            timeline = told(timeline, what, now, f"runbook {ref.name}: {conclusion.message}")
        if not conclusion.matched and conclusion.reason != EXHAUSTED:
            what = f"undiagnosed/{openings(incident)}/{conclusion.reason}"
            timeline = told(timeline, what, now, f"{conclusion.reason}: {conclusion.message}")
        if conclusion.reason == EXHAUSTED:
            timeline = told(timeline, f"handed-over/{EXHAUSTED}", now, f"a person is needed: {conclusion.message}")
        conditions = set_condition(
            status.conditions, DIAGNOSED, conclusion.matched, conclusion.reason, conclusion.message, now
        )
        return status.model_copy(update={"diagnosis": diagnosis, "conditions": conditions, "timeline": timeline})

    def _worn_out(self, incident: Incident, status: IncidentStatus, known: Tried, now: datetime) -> IncidentStatus:
        """Leave it to a person: as many diagnoses were wrong, or refused, as are allowed."""
        message = used_up(known, self._rounds)
        conditions = set_condition(status.conditions, DIAGNOSED, False, ROUNDS_USED_UP, message, now)
        status = status.model_copy(update={"conditions": conditions})
        return self._handed_over(incident, status, NothingToPropose(ROUNDS_USED_UP, message), now)

    def _tell(self, incident: Incident, status: IncidentStatus, conclusion: Conclusion) -> None:
        old = find(status.conditions, DIAGNOSED)
        if old is not None and (old.reason, old.message) == (conclusion.reason, conclusion.message):
            return
        DIAGNOSES.labels(conclusion.reason).inc()
        level = "Normal" if conclusion.matched or conclusion.reason == NO_RUNBOOKS else "Warning"
        self._events.emit("Incident", incident.metadata, conclusion.reason, conclusion.message, level)  # type: ignore[arg-type]

    def _proposed(
        self,
        incident: Incident,
        status: IncidentStatus,
        runbooks: Sequence[Runbook],
        done: Sequence[Remediation],
        now: datetime,
    ) -> tuple[IncidentStatus, Proposal | None]:
        """Return the status, and what is to be proposed once that is written.

        Its name is the same whenever it is asked for: what a process did not come to is proposed by the next look.
        """
        diagnosis = status.diagnosis
        if diagnosis is None or diagnosis.runbook_ref is None:
            return status, None
        chosen = diagnosis.runbook_ref
        runbook = next((r for r in runbooks if r.metadata.uid == chosen.uid), None)
        if runbook is None:
            conditions = set_condition(
                status.conditions, DIAGNOSED, False, "RunbookDeleted", f"Runbook {chosen.name} was deleted", now
            )
            return status.model_copy(update={"conditions": conditions}), None
        percent = next((h.confidence_percent for h in diagnosis.hypotheses if h.runbook == chosen.name), 0)
        as_seen = incident.model_copy(update={"status": status})
        sure = self._sure(incident, diagnosis, percent, chosen.name)
        found = propose_next(as_seen, runbook, sure, done, self._requester)
        if isinstance(found, NothingToPropose):
            if found.reason in (EXHAUSTED, "PersonNeeded", "Flapping"):
                return self._handed_over(incident, status, found, now), None
            return status, None
        timeline = told(status.timeline, f"proposed/{found.name}", now, f"proposed {found.spec.action}: {found.name}")
        return status.model_copy(update={"remediation_ref": LocalRef(name=found.name), "timeline": timeline}), found

    def _sure(self, incident: Incident, diagnosis: Diagnosis, percent: int, runbook: str) -> Confidence:
        """Say how sure a diagnosis is, and what that was worth in the past."""
        by, worth = diagnosis.by, None
        if self._past is not None:
            worth = self._past.worth(incident.metadata.namespace or "", by, percent, runbook)
        return Confidence(percent, worth or Calibration(by=by), diagnosis.ranking)

    def _handed_over(
        self, incident: Incident, status: IncidentStatus, found: NothingToPropose, now: datetime
    ) -> IncidentStatus:
        timeline = told(status.timeline, f"handed-over/{found.reason}", now, f"a person is needed: {found.message}")
        if timeline != status.timeline:
            self._events.emit("Incident", incident.metadata, found.reason, found.message, "Warning")
        return status.model_copy(update={"timeline": timeline})


def _may_have_any(status: IncidentStatus) -> bool:
    """Tell whether there may be Remediations: whoever has proposed none need not list them at every look."""
    return status.remediation_ref is not None or is_true(status.conditions, DIAGNOSED)


def _fires(signals: Sequence[SignalStatus]) -> bool:
    return any(s.state is SignalState.FIRING for s in signals)


def _grown(old: Storm | None, new: Storm) -> bool:
    """Tell whether it is worth another Event: when it began, and whenever it passed a power of two."""
    return old is None or size(new) > size(old)
