"""Does a conversation go round in circles? The shortest period of its last steps, and what a round brought (compiled).

Steps that are rare among the last ones are noise and passed over, so that a cycle is seen through it. Of what is left
the smallest period whose rounds agree is taken: position by position, as the failure function of Knuth, Morris and
Pratt (1977) would find it on the reversed tail, for all periods up to `LONGEST` at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.compiled import compiled, part
from hemostat.signals.loops.kernel.ring import (
    DIFFERENT,
    EXACT,
    FAILED,
    KNOWN,
    REWORDED,
    SAME,
    STEADY,
    STEPS,
    TRANSIENT,
    push,
)

WORKS = 2
"""Operations below this number are work; those above last as long as what they contain, or wait."""
LONGEST = 10
"""Steps of the longest cycle that is looked for."""
ROUNDS = 3
"""Rounds from which on a cycle is told."""
CLEAN = 0.7
"""Share of the steps in a cycle's span that must belong to it."""

FOUND = np.dtype(
    [
        ("row", "i8"),
        ("period", "i4"),
        ("rounds", "i4"),
        ("span", "i4"),
        ("steps", "i4"),
        ("known", "i4"),
        ("exact", "i4"),
        ("reworded", "i4"),
        ("same", "i4"),
        ("different", "i4"),
        ("steady", "i4"),
        ("failed", "i4"),
        ("transient", "i4"),
        ("tokens", "i8"),
        ("busy", "f8"),
        ("began", "f8"),
        ("ended", "f8"),
        ("first_gap", "f8"),
        ("last_gap", "f8"),
        ("symbols", "u4", LONGEST),
        ("classes", "u2", LONGEST),
    ]
)
"""A cycle. Of its `steps` (rounds after the first): how many were of what kind. `span`: steps back to its first, with
the noise. `busy`: seconds in which any step of it ran. The gaps are from round to round, first and last."""


@compiled
def take(talks: NDArray[np.void], steps: NDArray[np.void], now: float, found: NDArray[np.void]) -> int:
    """Take steps in, in order, at `now`; fill `found` (as long as `steps`) with the cycles that they closed.

    :return: how many.
    """
    n = 0
    for row in range(len(steps)):
        step = steps[row]
        talk = talks[step.slot]
        push(talk, step, now)
        if talk.count >= ROUNDS and _cycle(talk, found[n]):
            found[n].row = row
            n += 1
    return n


@part
def _cycle(talk: Any, found: Any) -> bool:
    """Find the shortest cycle that ends with the newest step."""
    size = min(talk.count, STEPS)
    often = _often(talk, size)
    newest = talk.steps[(talk.count - 1) % STEPS]
    if _times(talk, newest.class_, size) < ROUNDS:
        return False
    kept = np.empty(STEPS, np.int64)
    n = 0
    for back in range(size):
        at = (talk.count - 1 - back) % STEPS
        if 2 * _times(talk, talk.steps[at].class_, size) >= often:
            kept[n] = back
            n += 1
    for period in range(1, LONGEST + 1):
        agree = 0
        while agree + period < n and _class(talk, kept[agree]) == _class(talk, kept[agree + period]):
            agree += 1
        if agree < (ROUNDS - 1) * period:
            continue
        length = agree + period
        span = kept[length - 1] + 1
        if length < CLEAN * span:
            continue
        _describe(talk, kept, period, agree, found)
        return True
    return False


@part
def _class(talk: Any, back: int) -> int:
    return int(talk.steps[(talk.count - 1 - back) % STEPS].class_)


@part
def _times(talk: Any, class_: int, size: int) -> int:
    times = 0
    for i in range(size):
        times += talk.steps[i].class_ == class_
    return times


@part
def _often(talk: Any, size: int) -> int:
    """Return how often the newest step's class, or a more frequent one, is among the last steps."""
    most = 0
    for i in range(size):
        most = max(most, _times(talk, talk.steps[i].class_, size))
    return most


@part
def _describe(talk: Any, kept: Any, period: int, agree: int, found: Any) -> None:
    found.period = period
    found.rounds = agree // period + 1
    found.steps = agree
    found.span = kept[agree + period - 1] + 1
    found.known = found.exact = found.reworded = found.same = found.different = 0
    found.steady = found.failed = found.transient = 0
    found.tokens = 0
    for i in range(agree):
        entry = talk.steps[(talk.count - 1 - kept[i]) % STEPS]
        found.known += (entry.flags & KNOWN) != 0
        found.exact += (entry.flags & EXACT) != 0
        found.reworded += (entry.flags & REWORDED) != 0
        found.same += (entry.flags & SAME) != 0
        found.different += (entry.flags & DIFFERENT) != 0
        found.steady += (entry.flags & STEADY) != 0
        found.failed += (entry.flags & FAILED) != 0
        found.transient += (entry.flags & TRANSIENT) != 0
    for i in range(period):
        entry = talk.steps[(talk.count - 1 - kept[period - 1 - i]) % STEPS]
        found.symbols[i] = entry.symbol
        found.classes[i] = entry.class_
    _time(talk, kept, period, agree + period, found)


@part
def _time(talk: Any, kept: Any, period: int, length: int, found: Any) -> None:
    """When the cycle ran, how much of that time it was busy, and how long its rounds took."""
    first = talk.steps[(talk.count - 1 - kept[length - 1]) % STEPS]
    began, until, busy = first.start, first.start, 0.0
    for back in range(kept[length - 1], -1, -1):
        entry = talk.steps[(talk.count - 1 - back) % STEPS]
        end = entry.start + entry.took
        if entry.operation < WORKS:
            busy += max(0.0, end - max(until, entry.start))
            until = max(until, end)
        found.tokens += entry.tokens
    found.began = talk.origin + began
    found.ended = talk.origin + until
    found.busy = busy
    newest = talk.steps[(talk.count - 1 - kept[0]) % STEPS].start
    before = talk.steps[(talk.count - 1 - kept[period]) % STEPS].start
    second = talk.steps[(talk.count - 1 - kept[length - 1 - period]) % STEPS].start
    found.last_gap = newest - before
    found.first_gap = second - began
