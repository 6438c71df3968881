"""What every bank of detectors takes and says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Row of the bank per series; -1 for a series that has none (see `SeriesTable`)."""
Floats = NDArray[np.float64]

UNKNOWN, RIGHT, WRONG = -1, 0, 1
LARGEST = 1e30
"""Values are clipped to this, so that squares and 32-bit floats stay finite."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a bank says of one instant vector; all arrays have its length and order."""

    wrong: NDArray[np.int8]
    """WRONG, RIGHT, or UNKNOWN: still learning, no usable sample, or a sample that is not newer than the last."""
    score: Floats
    """How unusual, 0 to 1; wrong from 0.5 on. 0 when unknown."""
    expected: Floats
    """What the series was expected to be now; NaN when unknown."""
    low: Floats
    """Lower end of the expected band; NaN when unknown."""
    high: Floats
    """Upper end of the expected band; NaN when unknown."""

    def known(self, position: int) -> bool | None:
        """Return whether the series at this position is wrong; None is no evidence, as in `Observation.wrong`."""
        word = int(self.wrong[position])
        return None if word == UNKNOWN else word == WRONG


def nothing_said(series: int, columns: int = 4) -> tuple[NDArray[np.int8], Floats]:
    """Return room for the verdicts on so many series, none given yet: the words, and the numbers as rows."""
    numbers = np.full((columns, series), np.nan)
    numbers[0] = 0.0
    return np.full(series, UNKNOWN, np.int8), numbers
