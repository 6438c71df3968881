"""Windows of time, where clocks are set forward and back above all: nothing slips through an hour that comes twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hemostat.api.gatepolicy import GatePolicySpec, Window
from hemostat.gate.times import next_open, open_until

HOUR = 3600


def window(schedule: str, zone: str = "Europe/Berlin", seconds: int = HOUR) -> Window:
    return Window(schedule=schedule, time_zone=zone, duration_seconds=seconds)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "until"),
    [
        ("0 18 * * 5", "2026-01-09T16:59:59", None),  # Friday, 18:00 in Berlin is 17:00 UTC
        ("0 18 * * 5", "2026-01-09T17:00:00", "2026-01-09T18:00:00"),
        ("0 18 * * 5", "2026-01-09T17:59:59.999", "2026-01-09T18:00:00"),
        ("0 18 * * 5", "2026-01-09T18:00:00", None),
        ("0 18 * * 5", "2026-07-10T16:00:00", "2026-07-10T17:00:00"),  # the same hour, in summer
        ("0 0 29 2 *", "2028-02-28T23:30:00", "2028-02-29T00:00:00"),
        ("*/30 * * * *", "2026-01-09T17:29:00", "2026-01-09T18:00:00"),
    ],
)
def test_a_window_opens_by_the_clock_of_its_zone(schedule: str, now: str, until: str | None) -> None:
    assert open_until(window(schedule), at(now)) == (at(until) if until else None)


def test_a_window_may_last_for_days() -> None:
    weekend = window("0 18 * * 5", seconds=62 * HOUR)
    assert open_until(weekend, at("2026-01-11T20:00:00")) == at("2026-01-12T07:00:00")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns"])
def test_zones_of_odd_offsets(zone: str) -> None:
    daily = window("30 4 * * *", zone)
    opened = [n for n in range(24 * 60) if open_until(daily, at("2026-05-05T00:00:00") + timedelta(minutes=n))]
    assert len(opened) == 60


SPRING = "2026-03-29"
"""Berlin: at 01:00 UTC clocks go from 02:00 to 03:00."""
AUTUMN = "2026-10-25"
"""Berlin: at 01:00 UTC clocks go from 03:00 back to 02:00."""


def test_an_hour_that_never_comes_opens_when_it_would_have() -> None:
    found = [m for m in range(180) if open_until(window("30 2 * * *"), at(f"{SPRING}T00:00:00") + timedelta(minutes=m))]
    assert found == list(range(60, 120)), "from 03:00, the first time that is later than 02:30, for an hour"


def test_an_hour_that_comes_twice_opens_the_first_time() -> None:
    start = at(f"{AUTUMN}T00:00:00")
    found = [m for m in range(180) if open_until(window("30 2 * * *"), start + timedelta(minutes=m))]
    assert found == list(range(30, 90)), "02:30 of summer time is 00:30 UTC; an hour of real time"


def test_a_long_window_is_not_shortened_when_clocks_are_set_back() -> None:
    night = window("0 1 * * *", seconds=5 * HOUR)
    start = at("2026-10-24T22:00:00")
    found = [m for m in range(600) if open_until(night, start + timedelta(minutes=m))]
    assert found == list(range(60, 360))


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize("schedule", ["0 * * * *", "*/15 * * * *", "0 0 * * *", "15 2 * * *", "45 1 * * *"])
def test_every_minute_around_a_change_is_as_the_beginnings_say(day: str, schedule: str) -> None:
    """Against a walk over all minutes: open while the last beginning is less than 600 s ago."""
    zone, start = ZoneInfo("Europe/Berlin"), at(f"{day}T00:00:00") - timedelta(hours=2)
    short = window(schedule, seconds=600)
    minute_field, hour_field = schedule.split()[:2]
    seen: set[tuple[int, int, int]] = set()
    begun: datetime | None = None
    for n in range(8 * 60):
        moment = start + timedelta(minutes=n)
        local = moment.astimezone(zone)
        every = {"*": range(60), "*/15": range(0, 60, 15)}.get(minute_field)
        minutes = every if every is not None else [int(minute_field)]
        hours = range(24) if hour_field == "*" else [int(hour_field)]
        fixed = hour_field != "*"
        mark = (local.day, local.hour, local.minute)
        fits = local.minute in minutes and local.hour in hours and (not fixed or mark not in seen)
        skipped = fixed and day == SPRING and mark[1:] == (3, 0) and int(hour_field) == 2
        seen.add(mark)
        if fits or skipped:
            begun = moment
        wanted = begun is not None and moment - begun < timedelta(seconds=600)
        assert (open_until(short, moment) is not None) == wanted, (local, schedule)


@pytest.mark.parametrize("schedule", ["at lunch!", "60 * * * *", "0 0 0 * * *", "0 0 30 2 *", "0 0 * * * * *"])
def test_what_is_no_schedule_is_told_so(schedule: str) -> None:
    with pytest.raises(ValueError, match="no cron schedule"):
        open_until(window(schedule), at("2026-01-01T00:00:00"))


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "Europe"])
def test_what_is_no_zone_is_told_so(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        open_until(window("0 0 * * *", zone), at("2026-01-01T00:00:00"))


@pytest.mark.parametrize(
    ("schedules", "begins"),
    [
        (["0 18 * * 5"], "2026-01-09T17:00:00"),
        (["0 18 * * 5", "0 7 * * *"], "2026-01-06T06:00:00"),
        (["nonsense so to say", "0 18 * * 5"], "2026-01-09T17:00:00"),
        (["0 0 30 2 *"], None),
        ([], None),
    ],
)
def test_when_a_policy_is_in_force_next(schedules: list[str], begins: str | None) -> None:
    spec = GatePolicySpec(when=tuple(window(s) for s in schedules))
    assert next_open(spec, at("2026-01-05T12:00:00")) == (at(begins) if begins else None)
