"""What is worth a write: each is a row of `kubectl get incident -w`. Numbers alone are told every ten seconds."""

import pytest
from tests.unit.builders import T0, at, condition, incident, runbook, signal, symptom
from tests.unit.observe.town import Api, Told

from hemostat.api.incident import DIAGNOSED, SignalState
from hemostat.api.meta import find
from hemostat.clock import FakeClock
from hemostat.observe.incident import IncidentKeeper
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import Scene

NEVER = runbook("never", symptoms=[symptom("never", "signals.size() > 99", 1, "Required")])


class Desk:
    def __init__(self, *conditions):
        self.api, self.now = Api(FakeClock(T0)), 0.0
        self.api.books = [NEVER]
        self.api.items["payment-1"] = incident(conditions=conditions)
        self.keeper = IncidentKeeper(self.api, Told(), "observe")

    def look(self, percent, **changed):
        self.now += 2
        self.told = f"{percent}.3% of {percent * 9} calls fail"
        one = signal(value=str(percent), samples=percent, message=self.told, observed_time=at(self.now), **changed)
        look = Look(state=WatchState(), signals=(one,), notes={}, dropped=0)
        self.keeper.keep(self.api.items["payment-1"], look, Scene(), Word(), None, at(self.now))
        return self.api.writes

    @property
    def status(self):
        return self.api.items["payment-1"].status


def test_a_percentage_that_goes_on_is_told_every_ten_seconds():
    desk = Desk()
    first = desk.look(40)
    for n in range(150):
        desk.look(41 + n % 7)
    assert 300 / 12 <= desk.api.writes - first <= 300 / 10
    assert (at(desk.now) - desk.status.signals[0].observed_time).total_seconds() <= 10


@pytest.mark.parametrize(
    "changed",
    [{"state": SignalState.CLEAR}, {"severity": "Critical"}, {"key": "calls/errors/cart->payment"}],
    ids=["clear", "worse", "other"],
)
def test_whatever_else_is_new_is_told_at_once(changed):
    desk = Desk()
    before = desk.look(40)
    assert desk.look(40, **changed) == before + 1


def test_while_an_action_is_verified_every_number_counts():
    desk = Desk(condition("Remediated", True, "Applied"))
    before = desk.look(40)
    assert [desk.look(n) - before for n in (41, 42, 43)] == [1, 2, 3]


def test_that_nothing_was_concluded_is_told_once():
    """The step stayed `Opened`, and neither timeline nor stream said a word of it."""
    desk = Desk()
    for n in range(20):
        desk.look(40 + n)
    assert find(desk.status.conditions, DIAGNOSED).reason == "NoRunbookMatches"
    said = [e.message for e in desk.status.timeline if e.id == "observe/undiagnosed/0/NoRunbookMatches"]
    assert said == ["NoRunbookMatches: no active Runbook for a Deployment matches the evidence; 1 considered"]
