"""What telemetry is made of once it is decoded: calls and series (pure, no transport)."""

from collections.abc import Sequence
from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class History:
    """One series over a past time."""

    labels: tuple[tuple[str, str], ...]
    points: tuple[tuple[float, float], ...]
    """(seconds since 1970, value), oldest first; NaN left out."""
