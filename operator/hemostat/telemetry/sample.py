"""What telemetry is made of once it is decoded: calls and series (pure, no transport)."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import overload


@dataclass(frozen=True, slots=True)
class Call:
    """One outgoing call as its caller saw it."""

    trace_id: str
    """32 hex digits."""
    caller: str
    """`service.name` of the caller."""
    callee: str
    """`peer.service`, else the first label of `server.address`."""
    seconds: float
    """Duration, never negative."""
    failed: bool
    """Status ERROR (for HTTP clients: 4xx, 5xx and no reply)."""


@dataclass(frozen=True, slots=True)
class Series:
    """One element of an instant vector."""

    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An instant vector."""

    series: Sequence[Series]
    left_out: int = 0
    """Series beyond those that were kept."""
    warnings: tuple[str, ...] = ()
    """Why it is not whole, in Prometheus' words; short lines."""


class Points(Sequence[tuple[float, float]]):
    """Pairs of numbers in 16 bytes each; as tuples they take 112."""

    __slots__ = ("_flat",)

    def __init__(self, points: Iterable[tuple[float, float]]) -> None:
        self._flat = array("d", chain.from_iterable(points))

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self._flat) // 2

    def __iter__(self) -> Iterator[tuple[float, float]]:
        numbers = iter(self._flat)
        return zip(numbers, numbers, strict=True)

    @overload
    def __getitem__(self, at: int) -> tuple[float, float]: ...
    @overload
    def __getitem__(self, at: slice) -> "Points": ...
    def __getitem__(self, at: int | slice) -> "tuple[float, float] | Points":
        if isinstance(at, slice):
            return Points(tuple(self)[at])
        return self._flat[2 * at], self._flat[2 * at + 1]


@dataclass(frozen=True, slots=True)
class History:
    """One series over a past time."""

    labels: tuple[tuple[str, str], ...]
    points: Sequence[tuple[float, float]]
    """(seconds since 1970, value), oldest first; NaN left out."""
