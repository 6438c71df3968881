"""Every change of the matcher, of evidence or of a shipped Runbook is tried on what faults on real pods looked like."""

from functools import cache
from pathlib import Path

import pytest
from tests.bench.incidents.recorded import HELD_OUT, INSUFFICIENT, SEEN, load, shipped
from tests.bench.incidents.score import ask, of_split

from hemostat.diagnosis.recall import recall

ROOT = Path(__file__).parents[3]
RECORDINGS = list(load())
UNSOLVED = {
    "secret-key-removed-after-rollout": "evidence does not tell that the newest revision had come up, and Secrets are "
    "not followed: the rollout is the last change that is known"
}
MAX_BYTES = 2_000_000


@cache
def answers():
    return ask(shipped(ROOT), RECORDINGS)


def seen():
    for place, one in enumerate(RECORDINGS):
        if one.label.split == SEEN:
            reason = UNSOLVED.get(one.kind)
            marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
            yield pytest.param(place, id=one.id, marks=marks)


@pytest.mark.parametrize("place", list(seen()))
def test_a_seen_incident_gets_the_runbook_that_an_engineer_would_take(place):
    said = answers()[place]
    assert said.right, f"{said.answer} ({said.percent} %) for: {said.recorded.fault}"


@pytest.mark.parametrize("one", [r for r in RECORDINGS if r.label.split == INSUFFICIENT], ids=lambda r: r.id)
def test_where_the_evidence_proves_nothing_nothing_is_chosen(one):
    (said,) = ask(shipped(ROOT), [one])
    assert said.answer is None, one.fault


def test_there_are_as_many_as_the_figures_need():
    labelled = [r for r in RECORDINGS if r.label.split in (SEEN, HELD_OUT)]
    assert len(labelled) >= 60
    assert len({r.kind for r in labelled}) >= 14
    assert len(of_split(answers(), INSUFFICIENT)) == 20


def test_changes_and_troubles_of_a_recording_can_be_read():
    """Else a Runbook would be tried on less than there was."""
    unread = [r.id for r in RECORDINGS if any("cannot be read" in said for said in recall(r.incident).lossy)]
    assert unread == []


def test_they_are_small_and_name_no_place_of_the_machine_that_made_them():
    files = sorted((ROOT / "tests/incidents").rglob("*.yaml"))
    texts = [f.read_text(encoding="utf-8") for f in files]
    assert sum(map(len, texts)) < MAX_BYTES
    for file, text in zip(files, texts, strict=True):
        for word in ("/work/", "/tmp/", "/root/", "/home/"):
            assert word not in text, file
