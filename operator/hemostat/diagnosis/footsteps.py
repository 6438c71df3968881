"""What agents did last, in sentences: the order of their steps, each distinct one with its counts, what is open (pure).

Nothing of what they said is in it, for nothing is kept of it: whether it was the same is all that can be told.
"""

from collections.abc import Sequence
from string import ascii_uppercase

from hemostat.api.incident import EvidenceKind
from hemostat.diagnosis.evidence import Item
from hemostat.signals.loops.trail import Did, Trail, Waits
from hemostat.signals.words import amount, counted, duration

MAX_DISTINCT = 5
"""Distinct steps of a conversation that become evidence, the most frequent first."""
MAX_WAITS = 2
"""Open ones, those that are open for longest."""


def footsteps(trail: Trail, now: float) -> list[Item]:
    """Return the last steps of a conversation as evidence: at most 8 items.

    :param now: seconds since 1970.
    """
    by_sort: dict[int, list[Did]] = {}
    for step in trail.done:
        by_sort.setdefault(step.sort, []).append(step)
    names = {sort: ascii_uppercase[n] if n < len(ascii_uppercase) else "?" for n, sort in enumerate(by_sort)}
    found = [_order(trail, [names[s.sort] for s in trail.done], len(by_sort))] if trail.done else []
    often = sorted(by_sort, key=lambda sort: -len(by_sort[sort]))[:MAX_DISTINCT]
    found += [_distinct(trail, names[sort], by_sort[sort], now) for sort in often]
    return found + [_open(trail, one, now) for one in trail.open[:MAX_WAITS]]


def _order(trail: Trail, letters: Sequence[str], distinct: int) -> Item:
    tokens = sum(s.tokens for s in trail.done)
    text = (
        f"conversation {trail.conversation}: its last {counted(len(letters), 'step')}, of {counted(distinct, 'kind')}, "
        f"in their order: {' '.join(letters)}; {counted(tokens, 'token')}"
    )
    return Item(f"steps/{trail.conversation}", EvidenceKind.STEP, trail.conversation, text)


def _distinct(trail: Trail, letter: str, same: Sequence[Did], now: float) -> Item:
    first, last = same[0], same[-1]
    failed = sum(s.failed for s in same)
    parts = [
        f"{letter}: {first.agent} -> {first.peer} ({first.operation}), {len(same)} of {len(trail.done)} steps",
        _repeated("arguments", [s.asked for s in same]),
        _repeated("result", [s.result for s in same]),
        f"{failed} failed" if failed else "",
        counted(sum(s.tokens for s in same), "token"),
        f"{amount(1000 * sorted(s.took for s in same)[len(same) // 2], 'ms')} each",
        f"last {duration(max(0.0, now - last.ended))} ago",
    ]
    key = f"step/{trail.conversation}/{letter}/{first.operation}/{first.agent}->{first.peer}"
    subject = f"{first.agent} -> {first.peer}"
    return Item(key, EvidenceKind.STEP, subject, f"conversation {trail.conversation}, {', '.join(filter(None, parts))}")


def _repeated(what: str, numbers: Sequence[int]) -> str:
    known = {n for n in numbers if n}
    if not known:
        return f"{what} not told"
    if len(known) == 1:
        return f"the same {what} each time" if len(numbers) > 1 else ""
    return f"{len(known)} different {what}{'' if what.endswith('s') else 's'}"


def _open(trail: Trail, one: Waits, now: float) -> Item:
    held = f", held by {one.holder}" if one.holder else ""
    text = (
        f"conversation {trail.conversation}: {one.agent} -> {one.peer} ({one.operation}) is open for "
        f"{duration(max(0.0, now - one.since))}{held}"
    )
    key = f"step/{trail.conversation}/open/{one.operation}/{one.agent}->{one.peer}"
    return Item(key, EvidenceKind.STEP, f"{one.agent} -> {one.peer}", text)
