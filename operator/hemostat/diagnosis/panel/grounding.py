"""Which statements of a model does the evidence bear? Those that cite it, and of things that it names (pure)."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.incident import Evidence, EvidenceKind
from hemostat.diagnosis.panel.reply import Claim, Verdict

CITES_NOTHING, NO_SUCH_EVIDENCE, ENTITY_NOT_NAMED = "CitesNothing", "NoSuchEvidence", "EntityNotNamed"
NOT_A_CANDIDATE, CAME_LATER = "NotACandidate", "CameLater"
REASONS = (CITES_NOTHING, NO_SUCH_EVIDENCE, ENTITY_NOT_NAMED, NOT_A_CANDIDATE, CAME_LATER)
_PART = r"[A-Za-z0-9_]"


@dataclass(frozen=True, slots=True)
class Grounded:
    """The statements that were kept, and how many were dropped for which reason."""

    claims: tuple[Claim, ...]
    dropped: Counter[str]


def is_later(evidence: Evidence, since: datetime) -> bool:
    """Tell whether it is a change made after the trouble began: it may have healed it, and caused nothing."""
    return evidence.kind is EvidenceKind.CHANGE and evidence.observed_time > since


def ground(claims: Iterable[Claim], evidence: Sequence[Evidence], since: datetime | None = None) -> Grounded:
    """Keep a statement only if all that it cites exists and some of that names what it is about.

    :param since: when the trouble began; given where statements say why a cause is one: those that rest on nothing but
        later changes are dropped.
    """
    known = {e.id: e for e in evidence}
    kept: list[Claim] = []
    dropped: Counter[str] = Counter()
    for claim in claims:
        reason = _why_not(claim, known, since)
        if reason is None:
            kept.append(claim)
        else:
            dropped[reason] += 1
    return Grounded(tuple(kept), dropped)


def borne(verdict: Verdict, evidence: Sequence[Evidence], candidates: Collection[str]) -> tuple[Verdict, Counter[str]]:
    """Keep why a Runbook was ruled out only if all that it cites exists; what that is about is the Runbook.

    A Runbook that is no candidate is counted and stays: that it was named is a doubt in those that are.
    """
    known = {e.id: e for e in evidence}
    whys = [(_cited(r.cites, known), r) for r in verdict.ruled_out]
    kept = tuple(r for why, r in whys if why is None)
    dropped = Counter(why for why, _ in whys if why is not None)
    if verdict.runbook is not None and verdict.runbook not in candidates:
        dropped[NOT_A_CANDIDATE] += 1
    return verdict.model_copy(update={"ruled_out": kept}), dropped


def told(dropped: Mapping[str, int]) -> str:
    """Return the reasons in few words: `CitesNothing 2, NotACandidate 1`."""
    return ", ".join(f"{reason} {count}" for reason, count in sorted(dropped.items()))


def _cited(cites: Sequence[str], known: Mapping[str, Evidence]) -> str | None:
    if not cites:
        return CITES_NOTHING
    return None if known.keys() >= set(cites) else NO_SUCH_EVIDENCE


def _why_not(claim: Claim, known: Mapping[str, Evidence], since: datetime | None) -> str | None:
    if (why := _cited(claim.cites, known)) is not None:
        return why
    if not any(_names(known[id_], claim.entity) for id_ in claim.cites):
        return ENTITY_NOT_NAMED
    if since is not None and all(is_later(known[id_], since) for id_ in claim.cites):
        return CAME_LATER
    return None


def _names(evidence: Evidence, entity: str) -> bool:
    """Tell whether it names the thing, as a word of its own: `pay` is not `payment`, but `payment` is a pod's start."""
    word = re.compile(rf"(?<!{_PART}){re.escape(entity.strip())}(?!{_PART})", re.IGNORECASE)
    return bool(entity.strip()) and any(word.search(text) for text in (evidence.subject, evidence.summary))
