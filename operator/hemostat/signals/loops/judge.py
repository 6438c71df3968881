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
from hemostat.signals.loops.round import Round, round_of
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
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
    names = round_of(cycle.symbols)
    evidence, down = _evidence(cycle, names), _is_down(cycle)
    if down and (cycle.step.operation is Operation.CHAT or _backs_off(cycle)):
        return None  # a provider's trouble is told by `storm`; longer pauses each time are what one should do
    pauses = _pauses(cycle, names, down=down)
    needed = _needed(names, evidence, down=down, pauses=pauses)
    if cycle.rounds < needed or cycle.overlap > FAN_OUT * cycle.steps:
        return None
    cut = not pauses and not down and _may_be_cut(cycle, names, evidence, since)
    return Verdict(
        kind=_kind(cycle, names),
        advice=Advice.CUT if cut else Advice.NOTIFY,
        tenant=cycle.step.tenant,
        conversation=cycle.step.conversation,
        agents=names.agents,
        edge=names.edge,
        rounds=cycle.rounds,
        began=cycle.began,
        ended=cycle.ended,
        confidence=_confidence(cycle, evidence, needed),
        visibility=Visibility.PARTIAL if evidence in (Evidence.NAMES, Evidence.NAME) else Visibility.FULL,
        words=_words(cycle, names, _DOWN if down else _KNOWN[evidence]),
        tokens=cycle.tokens,
    )


def key(cycle: Cycle) -> tuple[str, str, Kind]:
    """Return the key of the verdict on it, if there is one."""
    names = round_of(cycle.symbols)
    return (cycle.step.tenant, cycle.step.conversation or names.edge[1], _kind(cycle, names))


def _evidence(cycle: Cycle, names: Round) -> Evidence:
    batch = 2 * cycle.receipts >= cycle.steps and 2 * cycle.reworded > cycle.steps  # done each time: no proof at all
    if 2 * cycle.known >= cycle.steps and not batch:
        return Evidence.SAME if 2 * cycle.same >= cycle.steps else Evidence.ASKED
    return Evidence.NAMES if len(cycle.symbols) > 1 or names.asked else Evidence.NAME


def _needed(names: Round, evidence: Evidence, *, down: bool, pauses: bool) -> int:
    if pauses:
        return POLLS
    if down:
        return RETRIES
    if names.only_words:
        return max(NEEDED_WORDS, NEEDED[evidence])
    if evidence is Evidence.NAMES and len(names.asked) > 2:
        return NEEDED_RING
    return NEEDED[evidence]


def _is_down(cycle: Cycle) -> bool:
    """Tell whether in every round something failed as overloaded services do."""
    return cycle.transient >= cycle.rounds - 1


def _pauses(cycle: Cycle, names: Round, *, down: bool) -> bool:
    """Tell whether it waits between tries, once a round however many steps a round has.

    Agents that talk to each other have no reason to, but one that is down. Where no inference is told of, each step may
    have taken one.
    """
    lasted = cycle.ended - cycle.began
    slow = cycle.pauses >= PAUSED_ROUNDS * (cycle.rounds - 1) and not names.talk
    busy = cycle.busy if cycle.tokens else cycle.busy + THOUGHT_SECONDS * cycle.steps
    return (slow and cycle.busy < IDLE_SHARE * lasted) or (down and busy < IDLE_SHARE * lasted)


def _backs_off(cycle: Cycle) -> bool:
    return cycle.late_pause > max(LEAST_PAUSE, BACK_OFF * cycle.early_pause)


def _may_be_cut(cycle: Cycle, names: Round, evidence: Evidence, since: float) -> bool:
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
    guessed = evidence is Evidence.ASKED and cycle.step.basis is Basis.TRACE
    vague = names.strangers or guessed
    return sure and cycle.rounds >= rounds and long and 2 * cycle.busy > lasted and not vague


def _kind(cycle: Cycle, names: Round) -> Kind:
    if names.only_words:
        return Kind.TOKEN_BURN
    if len(cycle.symbols) > 1 or names.asked:
        return Kind.CYCLE
    return Kind.PARAPHRASE_LOOP if 2 * cycle.reworded > cycle.steps else Kind.REPEATED_STEP


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


def _words(cycle: Cycle, names: Round, known: str) -> str:
    """Say what goes on; the edge is told beside it, for of a circle the one that was told first stays."""
    lasted = cycle.ended - cycle.began
    return f"{names.words}, {cycle.rounds} rounds in {lasted:.0f} s, {known}; {cycle.tokens} tokens"
