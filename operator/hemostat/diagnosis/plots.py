"""Measurements over time: as a plot for people, and in a sentence for who cannot look at one (pure)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hemostat.api.incident import MAX_POINTS, Plot
from hemostat.signals.base import decimal
from hemostat.signals.course import Course, Point, thinned
from hemostat.signals.words import amount, duration

MAX_SAID = 16
"""Points that a sentence has: a model reads each of them several times."""
_MAX_SECONDS = 86_400


def plot(course: Course, fired: datetime | None = None) -> Plot | None:
    """Return the last day of a measurement to be drawn, at most 60 points; None where there is no line to draw."""
    recent = [p for p in course.points if course.points[-1][0] - p[0] <= _MAX_SECONDS]
    points = thinned(recent, MAX_POINTS)
    if len(points) < 2:
        return None
    start = points[0][0]
    return Plot(
        unit=course.unit[:16],
        start_time=datetime.fromtimestamp(start, UTC),
        seconds=tuple(round(t - start) for t, _ in points),
        values=tuple(decimal(v) or "0" for _, v in points),
        low=decimal(course.low),
        high=decimal(course.high),
        fired_time=fired,
    )


def said(course: Course, end: float) -> str:
    """Return how it went: points by their seconds before or after `end`, the lowest, the highest, what is right."""
    points, unit = course.points, course.unit
    values = " ".join(f"{t - end:+.0f}s:{amount(v, '')}" for t, v in thinned(points, MAX_SAID))
    low, high = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
    text = (
        f"{values}; lowest {amount(low[1], unit)} at {low[0] - end:+.0f}s, "
        f"highest {amount(high[1], unit)} at {high[0] - end:+.0f}s"
    )
    return text + _band(course)


def span(points: Sequence[Point]) -> str:
    """Return the time from the first to the last, in words."""
    return duration(points[-1][0] - points[0][0])


def _band(course: Course) -> str:
    low, high, unit = course.low, course.high, course.unit
    if low is not None and high is not None:
        return f"; right is {amount(low, unit)} to {amount(high, unit)}"
    if high is not None:
        return f"; right is up to {amount(high, unit)}"
    return f"; right is from {amount(low, unit)}" if low is not None else ""
