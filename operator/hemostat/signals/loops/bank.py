"""Every open conversation in bounded memory: steps in, cycles out (pure; not for several threads at once)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from struct import Struct
from typing import Any

import numpy as np

from hemostat.signals.loops.kernel.cycle import FOUND, take
from hemostat.signals.loops.kernel.follow import follow
from hemostat.signals.loops.kernel.ring import CONVERSATION, DONE, FAILED, SKETCH, STEP, TRANSIENT
from hemostat.signals.loops.recent import shed
from hemostat.signals.loops.symbols import MAX_SYMBOLS, Symbol, Symbols
from hemostat.signals.loops.trail import Did, Name, did
from hemostat.telemetry.steps import RECEIPT, Failure, Operation, Step

IDLE_SECONDS = 1800.0
"""A conversation in which nothing happened for so long is over."""
_OPERATIONS = {operation: number for number, operation in enumerate(Operation)}
_TRANSIENT = frozenset({Failure.RATE_LIMITED, Failure.UNAVAILABLE, Failure.TIMEOUT})
_FAILURES = {failure: number for number, failure in enumerate(Failure, 1)}
_FLAGS = {f: (f is not Failure.NONE) * FAILED | (f in _TRANSIENT) * TRANSIENT for f in Failure}
_LOW = 0xFFFFFFFF
Talk = tuple[str, str]
"""Tenant and conversation."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A conversation that went round the same steps at least three times and gained nothing, as its newest step showed.

    Rounds are counted from the last result that differed. Counts are of `steps`, the steps of all rounds but the first;
    times are seconds since 1970.
    """

    step: Step
    """The newest step."""
    symbols: tuple[Symbol, ...]
    """One round, oldest first."""
    rounds: int
    span: int
    """Steps from the first of it to the newest, with those between: inferences, and what does not belong to it."""
    steps: int
    known: int
    """What they asked was sent."""
    exact: int
    reworded: int
    same: int
    """Their results were those of the round before; of the others none is known."""
    receipts: int
    """Their results, and those of the round before, only say that it was done."""
    failed: int
    transient: int
    """They failed as overloaded services do."""
    tokens: int
    busy: float
    """Seconds in which a model or a tool worked."""
    overlap: int
    """Steps that were not over when the same one of the next round began."""
    pauses: int
    """Steps that began at least `PAUSE_SECONDS` after the one before, of all in its span."""
    began: float
    ended: float
    early_pause: float
    """Seconds in which nothing worked, a round: in the older half of the rounds."""
    late_pause: float
    """In the newer half."""

    @property
    def agents(self) -> tuple[str, ...]:
        """Who goes round, in order of appearance."""
        return tuple(dict.fromkeys(s.agent for s in self.symbols))


class Bank:
    """The last steps of up to `conversations` conversations; the one that was silent for longest gives way."""

    def __init__(self, conversations: int = 100_000, symbols: int = MAX_SYMBOLS) -> None:
        self._talks = np.zeros(conversations, CONVERSATION)
        self._free = conversations
        self._slots: dict[int, int] = {}
        """Rows by the hash of tenant and conversation, 64 bits of SipHash with a secret of this process: names would
        take a third as much room as rows do. The one that was silent for longest is the first."""
        self._released: list[int] = []
        self._symbols = Symbols(symbols)
        self.displaced = 0
        """Conversations that gave way while they were still going on."""

    def __len__(self) -> int:
        return len(self._slots)

    def warm(self) -> None:
        """Have everything compiled, or fetched from the cache."""
        take(self._talks, np.empty(0, STEP), 0.0, np.empty(0, FOUND))
        follow(np.zeros(2, CONVERSATION), 0, 1, 0.0)

    def take(self, steps: Sequence[Step], now: float) -> list[Cycle]:
        """Take ended steps in, in order; return the cycles that they closed."""
        wait = Operation.WAIT
        ended = [s for s in steps if s.ended is not None and s.operation is not wait]
        if not ended:
            return []
        rows = np.frombuffer(bytearray().join(map(self._row, ended)), STEP)
        found = np.empty(len(ended), FOUND)
        n = take(self._talks, rows, now, found)
        return [c for row in found[:n].tolist() if (c := self._cycle(ended[row[0]], row)) is not None]

    def join(self, old: Talk, new: Talk, now: float) -> None:
        """Put what is remembered of one conversation behind the other, of which it turned out to be a part."""
        slot = self._slots.pop(hash(old), -1) if old != new else -1
        if slot < 0:
            return
        into = self._slots.pop(hash(new), -1)
        if into >= 0:
            follow(self._talks, slot, into, now)
            self._released.append(slot)
        self._slots[hash(new)] = into if into >= 0 else slot

    def trail(self, tenant: str, conversation: str, name: Name) -> tuple[Did, ...]:
        """Return the last steps of a conversation, as far as they are remembered.

        :param name: gives the agent of a service that is one agent's alone.
        """
        slot = self._slots.get(hash((tenant, conversation)))
        return did(self._talks[slot], self._symbols.of, name) if slot is not None else ()

    def sweep(self, now: float) -> None:
        """Forget conversations that are over."""
        seen = self._talks["seen"]
        over = list(takewhile(lambda item: now - float(seen[item[1]]) >= IDLE_SECONDS, self._slots.items()))
        for key, slot in over:
            del self._slots[key]
            self._released.append(slot)

    def _row(self, step: Step) -> bytes:
        """Return a step as `STEP` has it."""
        slot, first = self._slot(hash((step.tenant, step.conversation)))
        return _PACKED(
            slot,
            _short(step.arguments),
            _short(step.about),
            self._symbols.number(step),
            _result(step),
            step.started,
            step.ended,
            min(step.tokens_in + step.tokens_out, _LOW),
            _OPERATIONS[step.operation],
            _FLAGS[step.failed],
            first,
            step.sketch,
        )

    def _slot(self, key: int) -> tuple[int, bool]:
        slot = self._slots.pop(key, -1)
        first = slot < 0
        if first:
            slot = self._new()
        self._slots[key] = slot
        return slot, first

    def _new(self) -> int:
        if self._released:
            return self._released.pop()
        if self._free:
            self._free -= 1
            return self._free
        self._released = shed(self._slots, len(self._talks) - 1)
        self.displaced += len(self._released)
        return self._released.pop()

    def _cycle(self, step: Step, found: Sequence[Any]) -> Cycle | None:
        """Return a cycle that a row of `FOUND` tells of."""
        period = found[_PERIOD]
        symbols = tuple(s for n in found[_SYMBOLS][:period] if (s := self._symbols.of(n)) is not None)
        return Cycle(step, symbols, *found[_COUNTS]) if len(symbols) == period else None


_PACKED = Struct(f"<qIIHHddIBBB{SKETCH}s").pack
"""The fields of `STEP`."""
_FOUND = FOUND.names or ()
_PERIOD, _SYMBOLS = _FOUND.index("period"), _FOUND.index("symbols")
_COUNTS = slice(_FOUND.index("rounds"), _SYMBOLS)
"""The fields of `Cycle` from `rounds` on, in its order."""


def _short(digest: int | None) -> int:
    """Return 32 bits that are not 0; 0 for none."""
    return 0 if digest is None else (digest & _LOW) or 1


def _result(step: Step) -> int:
    """Return 16 bits that are not 0; 0 for none. What failed and says nothing has its failure for a result."""
    if step.result is None:
        return 0 if step.failed is Failure.NONE else _FAILURES[step.failed]
    return DONE if step.result == RECEIPT else min(DONE - 1, step.result & 0xFFFF or 1)
