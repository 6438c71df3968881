"""Adding up counters by group (compiled): in numpy every step of it is a copy of them all."""

import numpy as np

from hemostat.compiled import compiled
from hemostat.telemetry.kernel.tables import COLUMNS


@compiled
def add_up(keys: np.ndarray, counts: np.ndarray, of: np.ndarray, hits: np.ndarray) -> None:
    """Add counters to those of their series' group.

    :param keys: places of the counters, `series * COLUMNS + column` (int32), and `counts` what they are (int32).
    :param of: group by series, -1 for none (int64).
    :param hits: counters, one row a group (int64).
    """
    for i in range(keys.shape[0]):
        group = of[keys[i] // COLUMNS]
        if group >= 0:
            hits[group, keys[i] % COLUMNS] += counts[i]
