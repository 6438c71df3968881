"""The diagnosis that stood while signals fired is not overwritten by what is seen as they pass or are undone."""

import pytest
from tests.unit.builders import (
    T0,
    at,
    condition,
    deployment,
    incident,
    remediation,
    replicaset,
    runbook,
    signal,
    symptom,
    template,
)
from tests.unit.observe.town import Api, Told

from hemostat.api.incident import DIAGNOSED, SignalState
from hemostat.api.meta import find
from hemostat.clock import FakeClock
from hemostat.diagnosis.lesson import draft_lesson
from hemostat.diagnosis.rehearsal import rehearse
from hemostat.observe.incident import IncidentKeeper
from hemostat.signals.changes.template import REVISED
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import Scene

BAD_ROLLOUT = runbook(
    "bad-rollout",
    symptoms=[
        symptom("fails", "signals.exists(s, s.state == 'Firing' && s.kind == 'ErrorRate')", 1, "Required"),
        symptom("rolled-out-before", "changes.exists(c, c.kind == 'Rollout' && c.ageSeconds < 600.0)", 2, "Required"),
    ],
)
AFTER_THE_ROLLOUT = Scene(
    deployment(template("2")), owned=(replicaset(1, template("1"), -9000), replicaset(2, template("2"), -23))
)
UNDONE = Scene(
    deployment(template("1")),
    owned=(
        replicaset(2, template("2"), -23),
        replicaset(3, template("1"), -9000) | {REVISED: at(30).isoformat()},  # as `rollout undo` numbers it
    ),
)
DENIED = "rollback of Runbook bad-rollout was denied by a person"


class Desk:
    """One Incident of a bad rollout, looked at while a person denies the rollback and undoes it by hand."""

    def __init__(self, *more):
        self.api, self.now = Api(FakeClock(T0)), 0.0
        self.api.books = [BAD_ROLLOUT, *more]
        self.api.items["payment-1"] = incident()
        self.keeper = IncidentKeeper(self.api, Told(), "observe")

    def look(self, scene=AFTER_THE_ROLLOUT, state=SignalState.FIRING):
        self.now += 2
        look = Look(state=WatchState(), signals=(signal(state=state),), notes={}, dropped=0)
        self.keeper.keep(self.api.items["payment-1"], look, scene, Word(), None, at(self.now))

    def deny(self):
        last = self.api.proposals[-1]
        said = (condition("Applied", False), condition("Finished", True, "DeniedByPerson", self.now, "ada: not now"))
        made = remediation(last.name, {"conditions": list(said)})
        self.api.done[last.name] = made.model_copy(update={"spec": last.spec})

    @property
    def incident(self):
        return self.api.items["payment-1"]

    @property
    def said(self):
        found = find(self.incident.status.conditions, DIAGNOSED)
        (first, *_) = self.incident.status.diagnosis.hypotheses
        return found.reason, first.runbook, first.ruled_out

    def resolved(self):
        over = condition("Resolved", True, "ClearedByItself", self.now)
        conditions = (*(c.wire() for c in self.incident.status.conditions), over)
        wire = self.incident.wire()
        return type(self.incident).model_validate(wire | {"status": wire["status"] | {"conditions": conditions}})


@pytest.fixture
def denied():
    desk = Desk()
    desk.look()
    assert [p.spec.runbook_ref.name for p in desk.api.proposals] == ["bad-rollout"]
    desk.deny()
    desk.look()
    assert desk.said == ("Exhausted", "bad-rollout", DENIED)
    return desk


def test_what_is_fixed_by_hand_after_a_denial_leaves_the_diagnosis_and_the_denial(denied):
    before = denied.incident.status.diagnosis
    for state in (SignalState.FIRING, SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA, SignalState.CLEAR):
        denied.look(UNDONE, state)
        assert denied.said == ("Exhausted", "bad-rollout", DENIED)
    assert {h.runbook: h.ruled_out for h in before.hypotheses} == {"bad-rollout": DENIED}
    assert denied.incident.status.diagnosis == before


def test_a_rollout_that_was_undone_was_before_the_trouble_all_the_same():
    """Who undoes it takes along what the revisions told of it; the evidence says it still."""
    desk = Desk()
    desk.api.books = []
    desk.look()
    assert any(e.key == "change/Rollout/revision 2" for e in desk.incident.status.evidence)
    desk.api.books = [BAD_ROLLOUT]
    desk.look(UNDONE)
    assert desk.said == ("RunbookMatched", "bad-rollout", None)
    keys = [e.key for e in desk.incident.status.evidence]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("state", [SignalState.CLEAR, SignalState.NO_DATA])
def test_a_denial_once_it_is_clear_overwrites_nothing_and_nothing_more_is_proposed(state):
    desk = Desk(runbook("load", symptoms=[symptom("any", "signals.size() > 0", 1, "Required")]))
    desk.look()
    before = desk.incident.status.diagnosis
    desk.look(UNDONE, state)
    desk.deny()
    desk.look(UNDONE, state)
    assert desk.incident.status.diagnosis == before
    assert len(desk.api.proposals) == 1
    desk.look(AFTER_THE_ROLLOUT)
    assert desk.incident.status.diagnosis.outcomes == 1, "it fires again: what was denied counts now"


def test_lesson_and_rehearsal_say_what_was_believed_and_what_came_of_it(denied):
    denied.look(UNDONE, SignalState.CLEAR)
    over = denied.resolved()
    (number,) = (e.id for e in over.status.evidence if e.kind == "Outcome")
    lesson = draft_lesson(over, list(denied.api.done.values()))
    assert "Cause: the cause bad-rollout is about (Runbook bad-rollout) [" in lesson.text
    assert f"]. Nothing was tried. Not done: rollback: DeniedByPerson [{number}]. Over after" in (lesson.text)
    played = rehearse([BAD_ROLLOUT], over)
    assert played.winner == "bad-rollout"
