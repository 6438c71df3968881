import io

import pytest

from hemostat_chaos.cluster.progress import Progress, running_line, seconds


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0.42, "0.4 s"),
        (9.96, "10.0 s"),
        (37.2, "37 s"),
        (59.7, "1 min 00 s"),
        (245, "4 min 05 s"),
    ],
)
def test_durations_read_as_people_say_them(duration: float, text: str) -> None:
    assert seconds(duration) == text


def test_steps_are_numbered_against_what_was_announced() -> None:
    out = io.StringIO()
    progress = Progress(out)
    progress.expect(2)
    with progress.step("one"):
        pass
    with progress.step("two"):
        pass
    lines = out.getvalue().splitlines()
    assert lines[0] == "[1/2] one ..."
    assert lines[1].startswith("[1/2] one: done in ")
    assert lines[2] == "[2/2] two ..."


def test_a_step_that_fails_says_so() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError), Progress(out).step("one"):  # noqa: PT011
        raise ValueError
    assert "one: failed after" in out.getvalue()


def test_all_running_steps_share_a_line() -> None:
    assert running_line([("[1/2] a", 10.0), ("[2/2] b", 40.0)], 70.0) == "[1/2] a 1 min 00 s; [2/2] b 30 s"
