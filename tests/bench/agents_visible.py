"""In what do the two members of a pair differ, as far as it is told? An upper bound for every detector.

The streams that the detectors get are laid side by side, up to the first step in which they differ. Ids, clocks' errors
and the times of exports do not count. What is compared is what a convention, the content switch and the guard left
over, so that a kind which cannot be seen is not taken for one that was missed. Nothing here knows a detector.

What does not count as a difference, though it is one: what ends with the harm itself (a window that is full), within
the clocks' error; the name of a turn that is told only when it ends; and where the oracle counts rounds, what is new
but comes less than three times: a loop is what comes again, and noise is not.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from agentworld.truth import Truth

from hemostat.telemetry.steps import Failure, Operation, Step

CLOSE, TIED = 0.15, 0.065
"""Seconds by which the same moment differs for two pods' clocks, at most; and two moments that may be one."""

ROUNDS = 3
"""How often something has come round when it may be called a loop (the goal: notice by the third repetition)."""
NONE = Failure.NONE
QUIET = 15.0
"""Seconds of silence after which a wait may be called one that does not end."""


class Shows(StrEnum):
    """What tells the member in trouble from the healthy one."""

    DEEDS = "deeds"
    """Something is asked, answered, waited for or done by somebody that is not in the other."""
    NUMBERS = "numbers"
    """Tokens or times only."""
    LENGTH = "length"
    """Nothing but that one goes on with the same where the other turns to something else: only a count can tell."""
    SILENCE = "silence"
    """Nothing that is told; one just tells no more."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """One step as a detector may look at it."""

    act: tuple[str, ...]
    """Who does what to whom."""
    content: tuple[object, ...]
    """What is asked and what comes of it."""
    tokens: tuple[int, int]
    at: float
    took: float


def shown(truths: Iterable[Truth], steps: Iterable[Step]) -> dict[str, Shows]:
    """Return for each pair that is whole what tells its members apart in these steps."""
    truths = list(truths)
    traces = {trace: n for n, truth in enumerate(truths) for trace in truth.traces}
    told: dict[int, dict[bytes, Step]] = defaultdict(dict)
    early: set[bytes] = set()
    for step in steps:
        if step.ended is None and step.agent:
            early.add(step.span)
        n = traces.get(step.trace.hex())
        if n is not None:
            told[n][step.span] = _merged(told[n].get(step.span), step)
    pairs: dict[str, dict[bool, int]] = defaultdict(dict)
    for n, truth in enumerate(truths):
        if truth.pair:
            pairs[truth.pair][bool(truth.kind)] = n
    found: dict[str, Shows] = {}
    for pair, both in pairs.items():
        if len(both) == 2:
            one, other = (_stream(told[both[k]].values(), truths[both[k]], early) for k in (False, True))
            found[pair] = compare(one, other, ROUNDS if len(truths[both[True]].repetitions) >= ROUNDS else 1)
    return found


def compare(healthy: Sequence[_Moment], troubled: Sequence[_Moment], times: int = 1) -> Shows:
    """Return what tells the second stream from the first.

    :param times: how often something new has to come.
    """
    same = 0
    while same < min(len(healthy), len(troubled)) and _is(healthy[same], troubled[same]):
        same += 1
    if same < len(troubled) and _is_new(healthy, troubled, same, times):
        return Shows.DEEDS
    if any(_differ(a, b) for a, b in zip(healthy[:same], troubled[:same], strict=True)):
        return Shows.NUMBERS
    return Shows.LENGTH if same < len(troubled) else Shows.SILENCE


def _is(one: _Moment, other: _Moment) -> bool:
    return (one.act, one.content) == (other.act, other.content)


def _is_new(healthy: Sequence[_Moment], troubled: Sequence[_Moment], at: int, times: int) -> bool:
    """Tell whether the same was done with another result, or something so many times that was not done before."""
    if at < len(healthy) and healthy[at].act == troubled[at].act:
        return True
    before = {(m.act, m.content) for m in troubled[:at]}
    after = Counter((m.act, m.content) for m in troubled[at:])
    return any(n >= times for what, n in after.items() if what not in before)


def _differ(one: _Moment, other: _Moment) -> bool:
    return one.tokens != other.tokens or abs(one.took - other.took) > CLOSE or abs(one.at - other.at) > CLOSE


def _merged(known: Step | None, step: Step) -> Step:
    """Return the fuller of two reports of one span: an ended one, and the later one."""
    if known is None or known.ended is None:
        return step
    return known if step.ended is None else max(known, step, key=lambda s: (s.arguments is not None, s.tokens_in))


def _stream(steps: Iterable[Step], truth: Truth, early: Collection[bytes]) -> list[_Moment]:
    """Return what is told of a conversation: in the order of ends, or of beginnings where open spans are told of.

    :param early: spans that were named while they were open.
    """
    in_time = truth.deadline - CLOSE if truth.deadline else inf
    known = (s if s.ended is None or s.ended < in_time else s.but(ended=None, result=None, failed=NONE) for s in steps)
    some = [s for s in known if _counts(s, early, guard=truth.guard) and s.started < in_time]
    if not some:
        return []
    begin, last = min(s.started for s in some), max(s.started for s in some)
    quiet = truth.observed - last > QUIET
    by_time = [(s.started, s) for s in some] if truth.guard else [(s.ended, s) for s in some if s.ended is not None]
    return [
        _moment(s, begin, truth.guard, stood=quiet and s.started > last - CLOSE)
        for s in _untied(sorted(by_time, key=lambda one: one[0]))
    ]


def _untied(by_time: Sequence[tuple[float, Step]]) -> Iterator[Step]:
    """Yield steps by time; what is at the same time but for clocks' errors, by what it is."""
    tied: list[Step] = []
    last = 0.0
    for at, step in by_time:
        if tied and at - last > TIED:
            yield from sorted(tied, key=_act)
            tied = []
        tied.append(step)
        last = at
    yield from sorted(tied, key=_act)


def _act(step: Step) -> tuple[str, ...]:
    return (step.operation, step.service, step.agent, step.peer)


def _counts(step: Step, early: Collection[bytes], *, guard: bool) -> bool:
    """Tell whether it is work, or a wait; what is open otherwise may not have its name yet."""
    if guard and step.operation is Operation.AGENT:
        return step.span in early
    done = step.ended is not None or step.operation is Operation.WAIT
    return done and step.operation is not Operation.WORKFLOW


def _moment(step: Step, begin: float, guard: bool, *, stood: bool) -> _Moment:
    """Return what is told of a step; `stood`: nothing began after it."""
    around = step.operation is Operation.AGENT and guard
    over = step.ended is None and step.operation is Operation.WAIT and stood
    # What is around all of it ends when it ends: that is its length, nothing else.
    end = None if around else step.ended
    result = None if around else step.result
    return _Moment(
        act=_act(step),
        content=(step.arguments, result, step.failed, step.mode, step.holder, step.awaited, over),
        tokens=(step.tokens_in, step.tokens_out),
        at=step.started - begin,
        took=0.0 if end is None else end - step.started,
    )
