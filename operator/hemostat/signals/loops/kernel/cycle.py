"""Does a conversation go round in circles? The shortest period of its last steps, and what a round brought (compiled).

A cycle is one of deeds: tools, agents, hand-overs. What models say between them, in other words every time, only
counts where there are no deeds for a while. Steps that come less than half as often as the newest, or are of one kind
that comes in between out of step, are noise and passed over, so that a cycle is seen through it. (Beside the most
frequent step nothing would be left of a round in which one comes three times.) Of what is left the smallest period
whose rounds agree is taken: position by position, as the failure function of Knuth, Morris and Pratt (1977) would find
it on the reversed tail, for all periods up to `LONGEST` at once.

A result that differs from the one of the round before is progress: what came before it is not counted.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.compiled import compiled, part
from hemostat.signals.loops.kernel.ring import (
    CLOSE,
    DIFFERENT,
    EXACT,
    FAILED,
    KNOWN,
    PARTS,
    RECEIPTS,
    REWORDED,
    SAME,
    STEPS,
    TRANSIENT,
    is_word,
    push,
)

WORKS = 2
"""Operations below it are work; those above last as long as what they contain, or wait."""
LONGEST = 13
"""Steps of the longest cycle that is looked for: three rounds of it are kept. Where hand-overs and the turns they lead
to are both told, a ring of six agents has twelve."""
ROUNDS = 3
"""Rounds from which on a cycle is told."""
CLEAN = 0.7
"""Share of the deeds in a cycle's span that must belong to it."""
WORDS = 3
"""Words in a row, with no deed between, from which on words count as deeds."""
PAUSE_SECONDS = 5.0
"""From the beginning of a step to that of the next: from then on it paused, if it did not work meanwhile."""

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
        ("receipts", "i4"),
        ("failed", "i4"),
        ("transient", "i4"),
        ("tokens", "i8"),
        ("busy", "f8"),
        ("overlap", "i4"),
        ("pauses", "i4"),
        ("began", "f8"),
        ("ended", "f8"),
        ("early_pause", "f8"),
        ("late_pause", "f8"),
        ("symbols", "u2", LONGEST),
        ("classes", "u2", LONGEST),
    ]
)
"""A cycle. Of its `steps` (rounds after the first): how many were of what kind. `span`: steps back to its first, with
all between. `busy`: seconds in which any step of it ran. `overlap`: steps that were not over when the same one of the
next round began. `pauses`: steps that began long after the one before. `early_pause`, `late_pause`: seconds in which
nothing worked, a round, in the older and in the newer half."""


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
    """Find the shortest cycle that ends with the newest step: of all, or of all but one kind that comes in between."""
    size = min(talk.count, STEPS)
    newest = talk.steps[(talk.count - 1) % STEPS]
    words = _only_words(talk, size)
    if not words and is_word(newest.operation):
        return False
    often = _times(talk, newest.class_, size)
    if often < ROUNDS:
        return False
    if _round(talk, words, 0, often, found):
        return True
    for back in range(1, min(size, LONGEST + 2)):
        noise = talk.steps[(talk.count - 1 - back) % STEPS].class_
        if noise != newest.class_ and _round(talk, words, noise, often, found):
            return True
    return False


@part
def _round(talk: Any, words: Any, noise: int, often: int, found: Any) -> bool:
    """Find the shortest cycle of the steps that are neither rare, where the newest comes so `often`, nor of the class
    `noise`.
    """
    size = min(talk.count, STEPS)
    kept = np.empty(STEPS, np.int64)
    deeds = np.zeros(STEPS + 1, np.int64)
    n = 0
    for back in range(size):
        entry = talk.steps[(talk.count - 1 - back) % STEPS]
        counts = words or not is_word(entry.operation)
        deeds[back + 1] = deeds[back] + counts
        if counts and entry.class_ != noise and 2 * _times(talk, entry.class_, size) >= often:
            kept[n] = back
            n += 1
    for period in range(1, LONGEST + 1):
        agree = 0
        while agree + period < n and _class(talk, kept[agree]) == _class(talk, kept[agree + period]):
            if _flags(talk, kept[agree]) & DIFFERENT:
                break
            agree += 1
        if agree < (ROUNDS - 1) * period:
            continue
        length = agree + period
        if length < CLEAN * deeds[kept[length - 1] + 1] or (noise and _in_step(talk, kept, length, noise, period)):
            continue
        _describe(talk, kept, period, agree, found)
        return True
    return False


@part
def _in_step(talk: Any, kept: Any, length: int, noise: int, period: int) -> bool:
    """Tell whether what was taken for noise comes once a round, at its place: then it is a part of the cycle."""
    since = -1
    i = 0
    for back in range(kept[length - 1] + 1):
        if i < length and kept[i] == back:
            i += 1
        elif _class(talk, back) == noise:
            if since >= 0 and i - since != period:
                return False
            since = i
    return True


@part
def _only_words(talk: Any, size: int) -> bool:
    if size < WORDS:
        return False
    for back in range(WORDS):  # noqa: SIM110 - numba compiles no generators
        if not is_word(talk.steps[(talk.count - 1 - back) % STEPS].operation):
            return False
    return True


@part
def _class(talk: Any, back: int) -> int:
    return int(talk.steps[(talk.count - 1 - back) % STEPS].class_)


@part
def _flags(talk: Any, back: int) -> int:
    return int(talk.steps[(talk.count - 1 - back) % STEPS].flags)


@part
def _times(talk: Any, class_: int, size: int) -> int:
    times = 0
    for i in range(size):
        times += talk.steps[i].class_ == class_
    return times


@part
def _describe(talk: Any, kept: Any, period: int, agree: int, found: Any) -> None:
    found.period = period
    found.rounds = agree // period + 1
    found.steps = agree
    found.span = kept[agree + period - 1] + 1
    found.known = found.exact = found.reworded = found.same = 0
    found.failed = found.transient = found.receipts = 0
    for i in range(agree):
        flags = _flags(talk, kept[i])
        found.known += (flags & KNOWN) != 0
        found.exact += (flags & EXACT) != 0
        found.reworded += (flags & REWORDED) != 0
        found.same += (flags & SAME) != 0
        found.receipts += (flags & RECEIPTS) != 0
        found.failed += (flags & FAILED) != 0
        found.transient += (flags & TRANSIENT) != 0
    for i in range(period):
        entry = talk.steps[(talk.count - 1 - kept[period - 1 - i]) % STEPS]
        found.symbols[i] = entry.symbol
        found.classes[i] = entry.class_
    _time(talk, kept, period, agree + period, found)


@part
def _time(talk: Any, kept: Any, period: int, length: int, found: Any) -> None:
    """When the cycle ran, how much of that time it was busy, how long its rounds paused. Newest end first."""
    first = talk.steps[(talk.count - 1 - kept[length - 1]) % STEPS]
    until, busy, low = first.start, 0.0, 1e30
    later = talk.steps[(talk.count - 1) % STEPS].start
    found.tokens = found.pauses = 0
    for back in range(kept[length - 1] + 1):
        entry = talk.steps[(talk.count - 1 - back) % STEPS]
        end = entry.start + entry.took
        found.pauses += later - entry.start >= PAUSE_SECONDS
        later = entry.start
        if entry.operation < WORKS:
            busy += max(0.0, min(end, low) - entry.start)
            low = min(low, entry.start)
            until = max(until, end)
        busy += entry.thought / PARTS
        found.tokens += entry.tokens
    found.overlap = 0
    for i in range(length):
        entry = talk.steps[(talk.count - 1 - kept[i]) % STEPS]
        until = max(until, entry.start + entry.took)
        if i + period < length:
            before = talk.steps[(talk.count - 1 - kept[i + period]) % STEPS]
            found.overlap += entry.start < before.start + before.took - CLOSE
    found.began = talk.origin + first.start
    found.ended = talk.origin + until
    found.busy = busy
    rounds = length // period
    half = rounds // 2
    found.late_pause = _idle(talk, kept[0], kept[half * period]) / half
    found.early_pause = _idle(talk, kept[half * period], kept[(rounds - 1) * period]) / (rounds - 1 - half)


@part
def _idle(talk: Any, new: int, old: int) -> float:
    """Return the seconds without work from the beginning of one step to that of a newer one; both as steps back."""
    low = talk.steps[(talk.count - 1 - new) % STEPS].start
    idle = low - talk.steps[(talk.count - 1 - old) % STEPS].start
    for back in range(new, old + 1):
        entry = talk.steps[(talk.count - 1 - back) % STEPS]
        if back < old:
            idle -= entry.thought / PARTS
        if back > new and entry.operation < WORKS:
            idle -= max(0.0, min(entry.start + entry.took, low) - entry.start)
            low = min(low, entry.start)
    return float(idle)
