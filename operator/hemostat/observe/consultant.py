"""Has the panel consulted in the background: looks at Watches never wait for a model (shell)."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from hemostat.api.incident import MAX_EVIDENCE, Evidence, EvidenceKind, Incident, Used
from hemostat.api.meta import LocalRef, ObjectMeta
from hemostat.api.runbook import Runbook
from hemostat.diagnosis.matcher import Conclusion
from hemostat.diagnosis.panel.case import Case, make_case
from hemostat.diagnosis.panel.conclude import Concluded, conclude
from hemostat.diagnosis.panel.consult import NOT_USED, Panel
from hemostat.diagnosis.panel.consultation import Consultation
from hemostat.diagnosis.panel.daily import told_of
from hemostat.diagnosis.panel.tools import Pad, Tool
from hemostat.observe.permits import Permit
from hemostat.settings import Settings
from hemostat.signals.correlate import openings

LOG = logging.getLogger(__name__)
WORKERS = 2
MAX_WAITING = 32
MAX_KEPT = 256
"""Consultations that are remembered: the same question is not asked twice. As many that nobody came for."""
LEFT_FREE = 8
"""Places for evidence that look-ups leave to the signals and outcomes that come after them."""
STANDS = "the matcher's answer stands"


@dataclass(frozen=True, slots=True)
class Job:
    """A consultation under way, and the question it is about."""

    case: Case
    matched: Conclusion
    refs: dict[str, LocalRef]
    coming: Future[Consultation]
    since: datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """One diagnosis, and what was looked up for it."""

    concluded: Concluded
    evidence: tuple[Evidence, ...] = ()


class Consultant:
    """Keeps what was asked, and what came of it (thread-safe).

    :param permits: what of a namespace may leave.
    :param tools: what may be looked up about an Incident, by name.
    :param now: the time that evidence is stamped with.
    :param record: writes down what models use about an Incident, before they do.
    :param incidents: of a namespace: they say what was used before this process began.
    :param patience: seconds that one waits for its turn, before the time that it takes itself.
    """

    def __init__(
        self,
        panel: Panel,
        permits: Callable[[str], Permit],
        tools: Callable[[Incident], Mapping[str, Tool]],
        now: Callable[[], datetime],
        patience: float = Settings.diagnosis_seconds,
        record: Callable[[ObjectMeta, Used], None] = lambda *_: None,
        incidents: Callable[[str], Sequence[Incident]] = lambda _: (),
    ) -> None:
        self._panel, self._permits, self._tools, self._now = panel, permits, tools, now
        self._record, self._incidents = record, incidents
        self._patience = timedelta(seconds=patience)
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        """By the Incident's uid."""
        self._answers: OrderedDict[str, Consultation] = OrderedDict()
        """By the case's key: a question that was answered is not asked twice."""
        self._pool = ThreadPoolExecutor(WORKERS, "consultant")

    def opinion(
        self, incident: Incident, evidence: Sequence[Evidence], matched: Conclusion, runbooks: Sequence[Runbook]
    ) -> Opinion | None:
        """Return the diagnosis; None while the panel is at work. Until then the Incident's evidence must stay."""
        with self._lock:
            job = self._jobs.get(incident.metadata.uid)
            if job is not None and _outdated(job, incident):
                return None
            if job is not None and self._now() - job.since >= self._patience and job.coming.cancel():
                return self._given_up(incident.metadata.uid, job)
            if job is not None and not job.coming.done():
                return None
            if job is not None:
                return self._finished(incident.metadata.uid, job)
        if decided(matched):
            message = "every symptom of one Runbook was found and no other matches: no model is asked"
            return Opinion(Concluded(matched, False, "Decided", message))
        permit = self._permits(incident.metadata.namespace or "")
        if not permit.kinds:
            return Opinion(Concluded(matched, False, "NotPermitted", permit.problem))
        with self._lock:
            return self._begun(incident, evidence, matched, runbooks, permit.kinds)

    def pending(self, incident: Incident) -> bool:
        """Tell whether the panel is at work on it, or has an opinion that was not asked for.

        What it was asked before the trouble was over and came back is another question: its answer is thrown away.
        """
        uid = incident.metadata.uid
        with self._lock:
            job = self._jobs.get(uid)
            if job is not None and _outdated(job, incident) and (job.coming.done() or job.coming.cancel()):
                del self._jobs[uid]
            return uid in self._jobs

    def stop(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begun(
        self,
        incident: Incident,
        evidence: Sequence[Evidence],
        matched: Conclusion,
        runbooks: Sequence[Runbook],
        allowed: frozenset[EvidenceKind],
    ) -> Opinion | None:
        case = make_case(incident, evidence, matched.diagnosis, runbooks, allowed)
        refs = {r.metadata.name: LocalRef(name=r.metadata.name, uid=r.metadata.uid or None) for r in runbooks}
        known = self._answers.get(case.key)
        if known is not None:
            return _opinion(matched, refs, known)
        over = [uid for uid, job in self._jobs.items() if job.coming.done()]
        if len(self._jobs) - len(over) >= MAX_WAITING:
            message = f"{MAX_WAITING} consultations are under way already; {STANDS}"
            return Opinion(Concluded(matched, False, "Busy", message))
        pad = Pad(evidence, allowed, self._now, MAX_EVIDENCE - LEFT_FREE)
        used, record = incident.status.usage or NOT_USED, partial(self._record, incident.metadata)
        permitted = partial(self._withdrawn, incident.metadata.namespace or "", allowed)
        namespace = incident.metadata.namespace or ""
        coming = self._pool.submit(
            self._panel.consult,
            *(case, pad, self._tools(incident), used, record, permitted),
            *(namespace, partial(self._earlier, namespace)),
        )
        self._jobs[case.incident] = Job(case, matched, refs, coming, self._now())
        if len(over) >= MAX_KEPT:  # of Incidents that ended meanwhile: nobody comes for it
            del self._jobs[over[0]]
        return None

    def _earlier(self, namespace: str, day: date) -> tuple[int, float]:
        return told_of(self._incidents(namespace), day)

    def _withdrawn(self, namespace: str, allowed: frozenset[EvidenceKind]) -> str:
        """Say what the namespace let out when it was asked, and lets out no more; empty if nothing."""
        permit = self._permits(namespace)
        lacking = ", ".join(sorted(allowed - permit.kinds))
        return permit.problem or (f"evidence of kinds {lacking} may leave no more" if lacking else "")

    def _given_up(self, incident: str, job: Job) -> Opinion:
        """In a storm the last one in the queue would have nothing done about it for a quarter of an hour."""
        del self._jobs[incident]
        waited = self._patience.total_seconds()
        message = f"its turn did not come within {waited:g} s, {WORKERS} are asked about at once; {STANDS}"
        return Opinion(Concluded(job.matched, False, "Busy", message))

    def _finished(self, incident: str, job: Job) -> Opinion:
        del self._jobs[incident]
        error = job.coming.exception()
        if error is not None:
            LOG.error("the consultation about %s failed", incident, exc_info=error)
            message = f"the consultation failed ({type(error).__name__}); {STANDS}"
            return Opinion(Concluded(job.matched, False, "Failed", message))
        heard = job.coming.result()
        if heard.failure is None:
            self._answers[job.case.key] = heard
            if len(self._answers) > MAX_KEPT:
                self._answers.popitem(last=False)
        return _opinion(job.matched, job.refs, heard)


def _outdated(job: Job, incident: Incident) -> bool:
    return job.case.returns < openings(incident)


def _opinion(matched: Conclusion, refs: dict[str, LocalRef], heard: Consultation) -> Opinion:
    return Opinion(conclude(matched, heard, refs), heard.looked_up)


def decided(matched: Conclusion) -> bool:
    """Tell whether the evidence already decides: every symptom of the chosen Runbook, and no other Runbook matches."""
    found = [h.confidence_percent for h in matched.diagnosis.hypotheses if h.candidate]
    return matched.matched and found == [100]
