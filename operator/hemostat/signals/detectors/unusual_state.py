"""What `Unusual` remembers of a series, and the numbers of its rule."""

import numpy as np

RING = 736
"""Block means that are remembered: 12 probations."""
WINDOWS = (2, 4, 8)
"""Block means that are compared at once; each length has its own idea of the usual distance."""
LONGEST = WINDOWS[-1]
APART = 8
"""Blocks by which an earlier window must lie back: a level that stays is unusual for as long."""
SPANS = 8
"""Parts in which the extremes of the remembered time are kept, so that the oldest can be let go."""
ACCEPT_BLOCKS = 10
"""Blocks after which values outside the range are learned."""
FIRST = 60
"""Blocks before a series is judged."""
MIN_DISTANCES = 8
"""Distances before one is judged."""
SOFT = 0.1
"""Added to the deviation of the log distances: a series that repeats exactly is not unusual at the first ripple."""
GRAIN = 0.002
"""Distances below this share of the range are all alike."""
ODD = 4.0
"""That range is at most this many times what it is without its oddest span: one outlier must not blind for a day."""
SHARE = 0.05
"""The unit in which a value is beyond the range, as a share of the range."""
LEVEL_SHARE = 0.001
"""And as a share of the level, for series that hardly vary."""
FAMILIAR = 3.0
"""Surprise up to this needs no more; louder is only what exceeds the worst that is remembered."""
TAIL_BLOCKS, TAIL_SPANS = 2.0, 1.0
"""How many deviations of the extremes of blocks and of spans widen the unit beyond `FAMILIAR`: bursts of all sizes."""
FORGET = 1.0 / RING
"""How fast the worst log distance fades per block."""
LATE_BLOCKS = 10
"""A time this many blocks in the past is a clock that was set back, less is a late or repeated sample."""
LOUDEST = 1000.0

STATE = np.dtype(
    [
        ("ring", "f4", RING),
        ("lows", "f4", SPANS),
        ("highs", "f4", SPANS),
        ("origin", "f8"),
        ("last", "f8"),
        ("block", "i8"),
        ("blocks", "i8"),
        ("begun", "i4"),
        ("count", "i4"),
        ("sum", "f8"),
        ("block_low", "f8"),
        ("block_high", "f8"),
        ("new_low", "f8"),
        ("new_high", "f8"),
        ("new_blocks", "i4"),
        ("distances", "i4", len(WINDOWS)),
        ("log_mean", "f8", len(WINDOWS)),
        ("log_variance", "f8", len(WINDOWS)),
        ("log_worst", "f8", len(WINDOWS)),
        ("top", "f8"),
        ("top_variance", "f8"),
        ("bottom", "f8"),
        ("bottom_variance", "f8"),
        ("roughness", "f8"),
        ("expected", "f8"),
        ("reach", "f8"),
        ("surprise", "f8"),
    ],
    align=True,
)
"""Memory of one series. Block means and extremes are relative to its first value, which keeps 32 bits enough."""
