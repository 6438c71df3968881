"""What a replay found, as plain values, and how people write when it begins (pure)."""

import re
from datetime import datetime, timedelta
from typing import Any

from hemostat.clock import parse_time
from hemostat.errors import Refused
from hemostat.replay.watch import Alarm, Replayed

_AGO = re.compile(r"-(\d{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def moment(text: str, now: datetime, option: str) -> datetime:
    """Return a time: RFC 3339, a time span ago (`-7d`), or `now`."""
    if text == "now":
        return now
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        return parse_time(text)
    except (ValueError, OverflowError):  # the second: before the year 1
        raise Refused("BadTime", f"{option} must look like 2026-03-01T12:00:00Z or -7d, not {text!r}") from None


def plain(found: Replayed) -> dict[str, Any]:
    """Return the outcome as plain values, for JSON and YAML."""
    return {
        "from": found.span.start.isoformat(),
        "to": found.span.end.isoformat(),
        "stepSeconds": found.span.step_seconds,
        "series": found.series,
        "seriesNotJudged": found.dropped_series,
        "silent": found.silent,
        "problems": found.problems,
        "leftOut": found.left_out,
        "alarms": [_plain(alarm) for alarm in found.alarms],
        "alarmsNotListed": found.dropped_alarms,
    }


def _plain(alarm: Alarm) -> dict[str, Any]:
    return {
        "signal": alarm.name,
        "key": alarm.key,
        "subject": alarm.subject,
        "from": alarm.began.isoformat(),
        "to": alarm.ended.isoformat() if alarm.ended is not None else None,
        "worst": alarm.worst,
        "limit": alarm.threshold,
        "unit": alarm.unit,
        "message": alarm.note,
    }
