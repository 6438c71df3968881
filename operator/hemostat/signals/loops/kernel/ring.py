"""What is remembered of a conversation: its last steps, in one row of an array (compiled).

Words do not take the room of deeds: what a model said right before a deed is put into the deed's entry.

A step's class says what it did, not how it was put: a step takes the class of the last one like it. Two steps are alike
if they are the same operation of the same agent on the same peer and asked the same: the same arguments, or arguments
about the same in other words; where content is not sent, the operation alone.
"""

from typing import Any

import numpy as np

from hemostat.compiled import part

STEPS = 40
"""Three rounds of the longest cycle that is looked for, and some noise."""
SKETCHES, SKETCH = 12, 16
"""Texts that can be compared by their words, and bytes of each: half of a step's sketch."""
ALIKE, ALIKE_IN_VAIN = 8, 3
"""Equal bytes of two sketches from which on they are in other words the same; and where their results are, too."""

KNOWN, EXACT, REWORDED, SAME, DIFFERENT, FAILED, TRANSIENT, RECEIPTS = 1, 2, 4, 8, 16, 32, 64, 128
"""Flags of a step. KNOWN: what it asked was sent. EXACT, REWORDED: how it is like the last of its class. SAME,
DIFFERENT: its result beside that one's; neither, where one was not sent. That it fails, or no longer does, is told
without content. RECEIPTS: both only say "done". TRANSIENT: it failed as overloaded services do."""
DONE = 0xFFFF
"""The result that only says that it was done: equal ones prove nothing (`RECEIPT` of steps)."""
CHAT, AGENT, WORKFLOW = 0, 2, 5
"""Operations, by their place in the enumeration."""
PARTS = 64
MOST_THOUGHT = 65_535
CLOSE = 0.05
"""Seconds by which two spans of one call differ."""

ENTRY = np.dtype(
    [
        ("asked", "u4"),
        ("about", "u4"),
        ("start", "f4"),
        ("took", "f4"),
        ("tokens", "u4"),
        ("thought", "u2"),
        ("symbol", "u2"),
        ("result", "u2"),
        ("class_", "u1"),
        ("operation", "u1"),
        ("flags", "u1"),
    ]
)
"""One step, 29 bytes; digests are cut and 0 where unknown, times relative to the conversation's first. `thought`:
1/`PARTS` seconds that the inference took which asked for it, whose tokens are the deed's."""
CONVERSATION = np.dtype(
    [
        ("steps", ENTRY, STEPS),
        ("sketches", "u1", (SKETCHES, SKETCH)),
        ("sketched", "u1", SKETCHES),
        ("origin", "f8"),
        ("seen", "f8"),
        ("count", "u4"),
        ("sketch_at", "u1"),
    ]
)
"""One conversation; `steps` is a ring whose newest is at `(count - 1) % STEPS`."""
STEP = np.dtype(
    [
        ("slot", "i8"),
        ("asked", "u4"),
        ("about", "u4"),
        ("symbol", "u2"),
        ("result", "u2"),
        ("start", "f8"),
        ("end", "f8"),
        ("tokens", "u4"),
        ("operation", "u1"),
        ("flags", "u1"),
        ("first", "u1"),
        ("sketch", "u1", SKETCH),
    ]
)
"""A step as it comes: FAILED and TRANSIENT are the only flags that are set. `first`: its row was another's before."""


@part
def is_word(operation: Any) -> bool:
    """Tell whether it is no deed: an inference, or what is only made of others."""
    return operation in (CHAT, WORKFLOW)


@part
def push(talk: Any, step: Any, now: float) -> None:
    """Add a step."""
    if step.first:
        talk.origin = step.start
        talk.count = 0
        talk.sketch_at = 0
        for i in range(SKETCHES):
            talk.sketched[i] = 0
    talk.seen = now
    twin = _like(talk, step)
    thought, tokens = 0, step.tokens
    newest = talk.steps[(talk.count - 1) % STEPS]
    if talk.count and is_word(newest.operation) and not is_word(step.operation):
        thought = int(min(MOST_THOUGHT, newest.took * PARTS + 0.5))
        tokens += newest.tokens
        talk.count -= 1
    at = talk.count % STEPS
    flags = step.flags | (KNOWN if step.asked or step.about else 0)
    if twin >= 0:
        old = talk.steps[twin]
        class_ = old.class_
        if step.asked and step.asked == old.asked:
            flags |= EXACT
        elif step.asked and old.asked:
            flags |= REWORDED
        if step.result and old.result:
            same = RECEIPTS if step.result == DONE else SAME
            flags |= same if step.result == old.result else DIFFERENT
        if (step.flags ^ old.flags) & FAILED:
            flags |= DIFFERENT
    else:
        class_ = _unused(talk)
    _sketch(talk, step, class_)
    new = talk.steps[at]
    new.symbol = step.symbol
    new.asked = step.asked
    new.about = step.about
    new.result = step.result
    new.start = step.start - talk.origin
    new.took = max(0.0, step.end - step.start)
    new.thought = thought
    new.tokens = tokens
    new.class_ = class_
    new.operation = step.operation
    new.flags = flags
    talk.count += 1


@part
def _unused(talk: Any) -> int:
    """Return the lowest number, from 1 on, that no remembered step has for a class; its texts are forgotten."""
    used = 0  # a bit for each: there are fewer than 64
    for at in range(min(talk.count, STEPS)):
        used |= 1 << int(talk.steps[at].class_)
    class_ = 1
    while used >> class_ & 1:
        class_ += 1
    for at in range(SKETCHES):
        if talk.sketched[at] == class_:
            talk.sketched[at] = 0
    return class_


@part
def _like(talk: Any, step: Any) -> int:
    """Return where the last step like this one is; -1 if there is none."""
    for back in range(1, min(talk.count, STEPS) + 1):
        at = (talk.count - back) % STEPS
        old = talk.steps[at]
        if old.symbol != step.symbol:
            continue
        if step.asked == 0 or old.asked == 0 or step.asked == old.asked:
            return int(at)
        if step.about != old.about:
            continue
        in_vain = step.result and step.result != DONE and step.result == old.result
        if step.about or (in_vain and step.operation == AGENT) or _alike(talk, old.class_, step, in_vain):
            return int(at)
    return -1


@part
def _alike(talk: Any, class_: int, step: Any, in_vain: Any) -> bool:
    """Compare the words with those of the class that are remembered."""
    for back in range(1, SKETCHES + 1):
        at = (talk.sketch_at - back) % SKETCHES
        if talk.sketched[at] == class_:
            equal = 0
            for i in range(SKETCH):
                equal += talk.sketches[at, i] == step.sketch[i]
            if equal >= (ALIKE_IN_VAIN if in_vain else ALIKE):
                return True
    return False


@part
def _sketch(talk: Any, step: Any, class_: int) -> None:
    if step.asked == 0:
        return
    at = talk.sketch_at
    for i in range(SKETCH):
        talk.sketches[at, i] = step.sketch[i]
    talk.sketched[at] = class_
    talk.sketch_at = (at + 1) % SKETCHES
