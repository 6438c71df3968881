"""Is a cycle trouble? Rules that a person can read; their numbers were chosen on the tuning set of tests/bench (pure).

What a round brought decides: results that differ are progress and never get here. Rounds that ask the same and get the
same are told at the third. Polling with pauses is what one does about a slow thing, and trying again later about one
that is down, so these are told when they have gone on for long. Who argues while a tool is down does not argue: it
tries again. Steps of which nothing is known but the name need many more rounds, and are never cut.
"""

from enum import Enum, auto
from math import inf

from hemostat.signals.loops.bank import Cycle
from hemostat.signals.loops.kernel.ring import STEPS
from hemostat.signals.loops.symbols import Symbol
from hemostat.signals.loops.verdict import Advice, Edge, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Basis, Operation

IDLE_SHARE, PAUSED_ROUNDS = 0.5, 0.5
"""Polling: less than this share of the time is work, and in at least this share of the rounds there is a pause."""
THOUGHT_SECONDS = 1.5
"""What an inference that is not told of may have taken."""
POLLS, RETRIES = 12, 6
"""How often one may poll in vain, and try again at once what fails as overloaded services do."""
BACK_OFF, LEAST_PAUSE = 1.5, 1.0
"""Pauses that grow by this factor from the older half of the rounds to the newer one are back-off, if they last so many
seconds: how long an inference takes is chance."""
FAN_OUT = 0.25
"""Share of steps that began before the same one of the last round was over: these are many at once, no rounds."""
CUT_ROUNDS, CUT_REWORDED, CUT_SECONDS = 5, 12, 10.0
"""Rounds (where it was asked in other words: more, as far as they are kept) and duration from which on a cycle that
costs may be cut."""
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


def judge(cycle: Cycle, since: float = inf) -> Verdict | None:
    """Return what is wrong with it; None for what looks legitimate, or is too early to tell.

    :param since: when it began, as far as that was told before: of a fast one the rounds that are kept are the last
        few seconds, however long it goes on.
    """
    evidence, down = _evidence(cycle), _is_down(cycle)
    if down and (cycle.step.operation is Operation.CHAT or _backs_off(cycle)):
        return None  # a provider's trouble is told by `storm`; longer pauses each time are what one should do
    pauses = _pauses(cycle, down=down)
    needed = _needed(cycle, evidence, down=down, pauses=pauses)
    if cycle.rounds < needed or cycle.overlap > FAN_OUT * cycle.steps:
        return None
    cut = not pauses and not down and _may_be_cut(cycle, evidence, since)
    edge = _edge(cycle)
    return _verdict(
        cycle,
        _kind(cycle),
        edge,
        advice=Advice.CUT if cut else Advice.NOTIFY,
        confidence=_confidence(cycle, evidence, needed),
        visibility=Visibility.PARTIAL if evidence in (Evidence.NAMES, Evidence.NAME) else Visibility.FULL,
        words=_words(cycle, _DOWN if down else _KNOWN[evidence]),
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
        ended=cycle.ended,
        confidence=confidence,
        visibility=visibility,
        words=words,
        tokens=cycle.tokens,
    )


def _evidence(cycle: Cycle) -> Evidence:
    batch = 2 * cycle.receipts >= cycle.steps and 2 * cycle.reworded > cycle.steps  # done each time: no proof at all
    if 2 * cycle.known >= cycle.steps and not batch:
        return Evidence.SAME if 2 * cycle.same >= cycle.steps else Evidence.ASKED
    return Evidence.NAMES if len(cycle.symbols) > 1 or _between_agents(cycle) else Evidence.NAME


def _needed(cycle: Cycle, evidence: Evidence, *, down: bool, pauses: bool) -> int:
    if pauses:
        return POLLS
    if down:
        return RETRIES
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


def _is_down(cycle: Cycle) -> bool:
    """Tell whether in every round something failed as overloaded services do."""
    return cycle.transient >= cycle.rounds - 1


def _pauses(cycle: Cycle, *, down: bool) -> bool:
    """Tell whether it waits between tries, once a round however many steps a round has.

    Agents that talk to each other have no reason to, but one that is down. Where no inference is told of, each step may
    have taken one.
    """
    lasted = cycle.ended - cycle.began
    slow = cycle.pauses >= PAUSED_ROUNDS * (cycle.rounds - 1) and not _talk(cycle)
    busy = cycle.busy if cycle.tokens else cycle.busy + THOUGHT_SECONDS * cycle.steps
    return (slow and cycle.busy < IDLE_SHARE * lasted) or (down and busy < IDLE_SHARE * lasted)


def _talk(cycle: Cycle) -> bool:
    """Tell whether agents talk to each other. An agent's own turn, told as a step around its tools, is no call."""
    calls = [s for s in cycle.symbols if _is_to_agent(s)]
    at_work = {s.agent for s in cycle.symbols if not _is_to_agent(s)}
    return len({s.peer for s in calls}) > 1 or any(s.agent != s.peer or s.agent not in at_work for s in calls)


def _backs_off(cycle: Cycle) -> bool:
    return cycle.late_pause > max(LEAST_PAUSE, BACK_OFF * cycle.early_pause)


def _may_be_cut(cycle: Cycle, evidence: Evidence, since: float) -> bool:
    """It costs, it runs at full speed, it has gone on for long enough, and it is known what comes of it.

    Services of which none is seen to call another may only have chosen equal ids for their conversations; where traces
    are all that names the conversation, the very steps that fail, or bring something, may be in another one.
    """
    lasted = cycle.ended - cycle.began
    sure = evidence in (Evidence.SAME, Evidence.ASKED)
    rounds = CUT_ROUNDS
    if 2 * cycle.reworded > cycle.steps:
        rounds = min(CUT_REWORDED, STEPS // len(cycle.symbols) - 1)
    long = cycle.ended - min(cycle.began, since) >= CUT_SECONDS
    strangers = len({s.service for s in cycle.symbols}) > 1 and not _between_agents(cycle)
    guessed = evidence is Evidence.ASKED and cycle.step.basis is Basis.TRACE
    vague = strangers or guessed
    return sure and cycle.rounds >= rounds and long and 2 * cycle.busy > lasted and not vague


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
    """The last step from one agent to another; where there is none, from the last agent to the first.

    An agent's own turn, told as a step, is no call: of one agent alone it is the last tool.
    """
    for symbol in reversed(cycle.symbols):
        caller = symbol.agent or symbol.service
        if _is_to_agent(symbol) and caller != symbol.peer:
            return (caller, symbol.peer)
    callers = list(dict.fromkeys(s.agent or s.service for s in cycle.symbols))
    if len(callers) > 1:
        return (callers[-1], callers[0])
    last = next((s for s in reversed(cycle.symbols) if s.peer != callers[0]), cycle.symbols[-1])
    return (callers[0], last.peer)


def _confidence(cycle: Cycle, evidence: Evidence, needed: int) -> int:
    """Rounds beyond the needed ones add, noise between takes away, and so does not knowing the conversation."""
    more = 2 * min(5, cycle.rounds - needed)
    return round(min(98, _CONFIDENCE[evidence] + more) * _BASIS[cycle.step.basis])


_KNOWN = {
    Evidence.SAME: "asked the same and got the same each time",
    Evidence.ASKED: "asked the same each time; what came of it is not sent",
    Evidence.NAMES: "what was asked is not sent",
    Evidence.NAME: "what was asked is not sent",
}
_DOWN = "a part of it fails each time and is tried again without waiting longer"


def _words(cycle: Cycle, known: str) -> str:
    """Say what goes on; the edge is told beside it, for of a circle the one that was told first stays."""
    steps = " -> ".join(dict.fromkeys(s.peer for s in cycle.symbols))
    who = ", ".join(_agents(cycle))
    lasted = cycle.ended - cycle.began
    return f"{who}: {steps}, {cycle.rounds} rounds in {lasted:.0f} s, {known}; {cycle.tokens} tokens"
