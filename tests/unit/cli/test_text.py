from datetime import UTC, datetime, timedelta

import pytest

from hemostat.cli.text import age, clean, offset, words

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (3 * 86400, "3d")],
)
def test_age_is_told_as_kubectl_tells_it(seconds, said):
    assert age(START, START + timedelta(seconds=seconds)) == said


def test_unknown_age():
    assert age(None, START) == "?"


def test_offset():
    assert offset(START + timedelta(seconds=12.34), START) == "+12.3 s"
    assert offset(START - timedelta(seconds=1), START) == "-1.0 s"
    assert offset(START - timedelta(seconds=0.2), START) == "+0.0 s"  # by another process' clock


def test_what_telemetry_says_cannot_steer_the_terminal():
    assert clean("a\x1b[31mb\x07\u202ec\x9bd") == "a?[31mb??c?d"
    assert clean("line\n\tnext") == "line\n\tnext"


def test_what_telemetry_says_stays_on_its_line():
    assert words("evil\nResolved: Healed\x1b[0m").plain == "evil Resolved: Healed?[0m"
