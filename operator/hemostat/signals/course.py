"""How the value of a signal went until it fired: what a person would look at in a plot (pure).

Kept of every signal that is judged, whatever its source, as it was judged: nothing has to be asked for when an Incident
opens, and nothing that a detector saw is left out. Where there are too many points, the lowest and the highest of each
few are kept: no peak is lost, and every point is one that was measured (two of the four of M4: Jugel, Jerzak,
Hackenbroich, Markl, "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014).
"""

import math
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MOST_POINTS = 60
SPAN_SECONDS = 1800.0
MOST_COURSES = 64
"""Signals and series of one Watch whose course is kept: more are not, while these go on."""
_PER_BUCKET = 4
Point = tuple[float, float]
"""Seconds since 1970, value."""


@dataclass(frozen=True, slots=True)
class Course:
    """The last half hour of a signal's value, and what is right."""

    points: tuple[Point, ...]
    """At most 60, oldest first."""
    low: float | None = None
    high: float | None = None
    """Values outside are wrong; None: there is no such end."""
    unit: str = ""


class Courses:
    """The courses of one Watch's signals."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, array[float]] = OrderedDict()
        """The one that was noted last is the last."""
        self._read: dict[str, int] = {}

    def anew(self, query: str, number: int) -> bool:
        """Tell whether this answer to a query was not noted yet."""
        before = self._read.get(query)
        self._read[query] = number
        return before != number

    def note(self, key: str, time: float, value: float) -> None:
        """Add a point. Of a value that stays only the first and the last time are kept: a line says the same."""
        kept = self._kept.get(key)
        if not math.isfinite(value) or (kept is None and not self._room(time)):
            return
        if kept is None:
            kept = self._kept[key] = array("d")
        self._kept.move_to_end(key)
        if len(kept) >= 4 and kept[-1] == kept[-3] == value:
            kept[-2] = time
            return
        kept.extend((time, value))
        if len(kept) > 2 * MOST_POINTS:
            recent = [p for p in _pairs(kept) if time - p[0] <= SPAN_SECONDS]
            kept[:] = array("d", (n for p in thinned(recent, MOST_POINTS // 2) for n in p))

    def of(self, key: str, now: float) -> tuple[Point, ...]:
        """Return what is known of a signal."""
        return tuple(p for p in _pairs(self._kept.get(key, ())) if now - p[0] <= SPAN_SECONDS)

    def _room(self, now: float) -> bool:
        """Tell whether another may come; one that went on lately does not give way."""
        if len(self._kept) < MOST_COURSES:
            return True
        key, oldest = next(iter(self._kept.items()))
        if now - oldest[-2] <= SPAN_SECONDS:
            return False
        del self._kept[key]
        return True


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most `most` of the points (2 or more), the newest among them: the lowest and highest of each few."""
    if len(points) <= most:
        return list(points)
    size = max(_PER_BUCKET, math.ceil(2 * (len(points) - 1) / max(1, most - 1)))
    found: list[Point] = []
    for begin in range(0, len(points) - 1, size):
        bucket = points[begin : min(begin + size, len(points) - 1)]
        ends = {min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        found += sorted(ends)
    return [*found, points[-1]][-most:]


def _pairs(flat: Iterable[float]) -> Iterator[Point]:
    numbers = iter(flat)
    return zip(numbers, numbers, strict=True)
