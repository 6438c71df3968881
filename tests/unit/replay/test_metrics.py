"""Recorded series through the default detector: what is written, and what is said of a bad file."""

import csv
import gzip

import numpy as np
import pytest
from typer.testing import CliRunner

from hemostat.cli import main as entry
from hemostat.errors import Refused
from hemostat.replay.metrics import default_probation, judge, read


def made(rows=800, spike=700, seed=1):
    values = np.random.default_rng(seed).normal(50, 1, rows)
    values[spike] = 90
    return values


def text(values, stamp=lambda n: f"2026-01-{1 + n // 288:02d} {n // 12 % 24:02d}:{n % 12 * 5:02d}:00"):
    return "timestamp,value\n" + "".join(f"{stamp(n)},{value:.6f}\n" for n, value in enumerate(values))


def run(*arguments):
    return CliRunner().invoke(entry.app, ["replay", "metrics", *map(str, arguments)])


def scores(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_row_gets_a_score_and_the_onset_is_an_alarm(tmp_path):
    (tmp_path / "a.csv").write_text(text(made()))
    done = run(tmp_path / "a.csv", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    rows = scores(tmp_path / "out/a.csv")
    assert list(rows[0]) == ["timestamp", "anomaly_score"]
    assert [row["timestamp"] for row in rows][:2] == ["2026-01-01 00:00:00", "2026-01-01 00:05:00"]
    assert len(rows) == 800
    assert [n for n, row in enumerate(rows) if float(row["anomaly_score"]) >= 0.5] == [700]
    (alarm,) = scores(tmp_path / "out/alarms.csv")
    assert (alarm["file"], alarm["timestamp"], alarm["value"]) == ("a.csv", rows[700]["timestamp"], "90")
    assert abs(float(alarm["expected"]) - 50) < 5
    assert rows[700]["timestamp"] in done.stdout
    assert "1 alarm in 1 series" in done.stderr


def test_later_rows_change_nothing_that_was_said(tmp_path):
    path, cut = tmp_path / "a.csv", tmp_path / "cut.csv"
    path.write_text(text(made()))
    cut.write_text(text(made()[:705]))
    whole = [one.score for one in judge(read(path), 120)]
    assert whole[:705] == [one.score for one in judge(read(cut), 120)]
    assert whole[700] > 0.5


def test_the_direction_and_the_sensitivity_are_obeyed(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text(made()))
    assert "0 alarms" in run(path, "--out", tmp_path / "out", "--direction", "Down").stderr
    path.write_text(text(np.where(np.arange(800) == 700, 51.5, made())))
    assert "0 alarms" in run(path, "--out", tmp_path / "out", "--sensitivity", "Low").stderr


def test_a_word_that_is_none_is_refused_with_those_that_are(tmp_path):
    done = run(tmp_path / "a.csv", "--out", tmp_path, "--sensitivity", "Lots")
    assert done.exit_code == 2
    assert "Low, Medium, High" in done.stderr


@pytest.mark.parametrize("stamp", [
    lambda n: str(1767225600 + 300 * n), lambda n: f"{1767225600.5 + 300 * n}",
    lambda n: f"2026-01-{1 + n // 288:02d}T{n // 12 % 24:02d}:{n % 12 * 5:02d}:00Z",
    lambda n: f"2026-01-{1 + n // 288:02d}T{n // 12 % 24:02d}:{n % 12 * 5:02d}:00.250+02:00",
])  # fmt: skip
def test_all_ways_to_write_a_time_say_the_same(tmp_path, stamp):
    plain, other = tmp_path / "a.csv", tmp_path / "b.csv"
    plain.write_text(text(made()))
    other.write_text(text(made(), stamp))
    assert [one.score for one in judge(read(plain), 120)] == [one.score for one in judge(read(other), 120)]


def test_columns_may_stand_anywhere_and_the_file_may_be_packed(tmp_path):
    lines = ["id,Value,timestamp"] + [f"x,{value},{1e9 + 60 * n}" for n, value in enumerate(made())]
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("\r\n".join(lines).encode()))
    assert run(tmp_path / "a.csv.gz", "--out", tmp_path / "out").exit_code == 0
    assert len(scores(tmp_path / "out/a.csv")) == 800


def test_empty_values_are_no_evidence(tmp_path):
    values = made()
    whole = text(values).splitlines()
    for n in range(200, 700, 3):
        whole[n] = whole[n].split(",")[0] + "," + ("" if n % 2 else "NaN")
    (tmp_path / "a.csv").write_text("\n".join(whole))
    assert [n for n, one in enumerate(judge(read(tmp_path / "a.csv"), 120)) if one.alarm] == [700]


@pytest.mark.parametrize("back", [0, 1, 12, 200])
def test_a_row_that_is_late_is_left_out_whatever_it_says_and_counted(tmp_path, back):
    """One that was late by a day was judged, and what was learned before it forgotten, without a word on stderr."""
    lines, plain = text(made()).splitlines(), [one.score for one in judge(read(written(tmp_path, made())), 120)]
    late = lines[500 - back].split(",")[0] + ",400"
    (tmp_path / "a.csv").write_text("\n".join([*lines[:501], late, *lines[501:]]))
    done = run(tmp_path / "a.csv", "--out", tmp_path / "out", "--probation", "120")
    assert done.exit_code == 0
    assert "1 row left out, not later than a row before (first at line 502)" in done.stderr
    found = [float(row["anomaly_score"]) for row in scores(tmp_path / "out/a.csv")]
    assert found[500] == 0
    assert found[:500] + found[501:] == pytest.approx(plain, abs=1e-6)


def written(folder, values):
    path = folder / "plain.csv"
    path.write_text(text(values))
    return path


@pytest.mark.parametrize(("content", "message"), [
    ("", "no rows"),
    ("timestamp,value\n", "no rows"),
    ("time,value\n1,2\n", "line 1: no column timestamp"),
    ("timestamp,v\n1,2\n", "line 1: no column value"),
    ("timestamp,value\n100,2\n160,two\n", "line 3: not a number: 'two'"),
    ("timestamp,value\nyesterday,2\n", "line 2: not a time: 'yesterday'"),
    ("timestamp,value\n1767225600000,2\n", "milliseconds?"),
    ("timestamp,value\n20260201,2\n", "a date or seconds since 1970? write 2026-02-01, or 20260201.0"),
    ("timestamp,value\n100\n", "line 2: 1 columns"),
    ("timestamp,value\n100,\"2\n", "line 2: "),
    ("timestamp,value\n" + "".join(f"{1000 - n},1\n" for n in range(50)), "sort by time"),
    ("timestamp,value\n100," + "1" * 70000, "line 2: longer than"),
])  # fmt: skip
def test_a_bad_file_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "a.csv").write_text(content)
    done = run(tmp_path / "a.csv", "--out", tmp_path / "out")
    assert isinstance(done.exception, Refused)
    assert message in str(done.exception)
    assert "a.csv" in str(done.exception)
    assert not (tmp_path / "out/a.csv").exists()


def test_a_file_that_is_bad_at_its_end_leaves_no_alarms_and_what_was_there_before(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(text(made()))
    assert run(tmp_path / "b.csv", "--out", tmp_path / "out").exit_code == 0
    before = (tmp_path / "out/b.csv").read_text()
    with (tmp_path / "b.csv").open("a") as file:
        file.write("2026-02-01,two\n")
    done = run(tmp_path / "a.csv", tmp_path / "b.csv", "--out", tmp_path / "out")
    assert isinstance(done.exception, Refused)
    assert [row["file"] for row in scores(tmp_path / "out/alarms.csv")] == ["a.csv"]
    assert (tmp_path / "out/b.csv").read_text() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "alarms.csv", "b.csv"]


def test_a_file_without_a_number_is_told(tmp_path):
    (tmp_path / "a.csv").write_text(text(np.full(50, np.nan)))
    assert "none of 50 values is a number" in run(tmp_path / "a.csv", "--out", tmp_path / "out").stderr


def test_results_never_replace_a_source_or_each_other(tmp_path):
    for name in ("x/a.csv", "y/a.csv", "alarms.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text(made(100, 90)))
    before = (tmp_path / "x/a.csv").read_text()
    for arguments in (
        (tmp_path / "x/a.csv", "--out", tmp_path / "x"),
        (tmp_path / "x/a.csv", tmp_path / "y/a.csv", "--out", tmp_path / "out"),
        (tmp_path / "alarms.csv", "--out", tmp_path / "out"),
    ):
        assert isinstance(run(*arguments).exception, Refused)
    assert (tmp_path / "x/a.csv").read_text() == before


def test_no_such_file_and_no_such_folder_are_said(tmp_path):
    assert "no such file" in str(run(tmp_path / "no.csv", "--out", tmp_path).exception)
    (tmp_path / "a.csv").write_text(text(made(100, 90)))
    assert isinstance(run(tmp_path / "a.csv", "--out", tmp_path / "a.csv").exception, Refused)


@pytest.mark.parametrize(("rows", "probation"), [(10, 1), (100, 15), (4032, 604), (20000, 750)])
def test_the_probation_is_that_of_the_benchmark(tmp_path, rows, probation):
    (tmp_path / "a.csv").write_text(text(np.zeros(rows), stamp=str))
    assert default_probation(tmp_path / "a.csv") == probation
