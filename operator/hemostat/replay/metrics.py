"""`timestamp,value` through the default detector, row by row: `timestamp,anomaly_score` and the alarms."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

import numpy as np

from hemostat.api.watch import Direction, Sensitivity
from hemostat.errors import Refused
from hemostat.replay.lines import lines
from hemostat.replay.times import since_epoch
from hemostat.signals.detectors import UNKNOWN, Onset, Unusual
from hemostat.signals.detectors.unusual import PROBATION_BLOCKS

MAX_LINE = 65_536
MAX_PROBATION = 100_000
"""Rows that are held at once: an interval has to be known before the first row is learned."""
PROBATION_SHARE, PROBATION_ROWS = 0.15, 750
QUIET_SHARE = 0.15
"""An episode is over after this share of the probation without a louder row."""
MARGIN = 0.04
"""Rows that are louder than their episode by less are no alarm of their own."""
ALARM = 0.5
_COLUMNS = ("timestamp", "value")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file."""

    line: int
    text: str
    """The timestamp as it is written."""
    time: float
    """Seconds since the epoch."""
    value: float
    """NaN where the file says nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the detector said of a row, knowing nothing of later ones."""

    row: Row
    score: float
    """0 to 1, 0 for all rows of an episode but its onset; an alarm from 0.5 on."""
    expected: float
    """What was expected, NaN while it learns."""
    late: bool = False
    """Neither learned nor judged, because its time is not later than that of a row before it."""

    @property
    def alarm(self) -> bool:
        """Whether somebody would have been told."""
        return self.score >= ALARM


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file (plain or gzip), one at a time. Raises `Refused` with file and line."""
    numbered = lines(path, MAX_LINE)
    records = _records(path, numbered)
    _, header = next(records, (0, []))
    names = [name.strip().lower() for name in header]
    missing = [name for name in _COLUMNS if name not in names]
    if not header:
        raise Refused("Empty", f"{path}: empty; a header `timestamp,value` and rows are wanted")
    if missing:
        raise Refused("MissingColumn", f"{path}, line 1: no column {' or '.join(missing)}; `timestamp,value` is wanted")
    when, what = names.index("timestamp"), names.index("value")
    for number, record in records:
        if len(record) <= max(when, what):
            raise Refused("BadRow", f"{path}, line {number}: {len(record)} columns, the header has {len(names)}")
        yield _row(path, number, record[when].strip(), record[what].strip())


def default_probation(path: Path) -> int:
    """Return 15 % of the rows, at most 750, as the Numenta Anomaly Benchmark does. Raises `Refused` (Empty)."""
    rows = sum(1 for _, line in lines(path, MAX_LINE) if line.strip()) - 1
    if rows < 1:
        raise Refused("Empty", f"{path}: no rows; a header `timestamp,value` and rows are wanted")
    return max(1, min(math.floor(PROBATION_SHARE * rows), PROBATION_ROWS))


def judge(
    rows: Iterable[Row],
    probation: int,
    sensitivity: Sensitivity = Sensitivity.MEDIUM,
    direction: Direction = Direction.BOTH,
) -> Iterator[Judged]:
    """Judge rows in their order.

    :param rows: at least one.
    :param probation: rows to learn from before one is judged, 1 to `MAX_PROBATION`; also the measure of how long an
        episode lasts and how far back is remembered.
    """
    source = iter(rows)
    first = list(islice(source, probation))
    interval = _interval(first)
    length = max(1, round(probation / PROBATION_BLOCKS)) * interval
    bank = Unusual(1, length * PROBATION_BLOCKS, sensitivity, direction)
    onset = Onset(QUIET_SHARE * probation * interval, MARGIN)
    start = first[0].time if first else 0.0
    latest = -math.inf
    number = np.zeros(1, np.int64)
    for position, row in enumerate(_chain(first, source)):
        if row.time <= latest:
            yield Judged(row, 0.0, math.nan, late=True)
            continue
        latest = row.time
        verdict = bank.step(number, np.array([row.value]), row.time - start)
        judged = position >= probation and int(verdict.wrong[0]) != UNKNOWN
        score = onset.step(float(verdict.score[0]), row.time) if judged else 0.0
        yield Judged(row, score, float(verdict.expected[0]))


def _chain(first: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rest


def _interval(rows: list[Row]) -> float:
    """Return the usual distance of two rows in seconds."""
    steps = [b.time - a.time for a, b in pairwise(rows) if b.time > a.time]
    return median(steps) if steps else 60.0


def _records(path: Path, numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Split lines at commas; a record is one line."""
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            yield number, next(csv.reader([line], strict=True))
        except csv.Error as error:
            raise Refused("BadRow", f"{path}, line {number}: {error}") from error


def _row(path: Path, number: int, when: str, what: str) -> Row:
    try:
        time = since_epoch(when, _iso, "ISO 8601")
    except ValueError as error:
        raise Refused("BadTime", f"{path}, line {number}: {error}") from error
    try:
        value = float(what) if what else math.nan
    except ValueError:
        raise Refused("BadNumber", f"{path}, line {number}: not a number: {what[:40]!r}") from None
    return Row(number, when, time, value)


def _iso(text: str) -> datetime:
    """Parse ISO 8601; without a zone it is taken as UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
