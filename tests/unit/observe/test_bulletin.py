"""Where an Incident is, as `kubectl get incident -w` shows it: the present step, and no more writes than that needs."""

import pytest
from tests.unit.builders import T0, at, condition, incident

from hemostat.clock import FakeClock, rfc3339
from hemostat.kube import NotFound
from hemostat.observe.bulletin import Bulletin
from hemostat.progress.step import Stage, Step


class Written:
    def __init__(self):
        self.said, self.gone = [], False

    def write_progress(self, namespace, name, uid, progress):
        if self.gone:
            raise NotFound("gone")
        self.said.append((namespace, name, uid, progress.stage, progress.step, progress.message))


@pytest.fixture
def store():
    return Written()


@pytest.fixture
def bulletin(store):
    return Bulletin(store, FakeClock(T0))


def body(*conditions, progress=None):
    entry = {"id": "observe/detected", "time": rfc3339(at(0)), "by": "observe", "message": "opened"}
    return incident(timeline=[entry], conditions=conditions, progress=progress).wire()


def due(bulletin):
    """Do what is due in a second, as the queue's workers would."""
    waiting = list(bulletin.queue._due)
    bulletin.queue._due.clear()
    for uid in waiting:
        bulletin._write(uid)


def test_the_present_step_is_written_with_who_took_it(bulletin, store):
    bulletin.note(body())
    due(bulletin)
    uid = "uid-payment-1"
    bulletin.journal(uid, Step(Stage.DIAGNOSIS, "LookedUp", "logs: 3 items of evidence", "kubernetes"))
    due(bulletin)
    assert store.said == [
        ("shop", "payment-1", uid, "Detection", "Opened", "opened"),
        ("shop", "payment-1", uid, "Diagnosis", "LookedUp", "kubernetes: logs: 3 items of evidence"),
    ]


def test_many_steps_within_a_second_are_one_write(bulletin, store):
    bulletin.note(body())
    for n in range(100):
        bulletin.journal("uid-payment-1", Step(Stage.DIAGNOSIS, "Asked", f"turn {n}", "logs"))
    due(bulletin)
    assert [said[-1] for said in store.said] == ["logs: turn 99"]


def test_what_is_written_already_is_not_written_again(bulletin, store):
    bulletin.note(body())
    due(bulletin)
    bulletin.journal("uid-payment-1", Step(Stage.DETECTION, "SymptomSeen", "another fires"))
    due(bulletin)
    assert len(store.said) == 1


def test_a_new_process_that_finds_it_written_writes_nothing(store):
    shown = {"step": "Opened", "stage": "Detection", "message": "opened", "time": rfc3339(at(0))}
    fresh = Bulletin(store, FakeClock(at(60)))
    fresh.note(body(progress=shown))
    due(fresh)
    assert store.said == []


def test_an_incident_that_ended_while_the_process_was_down_does_not_stay_in_the_midst(store):
    shown = {"step": "Verifying", "stage": "Verification", "message": "", "time": rfc3339(at(0))}
    fresh = Bulletin(store, FakeClock(at(60)))
    fresh.note(body(condition("Resolved", True, "Healed", when=50), progress=shown))
    due(fresh)
    assert [said[4] for said in store.said] == ["Resolved"]


def test_one_that_was_deleted_meanwhile_is_let_go(bulletin, store):
    bulletin.note(body())
    store.gone = True
    due(bulletin)
    assert not bulletin.queue._due
