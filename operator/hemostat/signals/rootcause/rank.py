"""Signs of trouble + call graph -> ranked candidates for the root cause (pure, deterministic, no training).

A sign that travels is discounted where another service already explains it: latency and errors of a caller by what is
wrong below it, traffic of a callee by what is wrong above it. What is left is weighed by how close that kind of sign is
to a cause and combined by noisy-or (Pearl 1988), so that several signs support each other and no missing metric counts
against anyone. The idea that a cause is an anomaly which the anomalies of its parents in the graph do not explain is
CIRCA's (Li et al., KDD 2022); ranking by how far a metric left its usual range is BARO's (Pham et al., FSE 2024).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from hemostat.signals.rootcause.edges import network_shares, seen_by_callers
from hemostat.signals.rootcause.evidence import Edge, Share, Sign, Trouble
from hemostat.signals.rootcause.explain import own_shares

WEIGHT: Mapping[Sign, float] = {
    Sign.WORKLOAD: 0.95,
    Sign.RESOURCE: 0.9,
    Sign.NETWORK: 0.9,
    Sign.LATENCY: 0.7,
    Sign.ERRORS: 0.7,
    Sign.COURSE: 0.7,
    Sign.CHANGE: 0.35,
    Sign.OTHER: 0.3,
    Sign.TRAFFIC: 0.25,
}
"""How much a sign of full strength that nothing else explains says about its service being the cause."""

_LATE = 0.1
_LATE_SECONDS = 300.0
"""A service whose trouble began so much after the first one loses the share `_LATE` of its score."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service that may be the cause."""

    service: str
    score: float
    """In [0, 1]: how much the signs point at it. Comparable within one ranking; not a probability."""
    reasons: tuple[str, ...]
    """Why, in words, strongest first."""
    troubles: tuple[Trouble, ...]
    """The signs the reasons come from, in the same order."""


def rank(
    troubles: Sequence[Trouble], edges: Collection[Edge], services: Collection[str] = (), top: int | None = None
) -> tuple[Candidate, ...]:
    """Return the candidates, most likely cause first; equal scores by name.

    :param troubles: all signs seen in one incident; at most thousands.
    :param edges: the call graph as (caller, callee): every edge that was observed, also those without trouble.
    :param services: services to list even if nothing points at them (score 0).
    :param top: how many to return; all if None.
    """
    troubles = [t if t.strength <= 1.0 else replace(t, strength=1.0) for t in troubles if t.strength > 0.0]
    shares: dict[str, list[Share]] = {name: [] for name in services}
    for share in (*own_shares(seen_by_callers(troubles, edges), edges), *network_shares(troubles, edges)):
        shares.setdefault(share.trouble.service, []).append(share)
    first = min((t.since for t in troubles if t.since is not None and t.sign is not Sign.CHANGE), default=None)
    ranked = sorted((_candidate(name, found, first) for name, found in shares.items()), key=_order)
    return tuple(ranked if top is None else ranked[:top])


def _order(candidate: Candidate) -> tuple[float, str]:
    return -candidate.score, candidate.service


def _candidate(name: str, shares: Sequence[Share], first: float | None) -> Candidate:
    best: dict[Sign, float] = {}
    for share in shares:
        best[share.trouble.sign] = max(best.get(share.trouble.sign, 0.0), share.value)
    doubt = 1.0
    for sign in sorted(best):
        doubt *= 1.0 - WEIGHT[sign] * best[sign]
    score = 1.0 - doubt
    begun = min((s.trouble.since for s in shares if s.trouble.since is not None), default=None)
    if begun is not None and first is not None:
        score *= 1.0 - _LATE * min(1.0, max(0.0, begun - first) / _LATE_SECONDS)
    ordered = sorted(shares, key=lambda s: (-WEIGHT[s.trouble.sign] * s.value, s.trouble.sign, s.trouble.reason))
    return Candidate(name, score, tuple(s.trouble.reason + s.note for s in ordered), tuple(s.trouble for s in ordered))
