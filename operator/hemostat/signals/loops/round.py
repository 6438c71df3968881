"""What the names in one round of a cycle tell, worked out once for all who go round the same (pure)."""

from dataclasses import dataclass
from functools import lru_cache

from hemostat.signals.loops.symbols import Symbol
from hemostat.signals.loops.verdict import Edge
from hemostat.telemetry.steps import Operation

MOST_KNOWN = 4096
_WORDS = (Operation.CHAT, Operation.WORKFLOW)
_TO_AGENTS = (Operation.AGENT, Operation.HANDOFF)


@dataclass(frozen=True, slots=True)
class Round:
    """Who does what to whom, and who calls whom."""

    only_words: bool
    """No deed is in it: inferences, and what is only made of others."""
    asked: frozenset[str]
    """Agents that are called or written to."""
    talk: bool
    """Whether agents talk to each other. An agent's own turn, told as a step around its tools, is no call."""
    strangers: bool
    """Whether several services take part of which none is seen to call another."""
    agents: tuple[str, ...]
    """Who goes round, in order; the service where no agent is named."""
    edge: Edge
    """Where it would be cut."""
    words: str
    """Who goes round, and whom or what each step is about; for a person."""


@lru_cache(MOST_KNOWN)
def round_of(symbols: tuple[Symbol, ...]) -> Round:
    """Return what the steps of a round, oldest first, tell by their names."""
    calls = [s for s in symbols if s.operation in _TO_AGENTS]
    at_work = {s.agent for s in symbols if s.operation not in _TO_AGENTS}
    asked = frozenset(s.peer for s in calls)
    names = [name for s in symbols for name in (s.agent or s.service, s.peer if s.operation in _TO_AGENTS else "")]
    agents = tuple(dict.fromkeys(name for name in names if name))
    return Round(
        only_words=all(s.operation in _WORDS for s in symbols),
        asked=asked,
        talk=len(asked) > 1 or any(s.agent != s.peer or s.agent not in at_work for s in calls),
        strangers=len({s.service for s in symbols}) > 1 and not calls,
        agents=agents,
        edge=_edge(symbols),
        words=f"{', '.join(agents)}: {' -> '.join(dict.fromkeys(s.peer for s in symbols))}",
    )


def _edge(symbols: tuple[Symbol, ...]) -> Edge:
    """The last step from one agent to another; where there is none, from the last agent to the first.

    An agent's own turn, told as a step, is no call: of one agent alone it is the last tool.
    """
    for symbol in reversed(symbols):
        caller = symbol.agent or symbol.service
        if symbol.operation in _TO_AGENTS and caller != symbol.peer:
            return (caller, symbol.peer)
    callers = list(dict.fromkeys(s.agent or s.service for s in symbols))
    if len(callers) > 1:
        return (callers[-1], callers[0])
    last = next((s for s in reversed(symbols) if s.peer != callers[0]), symbols[-1])
    return (callers[0], last.peer)
