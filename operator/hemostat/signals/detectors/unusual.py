"""`Unusual`: the default detector. Robust, seasonal, learns on line, needs no training set.

Two questions are asked of a series, both about its own past, and the louder answer counts:

- **Was it ever like this lately?** The series is cut into blocks. The last 2, 4 and 8 block means are compared with
  every earlier window that is remembered; the distance to the nearest one (the left discord of the matrix profile,
  Yeh et al. 2016, on block means) is small when the past repeats, whatever its seasons are, and no season has to be
  known. How much larger than usual it is, is counted in standard deviations of the logarithm of these distances.
- **Was it ever so high or so low?** How far a value lies beyond all that is remembered, in shares of the range.

What is louder than `FAMILIAR` must also exceed the worst distance that is remembered, or the spread of the extremes:
a series that has bursts by itself is not unusual for having one. Values outside the range are not learned until they
have stayed for `ACCEPT_BLOCKS`: a level that stays becomes usual. unusual_state.py has the numbers.
"""

import numpy as np
from numpy.typing import NDArray

from hemostat.api.watch import Direction, Sensitivity
from hemostat.signals.detectors.base import Floats, Rows, Verdicts, nothing_said
from hemostat.signals.detectors.unusual_kernel import step
from hemostat.signals.detectors.unusual_state import FIRST, STATE

PROBATION_BLOCKS = FIRST
"""A series is judged after as many blocks as this."""
LIMITS = {Sensitivity.LOW: 6.0, Sensitivity.MEDIUM: 4.5, Sensitivity.HIGH: 3.0}
"""Surprise that is wrong: standard deviations of log distance, or as many units beyond the range."""
_SIGN = {Direction.UP: 1, Direction.DOWN: -1, Direction.BOTH: 0}


class Unusual:
    """A bank of default detectors; see the module for what they do.

    :param capacity: rows; memory is touched only where rows are used, `bytes_per_series` each.
    :param probation_seconds: how long a series is learned before it is judged. Its 60th part is the length of a
        block, and 12 times it is remembered: 2 h remember a day.
    :param sensitivity: how unusual is wrong.
    :param direction: which way is wrong.
    """

    bytes_per_series = STATE.itemsize

    def __init__(
        self,
        capacity: int,
        probation_seconds: float = 7200.0,
        sensitivity: Sensitivity = Sensitivity.MEDIUM,
        direction: Direction = Direction.BOTH,
    ) -> None:
        self._block_seconds = probation_seconds / PROBATION_BLOCKS
        self._limit = LIMITS[sensitivity]
        self._sign = _SIGN[direction]
        self._state: NDArray[np.void] = np.zeros(capacity, STATE)

    def step(self, rows: Rows, values: Floats, now: float) -> Verdicts:
        """Take in one instant vector and judge it.

        :param rows: row of each series, -1 for none; each row at most once.
        :param values: value of each series; NaN and infinity are no evidence.
        :param now: time of the vector in seconds; a vector that is not newer than the last one is not learned.
        """
        wrong, out = nothing_said(len(rows))
        step(self._state, rows, values, now, self._block_seconds, self._limit, self._sign, wrong, out)
        surprise, expected, low, high = out
        return Verdicts(wrong, 1.0 - np.exp2(-surprise / self._limit), expected, low, high)

    def forget(self, rows: Rows) -> None:
        """Make these rows new, before they are given to other series."""
        self._state[rows] = np.zeros(1, STATE)
