"""Is a cycle trouble? Rules that a person can read; their numbers were chosen on the tuning set of tests/bench (pure).

What a round brought decides: results that differ are progress and never get here. Rounds that ask the same and get the
same are told at the third. Polling with pauses is what one does about a slow thing, so it is told when it has gone on
for long. Steps of which nothing is known but the name need many more rounds, and are never cut.
"""

from enum import Enum, auto

from hemostat.signals.loops.bank import Cycle
from hemostat.signals.loops.symbols import Symbol
from hemostat.signals.loops.verdict import Advice, Edge, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Basis, Operation

IDLE_SHARE, PAUSE_SECONDS = 0.5, 5.0
"""Polling: less than this share of the time is work, and steps are at least so far apart."""
POLLS, POLLED_SECONDS = 12, 120.0
"""How often and how long polling may go on in vain."""
BACK_OFF = 1.5
"""Pauses that grow by this factor are back-off."""
FAN_OUT = 0.25
"""Share of steps that began before the same one of the last round was over: these are many at once, no rounds."""
CUT_ROUNDS, CUT_SECONDS = 5, 10.0
"""Rounds and duration from which on a cycle that costs may be cut."""
_BASIS = {Basis.SESSION: 1.0, Basis.TASK: 0.95, Basis.TRACE: 0.9}


class Evidence(Enum):
    """What is known of the rounds."""

    SAME = auto()
    """The same was asked, and the same came of it."""
    ASKED = auto()
    """The same was asked; what came of it is not sent."""
    NAMES = auto()
    """Names only, of several steps or agents."""
    NAME = auto()
    """The name of one step only."""


NEEDED = {Evidence.SAME: 3, Evidence.ASKED: 3, Evidence.NAMES: 6, Evidence.NAME: 30}
NEEDED_RING = 4
"""Rounds of three and more agents of which only the names are known: few teams work in such circles."""
NEEDED_WORDS = 6
"""Rounds of words without deeds: drafts are revised a few times."""
_CONFIDENCE = {Evidence.SAME: 90, Evidence.ASKED: 80, Evidence.NAMES: 55, Evidence.NAME: 40}


def judge(cycle: Cycle) -> Verdict | None:
    """Return what is wrong with it; None for what looks legitimate, or is too early to tell."""
    evidence = _evidence(cycle)
    if cycle.rounds < _needed(cycle, evidence) or cycle.overlap > FAN_OUT * cycle.steps:
        return None
    if _failing(cycle):
        return None if cycle.step.operation is Operation.CHAT else _storm(cycle)  # a provider's: `storm` tells
    polls = _polls(cycle)
    if polls and (cycle.rounds < POLLS or cycle.ended - cycle.began < POLLED_SECONDS):
        return None
    cut = not polls and _may_be_cut(cycle, evidence)
    edge = _edge(cycle)
    return _verdict(
        cycle,
        _kind(cycle),
        edge,
        advice=Advice.CUT if cut else Advice.NOTIFY,
        confidence=_confidence(cycle, evidence),
        visibility=Visibility.PARTIAL if evidence in (Evidence.NAMES, Evidence.NAME) else Visibility.FULL,
        words=_words(cycle, evidence, edge),
    )


def _verdict(
    cycle: Cycle, kind: Kind, edge: Edge, *, advice: Advice, confidence: int, visibility: Visibility, words: str
) -> Verdict:
    return Verdict(
        kind=kind,
        advice=advice,
        tenant=cycle.step.tenant,
        conversation=cycle.step.conversation,
        agents=_agents(cycle),
        edge=edge,
        rounds=cycle.rounds,
        began=cycle.began,
        confidence=confidence,
        visibility=visibility,
        words=words,
        tokens=cycle.tokens,
    )


def _evidence(cycle: Cycle) -> Evidence:
    if 2 * cycle.known >= cycle.steps:
        return Evidence.SAME if 2 * cycle.same >= cycle.steps else Evidence.ASKED
    return Evidence.NAMES if len(cycle.symbols) > 1 or _between_agents(cycle) else Evidence.NAME


def _needed(cycle: Cycle, evidence: Evidence) -> int:
    if _only_words(cycle):
        return max(NEEDED_WORDS, NEEDED[evidence])
    if evidence is Evidence.NAMES and len({s.peer for s in cycle.symbols if _is_to_agent(s)}) > 2:
        return NEEDED_RING
    return NEEDED[evidence]


def _only_words(cycle: Cycle) -> bool:
    return all(s.operation in (Operation.CHAT, Operation.WORKFLOW) for s in cycle.symbols)


def _is_to_agent(symbol: Symbol) -> bool:
    return symbol.operation in (Operation.AGENT, Operation.HANDOFF)


def _between_agents(cycle: Cycle) -> bool:
    return any(map(_is_to_agent, cycle.symbols))


def _failing(cycle: Cycle) -> bool:
    return 2 * cycle.transient > cycle.steps


def _polls(cycle: Cycle) -> bool:
    lasted = cycle.ended - cycle.began
    slow = lasted >= PAUSE_SECONDS * cycle.steps
    return slow and cycle.busy < IDLE_SHARE * lasted and not _between_agents(cycle)


def _backs_off(cycle: Cycle) -> bool:
    return cycle.last_gap > BACK_OFF * cycle.first_gap


def _storm(cycle: Cycle) -> Verdict | None:
    """Who tries again at once is a burden on what is overloaded; who waits longer each time is not."""
    if _backs_off(cycle) or cycle.rounds < STORM_ROUNDS:
        return None
    edge = _edge(cycle)
    return _verdict(
        cycle,
        Kind.RETRY_STORM,
        edge,
        advice=Advice.NOTIFY,
        confidence=80,
        visibility=Visibility.FULL,
        words=f"{edge[1]} fails and {edge[0]} tries again without waiting longer: {cycle.rounds} times",
    )


STORM_ROUNDS = 6
"""Failures in a row, without longer pauses, from which on trying again is a storm."""


def _may_be_cut(cycle: Cycle, evidence: Evidence) -> bool:
    """It costs, it runs at full speed, it has gone on for long enough, and it is known what comes of it."""
    lasted = cycle.ended - cycle.began
    sure = evidence in (Evidence.SAME, Evidence.ASKED)
    return sure and cycle.rounds >= CUT_ROUNDS and lasted >= CUT_SECONDS and 2 * cycle.busy > lasted


def _kind(cycle: Cycle) -> Kind:
    if _only_words(cycle):
        return Kind.TOKEN_BURN
    if len(cycle.symbols) > 1 or _between_agents(cycle):
        return Kind.CYCLE
    return Kind.PARAPHRASE_LOOP if 2 * cycle.reworded > cycle.steps else Kind.REPEATED_STEP


def _agents(cycle: Cycle) -> tuple[str, ...]:
    """Who goes round, in order; the service where no agent is named."""
    names = [name for s in cycle.symbols for name in (s.agent or s.service, s.peer if _is_to_agent(s) else "")]
    return tuple(dict.fromkeys(name for name in names if name))


def _edge(cycle: Cycle) -> Edge:
    """The last step from one agent to another; where there is none, from the last agent to the first."""
    last = cycle.symbols[-1]
    for symbol in reversed(cycle.symbols):
        caller = symbol.agent or symbol.service
        if _is_to_agent(symbol) and caller != symbol.peer:
            return (caller, symbol.peer)
    callers = list(dict.fromkeys(s.agent or s.service for s in cycle.symbols))
    if len(callers) > 1:
        return (callers[-1], callers[0])
    return (last.agent or last.service, last.peer)


def _confidence(cycle: Cycle, evidence: Evidence) -> int:
    """Rounds beyond the needed ones add, noise between takes away, and so does not knowing the conversation."""
    more = 2 * min(5, cycle.rounds - _needed(cycle, evidence))
    return round(min(98, _CONFIDENCE[evidence] + more) * _BASIS[cycle.step.basis])


_KNOWN = {
    Evidence.SAME: "asked the same and got the same each time",
    Evidence.ASKED: "asked the same each time; what came of it is not sent",
    Evidence.NAMES: "what was asked is not sent",
    Evidence.NAME: "what was asked is not sent",
}


def _words(cycle: Cycle, evidence: Evidence, edge: Edge) -> str:
    steps = " -> ".join(dict.fromkeys(s.peer for s in cycle.symbols))
    who = ", ".join(_agents(cycle))
    lasted = cycle.ended - cycle.began
    return (
        f"{who}: {steps}, {cycle.rounds} rounds in {lasted:.0f} s, {_KNOWN[evidence]}; "
        f"{cycle.tokens} tokens. Cut {edge[0]} -> {edge[1]}"
    )
