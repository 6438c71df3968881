"""Detectors of series: pure, vectorised over all series of a signal, one instant vector at a time.

One design for all of them. A *bank* holds the state of many series in preallocated arrays; `step` takes the rows,
values and time of one instant vector and returns `Verdicts`; nothing is ever fetched twice. A `SeriesTable` knows
which series has which row:

    table, bank = SeriesTable(10_000), Unusual(10_000)
    rows, freed = table.rows([series.labels for series in vector], now)
    bank.forget(freed)
    verdicts = bank.step(rows, values, now)        # verdicts.known(i): wrong, right or no evidence (None)

- `Unusual`: the default. Robust, seasonal, learns on line (unusual.py says how).
- `ChangePoint`: the level shifted and stays.
- `Forecast`: the limit is reached before long; `Outlook` has the time left.
- `burnrate`: multi-window multi-burn-rate of an error budget (no bank: error shares in, verdict out).
- `Counters`: turns cumulative counters into rates, over resets and gaps.
- `Onset`: from "is wrong" to one alarm per episode, for replay.

Common to all banks: NaN and infinity are no evidence; a sample that is not newer than the last one of its series is
not learned (late, repeated); time that goes far back is taken as a clock that was set; a new series is learned
before it is judged; a history fed in order through `step` warms a bank up.
"""

from hemostat.signals.detectors.base import RIGHT, UNKNOWN, WRONG, Floats, Rows, Verdicts
from hemostat.signals.detectors.changepoint import ChangePoint
from hemostat.signals.detectors.counters import Counters
from hemostat.signals.detectors.forecast import Forecast, Outlook
from hemostat.signals.detectors.onset import Onset
from hemostat.signals.detectors.table import SeriesTable
from hemostat.signals.detectors.unusual import Unusual

__all__ = [
    "RIGHT",
    "UNKNOWN",
    "WRONG",
    "ChangePoint",
    "Counters",
    "Floats",
    "Forecast",
    "Onset",
    "Outlook",
    "Rows",
    "SeriesTable",
    "Unusual",
    "Verdicts",
]
