"""Which series has which row of a bank."""

from collections.abc import Hashable, Sequence

import numpy as np

from hemostat.signals.detectors.base import Rows


class SeriesTable:
    """Gives series rows, at most `capacity` at once; a series that was silent for long loses its row.

    Series are known by the hash of their key, 64 bits that nobody can foretell: a key may be megabytes of labels. Among
    10,000 series two share a row once in a hundred thousand million runs.

    :param capacity: rows of the bank.
    :param silent_seconds: how long a series may be missing before its row is given to another.
    """

    def __init__(self, capacity: int, silent_seconds: float = 3600.0) -> None:
        self.capacity = capacity
        self.dropped = 0
        """How often a series was not judged because the bank was full."""
        self._silent = silent_seconds
        self._row: dict[int, int] = {}
        """By hash of the key."""
        self._seen = np.zeros(capacity)
        self._free = list(range(capacity - 1, -1, -1))
        self._next_look = -np.inf

    def __len__(self) -> int:
        return len(self._row)

    def rows(self, keys: Sequence[Hashable], now: float) -> tuple[Rows, Rows]:
        """Return the row of each series (-1: no room), and the rows to `forget` before they are used again.

        :param keys: identities of the series, for example their sorted labels.
        :param now: seconds; only differences matter.
        """
        due = now >= self._next_look or now < self._next_look - self._silent  # the second: the clock was set back
        freed = self._expire(now) if due else np.empty(0, np.int64)
        found = np.fromiter((self._one(key) for key in keys), np.int64, len(keys))
        self._seen[found[found >= 0]] = now
        self.dropped += int(np.count_nonzero(found < 0))
        return found, freed

    def _one(self, key: Hashable) -> int:
        name = hash(key)
        row = self._row.get(name, -1)
        if row < 0 and self._free:
            row = self._row[name] = self._free.pop()
        return row

    def _expire(self, now: float) -> Rows:
        """Free rows that were silent for too long; looked for a few times per period, it costs a pass over all."""
        self._next_look = now + self._silent / 8
        gone = [(key, row) for key, row in self._row.items() if now - self._seen[row] > self._silent]
        for key, row in gone:
            del self._row[key]
            self._free.append(row)
        return np.array([row for _, row in gone], np.int64)
