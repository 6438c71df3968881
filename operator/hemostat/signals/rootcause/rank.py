"""Signs of trouble + call graph -> ranked candidates for the root cause (pure, deterministic, no training).

A sign that travels is discounted where another service already explains it: latency and errors of a caller by what is
wrong below it, traffic of a callee by what is wrong above it. What is left is weighed by how close that kind of sign is
to a cause and combined by noisy-or (Pearl 1988), so that several signs support each other and no missing metric counts
against anyone. The idea that a cause is an anomaly which the anomalies of its parents in the graph do not explain is
CIRCA's (Li et al., KDD 2022); ranking by how far a metric left its usual range is BARO's (Pham et al., FSE 2024).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hemostat.signals.rootcause.evidence import Sign, Trouble

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

_EXPLAINS = 0.85
"""How much of a travelling sign full trouble at the next service explains."""
_PER_HOP = 0.9
"""What is left of an explanation after each further hop."""
_HOPS = 8
_ONE_CALLER = 0.4
"""What is left of a callee's sign that next to none of its callers sees."""
_UNRELATED_CHANGE = 0.3
"""Worth of a change at a service when neither it nor anyone who depends on it is in trouble."""
_LATE = 0.1
_LATE_SECONDS = 300.0
"""A service whose trouble began so much after the first one loses the share `_LATE` of its score."""

Edge = tuple[str, str]
"""(caller, callee)."""


def _from_below(edge: Edge) -> Edge:
    """Read an edge as (explained, explaining) for signs that travel from callee to caller."""
    return edge


def _from_above(edge: Edge) -> Edge:
    """Read an edge as (explained, explaining) for signs that travel from caller to callee."""
    return edge[1], edge[0]


_FAILING = frozenset(Sign) - {Sign.TRAFFIC, Sign.CHANGE, Sign.COURSE}
_COMES_FROM: Mapping[Sign, tuple[tuple[frozenset[Sign], Callable[[Edge], Edge]], ...]] = {
    Sign.LATENCY: ((_FAILING | {Sign.COURSE}, _from_below),),
    Sign.ERRORS: ((_FAILING | {Sign.COURSE}, _from_below),),
    Sign.COURSE: ((_FAILING, _from_below), (frozenset({Sign.COURSE}), _from_above)),
    Sign.TRAFFIC: ((frozenset(Sign) - {Sign.CHANGE}, _from_above),),
}
"""Signs that travel: which signs, at a service on which side, may be where they come from."""


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


@dataclass(frozen=True, slots=True)
class _Share:
    """What one sign adds for one service."""

    trouble: Trouble
    value: float
    note: str = ""


def rank(
    troubles: Sequence[Trouble], edges: Collection[Edge], services: Collection[str] = (), top: int | None = None
) -> tuple[Candidate, ...]:
    """Return the candidates, most likely cause first; equal scores by name.

    :param troubles: all signs seen in one incident; at most thousands.
    :param edges: the call graph as (caller, callee): every edge that was observed, also those without trouble.
    :param services: services to list even if nothing points at them (score 0).
    :param top: how many to return; all if None.
    """
    shares: dict[str, list[_Share]] = {name: [] for name in services}
    for share in (*_own(_seen_by_callers(troubles, edges), edges), *_network(troubles, edges)):
        shares.setdefault(share.trouble.service, []).append(share)
    first = min((t.since for t in troubles if t.since is not None and t.sign is not Sign.CHANGE), default=None)
    ranked = sorted((_candidate(name, found, first) for name, found in shares.items()), key=_order)
    return tuple(ranked if top is None else ranked[:top])


def _order(candidate: Candidate) -> tuple[float, str]:
    return -candidate.score, candidate.service


def _candidate(name: str, shares: Sequence[_Share], first: float | None) -> Candidate:
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


def _seen_by_callers(troubles: Sequence[Trouble], edges: Collection[Edge]) -> list[Trouble]:
    """Weigh what a caller saw of its callee by how many of the callee's callers see it: with one of many it may be
    the caller's own requests that are unusual.
    """
    callers: dict[str, set[str]] = {}
    for caller, callee in (*edges, *((t.caller, t.service) for t in troubles if t.caller)):
        callers.setdefault(callee, set()).add(caller)
    seen: dict[tuple[Sign, str], dict[str, float]] = {}
    for t in troubles:
        if t.caller:
            by = seen.setdefault((t.sign, t.service), {})
            by[t.caller] = max(by.get(t.caller, 0.0), t.strength)
    weighed = []
    for t in troubles:
        if t.caller and t.sign in (Sign.LATENCY, Sign.ERRORS):
            by = seen[t.sign, t.service]
            share = sum(by.values()) / (max(by.values()) * len(callers[t.service]))
            weighed.append(replace(t, strength=t.strength * (_ONE_CALLER + (1.0 - _ONE_CALLER) * share)))
        else:
            weighed.append(t)
    return weighed


def _own(troubles: Sequence[Trouble], edges: Collection[Edge]) -> Iterable[_Share]:
    """Yield what each sign but those of the network adds to its service once others have explained their part."""
    explained = {
        sign: [_explained(_strongest(troubles, signs), edges, read) for signs, read in ways]
        for sign, ways in _COMES_FROM.items()
    }
    troubled = {name for t in troubles if t.sign is not Sign.CHANGE for name in (t.service, t.caller) if name}
    dependants = _reached(troubled, edges)
    for trouble in troubles:
        if trouble.sign is Sign.NETWORK:
            continue
        if trouble.sign is Sign.CHANGE:
            related = trouble.service in dependants
            yield _Share(trouble, trouble.strength * (1.0 if related else _UNRELATED_CHANGE))
            continue
        ways = [found.get(trouble.service, (0.0, "")) for found in explained.get(trouble.sign, ())]
        share, by = max(ways, default=(0.0, ""))
        left = 1.0 - _EXPLAINS * share
        yield _Share(trouble, trouble.strength * left, f" (may come from {by})" if left < 0.6 else "")


def _network(troubles: Sequence[Trouble], edges: Collection[Edge]) -> Iterable[_Share]:
    """Yield what slow edges say about their ends.

    A bad network at a service slows all its edges; so its part is the share of its own edges that are slow times the
    share of all slow edges that it touches. With one slow edge among many the end with fewer other edges is likelier.
    """
    slow: dict[Edge, Trouble] = {}
    for trouble in troubles:
        if trouble.sign is Sign.NETWORK and trouble.caller:
            edge = (trouble.caller, trouble.service)
            if edge not in slow or slow[edge].strength < trouble.strength:
                slow[edge] = trouble
    total = sum(t.strength for t in slow.values())
    touching: dict[str, set[Edge]] = {}
    for edge in {*edges, *slow}:
        for end in set(edge):
            touching.setdefault(end, set()).add(edge)
    for end in sorted({name for edge in slow for name in edge}):
        mine = sorted((slow[e] for e in touching[end] if e in slow), key=lambda t: (-t.strength, t.caller, t.service))
        strength = sum(t.strength for t in mine)
        part = (strength / total) * (strength / len(touching[end]))
        if all(t.service != end for t in mine):
            part *= 0.95  # of two equal ends the callee: a caller would slow its other edges too
        worst = mine[0]
        about = Trouble(Sign.NETWORK, end, worst.strength, worst.reason, worst.caller, worst.since)
        yield _Share(about, part, f" ({len(mine)} of its {len(touching[end])} edges)" if len(touching[end]) > 1 else "")


def _strongest(troubles: Sequence[Trouble], signs: Collection[Sign]) -> dict[str, float]:
    found: dict[str, float] = {}
    for trouble in troubles:
        if trouble.sign in signs:
            found[trouble.service] = max(found.get(trouble.service, 0.0), min(1.0, trouble.strength))
    return found


def _explained(
    strength: Mapping[str, float], edges: Collection[Edge], read: Callable[[Edge], Edge]
) -> dict[str, tuple[float, str]]:
    """Return for each service how much another explains its travelling signs, in [0, 1], and who that is.

    Max-product over paths of at most `_HOPS` edges: services without telemetry in between do not break the chain.
    """
    best: dict[str, tuple[float, str]] = {}
    pairs = sorted({read(e) for e in edges if e[0] != e[1]})
    for _ in range(_HOPS):
        changed = False
        for service, other in pairs:
            further, through = best.get(other, (0.0, ""))
            value, by = max((strength.get(other, 0.0), other), (further * _PER_HOP, through))
            if by != service and value > best.get(service, (0.0, ""))[0]:
                best[service] = (value, by)
                changed = True
        if not changed:
            break
    return best


def _reached(starts: Collection[str], edges: Collection[Edge]) -> set[str]:
    """Return the services that `starts` call, directly or not, and themselves."""
    callees: dict[str, list[str]] = {}
    for caller, callee in edges:
        callees.setdefault(caller, []).append(callee)
    seen, todo = set(starts), list(starts)
    while todo:
        for callee in callees.get(todo.pop(), ()):
            if callee not in seen:
                seen.add(callee)
                todo.append(callee)
    return seen
