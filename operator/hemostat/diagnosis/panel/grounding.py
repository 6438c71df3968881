"""Which statements of a model does the evidence bear? Those that cite it, and of things that it names (pure)."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hemostat.api.incident import Evidence
from hemostat.diagnosis.panel.reply import Claim

CITES_NOTHING, NO_SUCH_EVIDENCE, ENTITY_NOT_NAMED = "CitesNothing", "NoSuchEvidence", "EntityNotNamed"
_PART = r"[A-Za-z0-9_]"


@dataclass(frozen=True, slots=True)
class Grounded:
    """The statements that were kept, and how many were dropped for which reason."""

    claims: tuple[Claim, ...]
    dropped: Counter[str]


def ground(claims: Iterable[Claim], evidence: Sequence[Evidence]) -> Grounded:
    """Keep a statement only if all that it cites exists and some of that names what it is about."""
    known = {e.id: e for e in evidence}
    kept: list[Claim] = []
    dropped: Counter[str] = Counter()
    for claim in claims:
        reason = _why_not(claim, known)
        if reason is None:
            kept.append(claim)
        else:
            dropped[reason] += 1
    return Grounded(tuple(kept), dropped)


def _why_not(claim: Claim, known: dict[str, Evidence]) -> str | None:
    if not claim.cites:
        return CITES_NOTHING
    if not known.keys() >= set(claim.cites):
        return NO_SUCH_EVIDENCE
    if not any(_names(known[id_], claim.entity) for id_ in claim.cites):
        return ENTITY_NOT_NAMED
    return None


def _names(evidence: Evidence, entity: str) -> bool:
    """Tell whether it names the thing, as a word of its own: `pay` is not `payment`, but `payment` is a pod's start."""
    word = re.compile(rf"(?<!{_PART}){re.escape(entity.strip())}(?!{_PART})", re.IGNORECASE)
    return bool(entity.strip()) and any(word.search(text) for text in (evidence.subject, evidence.summary))
