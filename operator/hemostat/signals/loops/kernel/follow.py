"""One conversation turns out to be a part of another one: its steps are put behind that one's (compiled)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemostat.compiled import compiled, part
from hemostat.signals.loops.kernel.ring import FAILED, SKETCH, SKETCHES, STEP, STEPS, TRANSIENT, push


@compiled
def follow(talks: NDArray[np.void], old: int, new: int, now: float) -> None:
    """Put what is remembered in row `old` behind the steps in row `new`, as if it had come there."""
    steps = np.zeros(1, STEP)
    step, talk, into = steps[0], talks[old], talks[new]
    for at in range(max(0, talk.count - STEPS), talk.count):
        entry = talk.steps[at % STEPS]
        step.asked = entry.asked
        step.about = entry.about
        step.symbol = entry.symbol
        step.result = entry.result
        step.start = talk.origin + entry.start
        step.end = step.start + entry.took
        step.tokens = entry.tokens
        step.operation = entry.operation
        step.flags = entry.flags & (FAILED | TRANSIENT)
        _words(talk, entry, step)
        push(into, step, now)
        into.steps[(into.count - 1) % STEPS].thought += entry.thought


@part
def _words(talk: Any, entry: Any, step: Any) -> None:
    """Fill in the sketch of its words: the newest of its class; one that is like no other, where that is forgotten."""
    text = -1
    for back in range(1, SKETCHES + 1):
        at = (talk.sketch_at - back) % SKETCHES
        if text < 0 and talk.sketched[at] == entry.class_:
            text = at
    for i in range(SKETCH):
        step.sketch[i] = talk.sketches[text, i] if text >= 0 else (entry.asked * (2 * i + 1) >> 8) & 0xFF
