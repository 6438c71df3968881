"""What a consultation is about: the evidence that may leave, and the Runbooks that may be chosen (pure)."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.incident import Diagnosis, Evidence, EvidenceKind, Incident
from hemostat.api.runbook import Runbook
from hemostat.diagnosis.redact import redact
from hemostat.signals.correlate import began, openings

MAX_GUIDANCE = 1200
"""Characters of a Runbook's guidance that a model is shown."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Runbook that the matcher found: the model may choose it, and nothing else."""

    runbook: str
    cause: str
    guidance: str
    actions: tuple[str, ...]
    """What would be done, in order."""
    percent: int
    """Share of its symptoms' weight that was found."""


@dataclass(frozen=True, slots=True)
class Case:
    """An incident as a model may see it."""

    incident: str
    """Its uid: the conversation that all turns about it belong to."""
    title: str
    """Empty where signals may not leave: it quotes them."""
    target: str
    evidence: tuple[Evidence, ...]
    withheld: Mapping[EvidenceKind, int]
    """How many items of which kinds stay in the cluster."""
    candidates: tuple[Candidate, ...]
    since: datetime
    """When it was opened, or came back last."""
    returns: int = 0
    """How often it came back."""

    @property
    def key(self) -> str:
        """Return what is the same for the same question of one opening: evidence by what it says, not when; Runbooks as
        they read.

        How much is withheld counts too: what is looked up is numbered on from there.
        """
        said = [str(self.returns), *(f"{e.id}\0{e.key}\0{e.summary}" for e in self.evidence)]
        said += [f"{n} {kind}" for kind, n in sorted(self.withheld.items())]
        asked = [f"{c.runbook}\0{c.cause}\0{c.guidance}\0{c.actions}\0{c.percent}" for c in self.candidates]
        return hashlib.sha256("\n".join([self.incident, self.title, *said, *asked]).encode()).hexdigest()


def make_case(
    incident: Incident,
    evidence: Sequence[Evidence],
    diagnosis: Diagnosis,
    runbooks: Sequence[Runbook],
    allowed: Collection[EvidenceKind],
) -> Case:
    """Return the case, of the evidence that the namespace lets out and the Runbooks that the matcher found.

    :param diagnosis: the matcher's; those of its hypotheses that may be chosen are the candidates.
    """
    by_name = {r.metadata.name: r for r in runbooks}
    target = incident.spec.target_ref
    return Case(
        incident=incident.metadata.uid,
        title=redact(_wrong(incident)) if EvidenceKind.SIGNAL in allowed else "",
        target=f"{target.kind} {target.name} in namespace {incident.metadata.namespace}",
        since=began(incident),
        returns=openings(incident),
        evidence=tuple(e for e in evidence if e.kind in allowed and not e.past),
        withheld=Counter(e.kind for e in evidence if e.kind not in allowed and not e.past),
        candidates=tuple(
            _candidate(by_name[h.runbook], h.confidence_percent)
            for h in diagnosis.hypotheses
            if h.candidate and h.runbook in by_name
        ),
    )


def _wrong(incident: Incident) -> str:
    """Say what is wrong: what opened it, or what it came back with."""
    came_back = incident.status.summary if openings(incident) else None
    return came_back or incident.spec.title


def question(evidence: Sequence[Evidence], diagnosis: Diagnosis, rounds: int) -> str:
    """Return what there is to be decided, in few letters: which signals there are, which Runbooks they speak for, which
    of those have something left to try, and how many actions were denied or in vain.

    While it is the same nobody needs to be asked again, whatever else is found out.
    """
    signals = sorted(e.key for e in evidence if e.kind is EvidenceKind.SIGNAL and not e.past)
    runbooks = sorted(f"{h.runbook} {h.confidence_percent > 0} {h.candidate}" for h in diagnosis.hypotheses)
    return hashlib.sha256("\n".join([*signals, *runbooks, str(rounds)]).encode()).hexdigest()[:16]


def _candidate(runbook: Runbook, percent: int) -> Candidate:
    spec = runbook.spec
    return Candidate(
        runbook=runbook.metadata.name,
        cause=spec.cause,
        guidance=spec.guidance[:MAX_GUIDANCE],
        actions=tuple(r.action for r in spec.remediations),
        percent=percent,
    )
