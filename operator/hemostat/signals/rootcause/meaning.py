"""What a metric is about, read from its name (pure).

Metrics of any source are taken as they are called; the words below are those of Prometheus exporters, OpenTelemetry's
semantic conventions and service meshes. A metric of unknown meaning is not used, and who reads the file is told so.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from hemostat.signals.rootcause.evidence import Sign


class Direction(StrEnum):
    """Which way is trouble."""

    UP = "Up"
    DOWN = "Down"
    BOTH = "Both"


class Side(StrEnum):
    """Who measured a call."""

    CALLER = "Caller"
    CALLEE = "Callee"
    UNSAID = "Unsaid"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a metric says."""

    sign: Sign
    direction: Direction
    side: Side = Side.UNSAID
    seconds_per_unit: float | None = None
    """For durations whose unit the name tells; None otherwise."""


_WORDS: tuple[tuple[Sign, Direction, frozenset[str]], ...] = (
    (Sign.ERRORS, Direction.UP, frozenset({"error", "errors", "failed", "failure", "failures", "exceptions", "5xx"})),
    (Sign.ERRORS, Direction.DOWN, frozenset({"success", "availability"})),
    (Sign.LATENCY, Direction.UP, frozenset({"latency", "duration", "rt", "response", "own"})),
    (Sign.WORKLOAD, Direction.UP, frozenset({"restart", "restarts", "oom", "crash", "crashes", "evicted"})),
    (Sign.RESOURCE, Direction.UP, frozenset({"cpu", "memory", "mem", "heap", "throttled", "throttling", "fds"})),
    (Sign.TRAFFIC, Direction.BOTH, frozenset({"requests", "request", "calls", "workload", "rps", "qps", "ops"})),
)
"""First match wins: `request_duration_seconds` is latency, `request_errors_total` errors."""
_CALLER = frozenset({"client", "source", "caller", "outbound"})
_CALLEE = frozenset({"server", "destination", "callee", "inbound"})
_UNITS = {"s": 1.0, "seconds": 1.0, "sec": 1.0, "ms": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "ns": 1e-9}
_MACHINE = frozenset({"node", "host", "machine"})
"""A machine's metrics are not its services' own."""


def meaning(metric: str) -> Meaning | None:
    """Return what a metric of this name says, or None if the name does not tell or it is the machine's."""
    words = _split(metric)
    known = set(words)
    if known & _MACHINE:
        return None
    side = Side.CALLER if known & _CALLER else Side.CALLEE if known & _CALLEE else Side.UNSAID
    unit = next((_UNITS[w] for w in reversed(words) if w in _UNITS), None)
    for sign, direction, among in _WORDS:
        if known & among:
            return Meaning(sign, direction, side, unit if sign is Sign.LATENCY else None)
    return None


def stem(metric: str) -> str:
    """Return what the two measures of a call have in common in their names: all but the side and the unit."""
    return "_".join(w for w in _split(metric) if w not in _CALLER | _CALLEE and w not in _UNITS)


def _split(metric: str) -> list[str]:
    """Return the lower-case words of snake_case, dotted and CamelCase names."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric[:256]).lower())
