"""What steps have in common gets a number: who did what to whom (pure)."""

from collections import OrderedDict
from operator import attrgetter
from typing import Any, NamedTuple

from hemostat.telemetry.steps import Operation, Step

MAX_SYMBOLS = 65_535


class Symbol(NamedTuple):
    """An operation of an agent on a peer, whatever its arguments."""

    service: str
    agent: str
    """Name of the agent; empty where the span names none: then the service is all that is known."""
    operation: Operation
    peer: str
    provider: str = ""


_OF = attrgetter(*Symbol._fields)


class Symbols:
    """Numbers for symbols, from 1 on; when all are taken, the one that was not seen for longest gives way."""

    def __init__(self, most: int = MAX_SYMBOLS) -> None:
        self._most = most
        self._numbers: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._by_number: dict[int, Symbol] = {}

    def number(self, step: Step) -> int:
        """Return the number of the step's symbol."""
        what = _OF(step)  # a plain tuple is found as well, and made faster
        known = self._numbers.get(what)
        if known is not None:
            self._numbers.move_to_end(what)
            return known
        if len(self._numbers) < self._most:
            new = len(self._numbers) + 1
        else:
            _, new = self._numbers.popitem(last=False)
        self._by_number[new] = symbol = Symbol(*what)
        self._numbers[symbol] = new
        return new

    def of(self, number: int) -> Symbol | None:
        """Return the symbol of a number, if it still has it."""
        return self._by_number.get(number)
