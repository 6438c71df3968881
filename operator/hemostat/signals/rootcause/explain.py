"""How much of a sign another service explains, because signs travel over the call graph (pure)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from hemostat.signals.rootcause.evidence import Edge, Share, Sign, Trouble

_EXPLAINS = 0.85
"""How much of a travelling sign full trouble at the next service explains."""
_PER_HOP = 0.9
"""What is left of an explanation after each further hop."""
_HOPS = 8
_UNRELATED_CHANGE = 0.3
"""Worth of a change at a service when neither it nor anyone who depends on it is in trouble."""
_NOTEWORTHY = 0.6
"""If less than this is left of a sign, a person is told where it may come from."""


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


def own_shares(troubles: Sequence[Trouble], edges: Collection[Edge]) -> Iterator[Share]:
    """Yield what each sign but those of the network says about its service."""
    present = {t.sign for t in troubles}
    explained = {
        sign: [_explained(_strongest(troubles, signs), edges, read) for signs, read in ways]
        for sign, ways in _COMES_FROM.items()
        if sign in present
    }
    troubled = {name for t in troubles if t.sign is not Sign.CHANGE for name in (t.service, t.caller) if name}
    related = _reached(troubled, edges) if Sign.CHANGE in present else set()
    for trouble in troubles:
        if trouble.sign is Sign.CHANGE:
            yield Share(trouble, trouble.strength * (1.0 if trouble.service in related else _UNRELATED_CHANGE))
        elif trouble.sign is not Sign.NETWORK:
            ways = [found.get(trouble.service, (0.0, "")) for found in explained.get(trouble.sign, ())]
            share, by = max(ways, default=(0.0, ""))
            left = 1.0 - _EXPLAINS * share
            yield Share(trouble, trouble.strength * left, f" (may come from {by})" if left < _NOTEWORTHY else "")


def _strongest(troubles: Sequence[Trouble], signs: Collection[Sign]) -> dict[str, float]:
    found: dict[str, float] = {}
    for trouble in troubles:
        if trouble.sign in signs:
            found[trouble.service] = max(found.get(trouble.service, 0.0), trouble.strength)
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
