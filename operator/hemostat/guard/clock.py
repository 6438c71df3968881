"""Time as a dependency, in this package's own words: it shares no module with the operator."""

from typing import Protocol


class Clock(Protocol):
    """What is asked of the standard library's `time` module, which is the clock unless a test gives another."""

    def time_ns(self) -> int:
        """Return Unix nanoseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...


def unix(clock: Clock) -> float:
    """Return Unix seconds."""
    return clock.time_ns() / 1e9


def unix_of(clock: Clock, moment: float) -> float:
    """Return Unix seconds of a moment of the monotonic clock."""
    return unix(clock) + moment - clock.monotonic()
