"""Room for the answers of Prometheus, in bytes (pure)."""

import sys
from collections.abc import Iterable

from hemostat.telemetry.sample import History, Series

MAX_BYTES = 64 << 20
"""What all answers take together."""
SHARE = 4
"""An answer may take one fourth of what the others leave: large ones crowd out nobody."""


class Room:
    """Counts what is kept. Not thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.free = max_bytes

    def fit(self, held: int, sizes: Iterable[int]) -> tuple[int, int]:
        """Give back what was held, and take room for as many things as fit; return their number and bytes."""
        self.free += held
        most, count, used = self.free // SHARE, 0, 0
        for size in sizes:
            if used + size > most:
                break
            count, used = count + 1, used + size
        self.free -= used
        return count, used


def size_of(series: Series) -> int:
    """Return the bytes that a series takes: its texts, and what holds them together."""
    return 200 + sum(72 + sys.getsizeof(name) + sys.getsizeof(value) for name, value in series.labels)


def size_of_past(past: Iterable[History]) -> int:
    """Return the bytes that histories take: 16 a point."""
    return sum(size_of(Series(one.labels, 0.0)) + 16 * len(one.points) for one in past)
