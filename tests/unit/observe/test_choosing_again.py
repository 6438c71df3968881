"""A Runbook is chosen again when signals say something new, while nothing was done that could have mattered."""

import pytest
from tests.unit.builders import T0, at, condition, incident, remediation, runbook, signal, symptom
from tests.unit.observe.town import Api, Told

from hemostat.api.incident import Advice, ConversationStatus
from hemostat.clock import FakeClock
from hemostat.observe.incident import IncidentKeeper
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import Scene

CAP = runbook(
    "a-loop",
    symptoms=[symptom("loop", "signals.exists(s, s.state == 'Firing' && s.kind == 'Cycle')", 1, "Required")],
    remediations=[{"action": "cap-conversation"}],
)
CUT = runbook(
    "cut-loop",
    symptoms=[symptom("costs", "signals.exists(s, s.state == 'Firing' && s.advice == 'Cut')", 2, "Required")],
    remediations=[{"action": "cut-edge"}],
)


def loop(advice):
    told = ConversationStatus(
        kind="Cycle", caller="critic", callee="planner", confidence_percent=90, visibility="Full", advice=advice
    )
    return signal("talk/Cycle/critic -> planner", kind="Cycle", unit=" rounds", conversation=told)


class Kept:
    """One Incident, looked at again and again."""

    def __init__(self):
        self.api, self.events = Api(FakeClock(T0)), Told()
        self.api.books = [CAP, CUT]
        self.keeper = IncidentKeeper(self.api, self.events, "observe")
        self.api.items["payment-1"] = incident()

    def look(self, *signals, now=1.0):
        look = Look(state=WatchState(), signals=signals, notes={}, dropped=0)
        self.keeper.keep(self.api.items["payment-1"], look, Scene(), Word(), None, at(now))
        return self.chosen

    @property
    def chosen(self):
        ref = self.api.items["payment-1"].status.diagnosis.runbook_ref
        return ref.name if ref is not None else None

    def end(self, reason, *, applied=False, finished=True):
        """What was proposed last came to an end."""
        last = self.api.proposals[-1]
        said = [condition("Applied", applied), *([condition("Finished", True, reason)] if finished else [])]
        made = remediation(last.name, {"conditions": said})
        self.api.done[last.name] = made.model_copy(update={"spec": last.spec})

    @property
    def proposed(self):
        return [(p.spec.runbook_ref.name, p.spec.action, p.spec.step) for p in self.api.proposals]


@pytest.fixture
def kept():
    found = Kept()
    assert found.look(loop(Advice.NOTIFY)) == "a-loop"
    return found


@pytest.mark.parametrize(("reason", "applied"), [("NoGuard", False), ("Ineffective", True), ("NothingToCut", False)])
def test_a_loop_that_has_become_worth_a_cut_is_answered_by_the_runbook_for_it(kept, reason, applied):
    """It stayed with the Runbook that was chosen when there was nothing to cut, and a person was waited for."""
    kept.end(reason, applied=applied)
    assert kept.look(loop(Advice.NOTIFY)) == ("a-loop" if reason == "NothingToCut" else None)
    assert kept.look(loop(Advice.CUT)) == "cut-loop"
    assert kept.proposed == [("a-loop", "cap-conversation", 0), ("cut-loop", "cut-edge", 0)]
    assert kept.api.items["payment-1"].status.remediation_ref.name == kept.api.proposals[-1].name
    messages = [e.message for e in kept.api.items["payment-1"].status.timeline]
    assert any(m.startswith("runbook cut-loop: ") for m in messages)


def test_a_signal_of_another_kind_is_something_new(kept):
    kept.api.books.append(
        runbook("fails", symptoms=[symptom("e", "signals.exists(s, s.kind == 'ErrorRate')", 5, "Required")])
    )
    kept.end("NoGuard")
    assert kept.look(loop(Advice.NOTIFY), signal()) == "fails"


@pytest.mark.parametrize(
    ("reason", "applied", "finished"),
    [
        ("", False, False),
        ("", True, False),
        ("Healed", True, True),
        ("Worse", True, True),
        ("Undecided", True, True),
        ("NoData", True, True),
        ("UndoBlocked", True, True),
    ],
)
def test_what_is_at_work_or_was_of_effect_or_waits_for_a_person_stands(kept, reason, applied, finished):
    kept.end(reason, applied=applied, finished=finished)
    assert kept.look(loop(Advice.CUT)) == "a-loop"
    assert len(kept.proposed) == 1


def test_without_news_nothing_is_chosen_again_and_nothing_written(kept):
    kept.end("NothingToCut")
    kept.look(loop(Advice.NOTIFY))
    kept.api.books.append(runbook("heavier", symptoms=[symptom("any", "size(signals) > 0", 9, "Required")]))
    writes = kept.api.writes
    assert kept.look(loop(Advice.NOTIFY)) == "a-loop"
    assert kept.api.writes == writes


def test_what_is_new_and_matches_nothing_leaves_the_choice_as_it_is(kept):
    kept.end("NothingToCut")
    kept.api.books = [runbook("other", symptoms=[symptom("never", "false", 1, "Required")]), CAP]
    assert kept.look(signal("talk/TokenBurn", kind="TokenBurn")) == "a-loop"


def test_remediations_of_two_runbooks_have_two_names_and_each_begins_at_its_first_step(kept):
    kept.end("Ineffective", applied=True)
    assert kept.look(loop(Advice.CUT)) == "cut-loop"
    assert [(b, s) for b, _, s in kept.proposed] == [("a-loop", 0), ("cut-loop", 0)]
    assert len({p.name for p in kept.api.proposals}) == 2
