"""What signs seen on edges say about the services at their ends (pure)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from hemostat.signals.rootcause.evidence import Edge, Share, Sign, Trouble

_ONE_CALLER = 0.4
"""What is left of a callee's sign that next to none of its callers sees."""
_CALLING_END = 0.95
"""Of two equal ends of a slow edge the callee is likelier: a caller would slow its other edges too."""


def seen_by_callers(troubles: Sequence[Trouble], edges: Collection[Edge]) -> list[Trouble]:
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
    weight: dict[tuple[Sign, str], float] = {
        (sign, service): _ONE_CALLER
        + (1.0 - _ONE_CALLER) * sum(by.values()) / (max(by.values()) * len(callers[service]))
        for (sign, service), by in seen.items()
        if sign in (Sign.LATENCY, Sign.ERRORS)
    }
    return [
        replace(t, strength=t.strength * weight[t.sign, t.service]) if t.caller and (t.sign, t.service) in weight else t
        for t in troubles
    ]


def network_shares(troubles: Sequence[Trouble], edges: Collection[Edge]) -> Iterator[Share]:
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
            part *= _CALLING_END
        worst = mine[0]
        about = Trouble(Sign.NETWORK, end, worst.strength, worst.reason, worst.caller, worst.since)
        yield Share(about, part, f" ({len(mine)} of its {len(touching[end])} edges)" if len(touching[end]) > 1 else "")
