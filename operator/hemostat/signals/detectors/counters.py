"""Cumulative counters to rates, for recorded data; from Prometheus a counter comes as `rate(...)` already."""

import numpy as np

from hemostat.signals.detectors.base import Floats, Rows


class Counters:
    """Turns a vector of counters into rates per second.

    A counter that falls was reset to 0 and has counted up to its value since, as Prometheus takes it.

    :param capacity: rows.
    :param longest_seconds: a rate over a longer gap says nothing about now and is left out.
    """

    def __init__(self, capacity: int, longest_seconds: float = 600.0) -> None:
        self._longest = longest_seconds
        self._value = np.zeros(capacity)
        self._time = np.full(capacity, -np.inf)

    def step(self, rows: Rows, values: Floats, now: float) -> Floats:
        """Return the rate of each series since its last sample; NaN when there is none.

        :param rows: row of each series, -1 for none; each row at most once.
        """
        rates = np.full(len(rows), np.nan)
        # A negative or infinite count is no count.
        usable = np.flatnonzero((rows >= 0) & (rows < len(self._value)) & np.isfinite(values) & (values >= 0))
        row, value = rows[usable], values[usable]
        elapsed = now - self._time[row]
        before = self._value[row]
        timely = (elapsed > 0) & (elapsed <= self._longest)
        rise = np.where(value >= before, value - before, value)
        with np.errstate(over="ignore"):  # two samples all but at once, or counts near the largest number
            rate = rise[timely] / elapsed[timely]
        rates[usable[timely]] = np.where(np.isfinite(rate), rate, np.nan)
        learn = (elapsed > 0) | (elapsed < -self._longest)  # late is left out; far back is a clock that was set
        self._value[row[learn]] = value[learn]
        self._time[row[learn]] = now
        return rates

    def forget(self, rows: Rows) -> None:
        """Make these rows new, before they are given to other series."""
        self._time[rows] = -np.inf
