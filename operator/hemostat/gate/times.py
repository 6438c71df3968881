"""When a policy is in force (pure): windows that begin by a cron schedule in a time zone and last so long."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from hemostat.api.gatepolicy import Decision, GatePolicySpec, Window
from hemostat.clock import rfc3339

_SHIFT = timedelta(hours=3)
"""Clocks are set by less than this; around it, local times come twice or never."""


class Force(NamedTuple):
    """Whether a policy counts at a moment."""

    counts: bool
    until: datetime | None = None
    """When that ends; None: it does not end by itself."""
    wrong: str = ""
    """Why its times cannot be understood."""

    def __str__(self) -> str:
        """Till when, in words; empty for always."""
        if self.until is not None:
            return f"until {rfc3339(self.until)[:19]}Z"
        return f"its times cannot be read: {self.wrong}" if self.wrong else ""


def in_force(spec: GatePolicySpec, now: datetime) -> Force:
    """Tell whether a policy counts now, and till when.

    Where its times cannot be understood it counts if it forbids or asks, and does not if it allows.
    """
    if not spec.when:
        return Force(counts=True)
    ends, wrong = [], ""
    for window in spec.when:
        try:
            ends.append(open_until(window, now))
        except ValueError as error:
            wrong = str(error)
    last = max((end for end in ends if end is not None), default=None)
    if last is not None:
        return Force(counts=True, until=last)
    return Force(counts=bool(wrong) and spec.decision is not Decision.AUTO, wrong=wrong)


def open_until(window: Window, now: datetime) -> datetime | None:
    """Return the end of the window that is open now, or None. Its length is real time, whatever clocks show.

    Where the hour in which it begins comes twice it begins with the first; where it never comes, as soon as the clock
    shows a later time (as Debian's cron has it). Raises ValueError when schedule or time zone cannot be understood.
    """
    begins = _begins(window, now.replace(second=0, microsecond=0))
    if begins is None:
        return None
    ends = begins + timedelta(seconds=window.duration_seconds)
    return ends if now < ends else None


def next_open(spec: GatePolicySpec, now: datetime) -> datetime | None:
    """Return when a policy that is not in force is so next; None for one that never is, or whose times are unclear."""
    begins = []
    for window in spec.when:
        try:
            zone = ZoneInfo(window.time_zone)
            begins.append(next(CronSim(window.schedule, now.astimezone(zone).replace(fold=0))).astimezone(UTC))
        except (ZoneInfoNotFoundError, ValueError, OSError, CronSimError, StopIteration):
            continue
    return min(begins, default=None)


def zone_of(window: Window) -> ZoneInfo:
    """Return the time zone of a window. Raises ValueError when there is none of that name."""
    try:
        return ZoneInfo(window.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {window.time_zone!r}; write one as Europe/Berlin") from error


@lru_cache(maxsize=4096)
def _begins(window: Window, now: datetime) -> datetime | None:
    """Return when it began last, not after now: a whole minute, so that it is worked out once a minute."""
    zone = zone_of(window)
    if len(window.schedule.split()) != 5:
        raise ValueError(f"{window.schedule!r} is no cron schedule: minute, hour, day, month, day of the week")
    clock_is_set = (now - _SHIFT).astimezone(zone).utcoffset() != (now + _SHIFT).astimezone(zone).utcoffset()
    start = now + (_SHIFT if clock_is_set else timedelta(seconds=1))
    try:
        for found in CronSim(window.schedule, start.astimezone(zone).replace(fold=0), reverse=True):
            begins = found.astimezone(UTC)
            if begins <= now:
                return begins
    except CronSimError as error:
        raise ValueError(f"{window.schedule!r} is no cron schedule: {error}") from error
    return None
