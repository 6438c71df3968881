"""Sums over a rolling time, in cells (pure)."""

from array import array


class Cells:
    """Sums over the last cells of time; a clock that is set back adds to the newest."""

    def __init__(self, seconds: float, count: int) -> None:
        self.seconds = seconds
        self._sums = array("d", bytes(8 * count))
        self._newest = 0
        self._ends = 0.0
        """When the newest cell is over."""

    def add(self, amount: float, now: float) -> None:
        """Add to the present cell."""
        if now >= self._ends:
            self._advance(now)
        self._sums[self._newest % len(self._sums)] += amount

    def last(self, seconds: float, now: float) -> list[float]:
        """Return the cells of the last so many seconds, oldest first, the present one included.

        Of the oldest one only as much counts as is not too long ago, as if it had been filled evenly.
        """
        self._advance(now)
        n = min(len(self._sums), 1 + round(seconds / self.seconds))
        found = [self._sums[i % len(self._sums)] for i in range(self._newest - n + 1, self._newest + 1)]
        found[0] *= max(0.0, self._newest + 1 - now / self.seconds)
        return found

    def _advance(self, now: float) -> None:
        at = int(now // self.seconds)
        if at <= self._newest:
            return
        size = len(self._sums)
        for i in range(max(self._newest + 1, at - size + 1), at + 1):
            self._sums[i % size] = 0.0
        self._newest = at
        self._ends = (at + 1) * self.seconds
