"""`hemostat replay diagnosis`: what a person reads while it runs, and at its end."""

import pytest
import yaml
from tests.unit.replay.diagnosis import texts
from typer.testing import CliRunner

from hemostat.cli.main import app
from hemostat.cli.replay_diagnosis import _progress
from hemostat.errors import Refused
from hemostat.replay.diagnosis.report import Line
from hemostat.replay.diagnosis.score import Judged

OTHERS = {
    "apiVersion": "hemostat.dev/v1alpha1",
    "kind": "Runbook",
    "metadata": {"name": "other"},
    "spec": {
        "cause": "something else",
        "kinds": ["Job"],
        "state": "Active",
        "symptoms": [{"name": "never", "expression": "signals.size() > 99", "necessity": "Required"}],
        "remediations": [{"action": "rollback"}],
    },
}


@pytest.fixture
def replay(tmp_path, monkeypatch):
    monkeypatch.delenv("HEMOSTAT_MODELS", raising=False)
    (tmp_path / "case").mkdir()
    books = tmp_path / "books.yaml"
    books.write_text(yaml.safe_dump(OTHERS))

    def run(**outputs):
        case = texts.case(tmp_path / "case", **outputs)
        return CliRunner().invoke(app, ["replay", "diagnosis", str(case), "--runbooks", str(books)])

    return run


def test_progress_says_what_was_found_and_the_end_how_many(replay):
    done = replay(pod=texts.POD)
    assert (done.exit_code, texts.TROUBLE in done.stderr) == (0, True), done.stderr
    assert "no active Runbook is for a Deployment; those that are Active (1) are for: Job" in done.stderr
    assert "in this namespace" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("cases: 1, abstained: 1, matched: 0")


def test_a_target_that_nothing_tells_of_is_not_called_an_unknown(replay):
    said = replay(events=texts.EVENTS).stderr
    assert "for a target that is not known" in said
    assert "a Unknown" not in said


def test_what_the_judge_failed_at_is_no_fact_that_was_not_stated():
    failed = Judged("it crashed", None, failure="Deadline: no reply")
    line = Line("c", None, Refused("UnknownFormat", "no text"), (failed,))
    assert _progress(line).endswith("0 of 0 facts stated, the judge failed at 1: Deadline: no reply")
    line = Line("c", None, Refused("UnknownFormat", "no text"), (failed, Judged("a", True), Judged("b", False)))
    assert "; 1 of 2 facts stated, " in _progress(line)
