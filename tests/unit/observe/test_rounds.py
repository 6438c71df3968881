"""What was denied or in vain begins another round of diagnosis, with that as evidence, and not for ever."""

import pytest
from tests.unit.builders import T0, at, condition, incident, remediation, runbook, signal, symptom
from tests.unit.diagnosis.test_ladders import told
from tests.unit.observe.town import Api, Told

from hemostat.api.incident import DIAGNOSED, EvidenceKind
from hemostat.api.meta import find
from hemostat.clock import FakeClock
from hemostat.observe.incident import IncidentKeeper
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import Scene

FAILS = "signals.exists(s, s.state == 'Firing' && s.kind == 'ErrorRate')"


def book(name, weight, *actions):
    return runbook(
        name, symptoms=[symptom("fails", FAILS, weight, "Required")], remediations=[{"action": a} for a in actions]
    )


class Desk:
    """One Incident, looked at again and again, and whoever decides about what is proposed."""

    def __init__(self, *books, rounds=5):
        self.api, self.events, self.rounds, self.now = Api(FakeClock(T0)), Told(), rounds, 0.0
        self.api.books = list(books)
        self.api.items["payment-1"] = incident()
        self.restart()

    def restart(self):
        self.keeper = IncidentKeeper(self.api, self.events, "observe", rounds=self.rounds)

    def look(self, *signals):
        self.now += 2
        look = Look(state=WatchState(), signals=signals or (signal(),), notes={}, dropped=0)
        self.keeper.keep(self.api.items["payment-1"], look, Scene(), Word(), None, at(self.now))
        return self

    def end(self, reason, message="", *, applied=False, undone=False):
        last = self.api.proposals[-1]
        said = [condition("Applied", applied), condition("Undone", undone)]
        said.append(condition("Finished", True, reason, self.now, message))
        made = remediation(last.name, {"conditions": said})
        self.api.done[last.name] = made.model_copy(update={"spec": last.spec})
        return self.look()

    @property
    def status(self):
        return self.api.items["payment-1"].status

    @property
    def said(self):
        found = find(self.status.conditions, DIAGNOSED)
        return found.status, found.reason, found.message

    @property
    def proposed(self):
        return [(p.spec.runbook_ref.name, p.spec.action) for p in self.api.proposals]

    def hypothesis(self, name):
        return next(h for h in self.status.diagnosis.hypotheses if h.runbook == name)

    def outcomes(self):
        return [e for e in self.status.evidence if e.kind is EvidenceKind.OUTCOME]


def test_what_a_person_denied_is_evidence_and_the_runbook_without_more_to_try_is_ruled_out_by_it():
    desk = Desk(book("release", 3, "rollback"), book("load", 2, "scale")).look()
    desk.end("DeniedByPerson", "ada: not during the sale, token=hunter2")
    assert desk.proposed == [("release", "rollback"), ("load", "scale")]
    (told,) = desk.outcomes()
    assert told.summary.startswith("rollback of Runbook release was denied by a person: ada: not during the sale")
    assert "hunter2" not in told.summary
    out = desk.hypothesis("release")
    assert out.ruled_out == "rollback of Runbook release was denied by a person"
    assert (out.cites, out.confidence_percent) == (("E1", told.id), 100), "the action was refused, not the cause"
    assert (out.ruled_out_only, out.candidate) == ("Action", False)
    messages = [e.message for e in desk.status.timeline]
    assert any(m.startswith("diagnosed anew (round 2 of 5): rollback of Runbook release was denied") for m in messages)
    assert not any("hunter2" in m for m in messages)


def test_what_was_denied_about_a_conversation_is_not_proposed_about_it_again():
    """The first proposal was about the whole target, for the look before had seen nothing: its denial bound nobody."""
    cycles = [symptom("cycles", "signals.exists(s, s.state == 'Firing' && s.kind == 'Cycle')", 1, "Required")]
    steps = [{"action": "cut-edge"}, {"action": "halt-conversation"}]
    desk = Desk(runbook("loop", symptoms=cycles, remediations=steps)).look(told("c1"))
    last = desk.api.proposals[-1]
    done = remediation(last.name, {"conditions": [condition("Finished", True, "DeniedByPerson", 3)]})
    desk.api.done[last.name] = done.model_copy(update={"spec": last.spec})
    for signal_ in (told("c1"), told("c1", "c2"), told("c1", "c2")):
        desk.look(signal_)
    assert [(p.spec.action, p.spec.conversations) for p in desk.api.proposals][:2] == [
        ("cut-edge", ("c1",)),
        ("halt-conversation", ("c1",)),
    ]
    assert ("cut-edge", ("c1",)) not in [(p.spec.action, p.spec.conversations) for p in desk.api.proposals][1:]


def loop(*actions):
    cycles = [symptom("cycles", "signals.exists(s, s.state == 'Firing' && s.kind == 'Cycle')", 1, "Required")]
    return runbook("loop", symptoms=cycles, remediations=[{"action": a} for a in actions])


def about(desk):
    return [(p.spec.action, p.spec.conversations) for p in desk.api.proposals]


@pytest.mark.parametrize("reason", ["DeniedByPerson", "Ineffective"])
def test_what_was_tried_about_one_conversation_says_nothing_about_another(reason):
    """Seen: a cut that was denied for one exhausted the Runbook, and the loop of the other went on for ever."""
    desk = Desk(loop("cut-edge")).look(told("c1"))
    last = desk.api.proposals[-1]
    done = remediation(last.name, {"conditions": [condition("Finished", True, reason, 3)]})
    desk.api.done[last.name] = done.model_copy(update={"spec": last.spec})
    desk.look(told("c1"))
    assert desk.said[1] == "Exhausted", "for the first there is nothing left"
    desk.look(told("c1", "c2")).look(told("c2"))
    assert about(desk) == [("cut-edge", ("c1",)), ("cut-edge", ("c2",))]


def test_a_proposal_names_who_is_in_trouble_now_and_comes_after_the_incident_says_so():
    """It named those of the look before; and `act` plans for those that the Incident tells of, and no others."""
    desk = Desk().look(told("c1"))
    desk.api.books = [loop("cut-edge")]
    told_then = []
    plain = desk.api.propose

    def propose(namespace, proposal):
        told_then.append({c.id for s in desk.status.signals for c in s.conversation.conversations})
        plain(namespace, proposal)

    desk.api.propose = propose
    desk.look(told("c2"))
    assert about(desk) == [("cut-edge", ("c2",))]
    assert told_then == [{"c2"}]


def test_what_was_written_and_not_proposed_is_proposed_by_the_next_look():
    """A process may end in between, or the API server refuse it."""
    desk = Desk(book("release", 3, "rollback"))
    desk.api.propose, plain = lambda *_: None, desk.api.propose
    desk.look()
    desk.api.propose = plain
    desk.look()
    assert desk.proposed == [("release", "rollback")]
    assert desk.status.remediation_ref.name == desk.api.proposals[0].name


def test_an_ineffective_step_begins_a_round_and_the_same_runbook_goes_on_with_its_next():
    desk = Desk(book("release", 3, "rollback", "scale")).look().end("Ineffective", applied=True)
    assert desk.proposed == [("release", "rollback"), ("release", "scale")]
    assert desk.status.diagnosis.outcomes == 1
    assert desk.hypothesis("release").ruled_out is None


def test_what_made_it_worse_and_was_undone_is_not_believed_any_more():
    desk = Desk(book("release", 3, "rollback", "scale"), book("load", 2, "delete-pod")).look()
    desk.end("Worse", "errors rose", applied=True, undone=True)
    assert desk.proposed == [("release", "rollback"), ("load", "delete-pod")]
    assert desk.hypothesis("release").ruled_out == "rollback of Runbook release made it worse, and was undone"
    assert (desk.hypothesis("release").confidence_percent, desk.hypothesis("release").ruled_out_only) == (0, None)


def test_what_made_it_worse_and_still_stands_is_a_person_s():
    desk = Desk(book("release", 3, "rollback"), book("load", 2, "scale")).look()
    desk.end("Worse", applied=True)
    assert desk.proposed == [("release", "rollback")]
    assert any("a person is needed" in e.message for e in desk.status.timeline)


def test_what_only_a_person_can_mend_is_named_and_handed_over_at_once_and_once():
    desk = Desk(book("certificate", 3), book("load", 2, "scale")).look().look()
    assert desk.proposed == []
    assert desk.status.diagnosis.runbook_ref.name == "certificate"
    (told,) = [e.message for e in desk.status.timeline if "a person is needed" in e.message]
    assert told == "a person is needed: Runbook certificate names no remediation; its guidance says what to look at"


def test_an_action_that_was_denied_is_not_proposed_again_by_another_runbook():
    desk = Desk(book("release", 3, "rollback"), book("other", 2, "rollback", "scale")).look().end("DeniedByPerson")
    assert desk.proposed[1:] == [("other", "scale")]


def test_when_nothing_is_left_it_says_what_was_tried_once_and_writes_no_more():
    desk = Desk(book("release", 3, "rollback")).look().end("DeniedByPerson", "ada: no")
    status, reason, message = desk.said
    assert (status, reason) == ("False", "Exhausted")
    assert "rollback of Runbook release was denied by a person" in message
    assert desk.status.diagnosis.runbook_ref is None
    writes = desk.api.writes
    desk.look().look()
    assert desk.api.writes == writes
    assert list(desk.events.of("Exhausted").values()) == [1]


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_there_are_so_many_rounds_and_then_the_condition_says_so(rounds):
    actions = ("rollback", "scale", "delete-pod", "cut-edge", "halt-conversation")
    desk = Desk(book("release", 3, *actions), rounds=rounds).look()
    for n in range(rounds):
        assert len(desk.proposed) == n + 1
        desk.end("Ineffective" if n % 2 else "DeniedByPerson", applied=bool(n % 2))
    assert len(desk.proposed) == rounds
    status, reason, message = desk.said
    assert (status, reason) == ("False", "RoundsUsedUp")
    assert f"{rounds} rounds" in message
    assert "HEMOSTAT_DIAGNOSIS_ROUNDS" in message
    writes = desk.api.writes
    desk.look().look(signal(), signal("calls/latency/x", kind="Latency"))
    assert (len(desk.proposed), desk.said[1]) == (rounds, "RoundsUsedUp")
    assert desk.api.writes - writes <= 1, "the new signal"
    assert list(desk.events.of("RoundsUsedUp").values()) == [1]


def test_what_does_not_fit_here_is_no_round():
    """A ladder of rungs that a namespace has not installed was climbed before, and still is."""
    actions = ("cut-edge", "cut-network", "deny-call", "delete-pod")
    desk = Desk(book("loop", 3, *actions), rounds=1).look()
    for reason in ("NoGuard", "NotInstalled", "NoService"):
        desk.end(reason)
    assert [a for _, a in desk.proposed] == list(actions)


def test_a_new_process_goes_on_where_the_last_one_stopped():
    """Killed after any write: the round is derived from Remediations and status, not from memory."""
    desk = Desk(book("release", 3, "rollback"), book("load", 2, "scale")).look()
    last = desk.api.proposals[-1]
    done = remediation(last.name, {"conditions": [condition("Finished", True, "DeniedByPerson", 3)]})
    desk.api.done[last.name] = done.model_copy(update={"spec": last.spec})
    desk.restart()
    desk.look()
    desk.restart()
    desk.look().look()
    assert desk.proposed == [("release", "rollback"), ("load", "scale")]
    assert len(desk.outcomes()) == 1


def test_a_signal_that_is_new_begins_a_round_after_everything_was_tried():
    slow = runbook("slow", symptoms=[symptom("slow", "signals.exists(s, s.kind == 'Latency')", 1, "Required")])
    slow = slow.model_copy(
        update={"spec": slow.spec.model_copy(update={"remediations": book("x", 1, "scale").spec.remediations})}
    )
    desk = Desk(book("release", 3, "rollback"), slow).look().end("DeniedByPerson")
    assert desk.said[1] == "Exhausted"
    desk.look(signal(), signal("calls/latency/x", kind="Latency"))
    assert desk.proposed[1:] == [("slow", "scale")]


def test_outcomes_of_an_earlier_opening_do_not_count():
    desk = Desk(book("release", 3, "rollback")).look().end("DeniedByPerson")
    resolved = [
        *desk.status.conditions,
        find(incident(conditions=(condition("Resolved"),)).status.conditions, "Resolved"),
    ]
    desk.api.items["payment-1"] = desk.api.items["payment-1"].model_copy(
        update={"status": desk.status.model_copy(update={"conditions": tuple(resolved)})}
    )
    desk.now += 100
    look = Look(state=WatchState(), signals=(signal(),), notes={}, dropped=0)
    desk.keeper.keep(desk.api.items["payment-1"], look, Scene(), Word(), None, at(desk.now), back=True)
    desk.look()
    assert desk.proposed == [("release", "rollback")] * 2


def test_what_was_concluded_is_not_lost_when_the_target_goes_a_moment_later():
    """Nobody looks after that: what an older listing says would stand for ever, and in the lesson."""
    desk = Desk(book("release", 3, "rollback"), book("load", 2, "scale")).look()
    listed = desk.api.items["payment-1"]
    desk.end("DeniedByPerson", "ada: no")
    desk.keeper.abandon(listed, "TargetDeleted", "Deployment payment was deleted", at(desk.now))
    assert len(desk.outcomes()) == 1
    assert desk.status.diagnosis.runbook_ref.name == "load"
    assert find(desk.status.conditions, "Watched").reason == "TargetDeleted"
    del desk.api.items["payment-1"]
    desk.keeper.abandon(listed, "TargetDeleted", "Deployment payment was deleted", at(desk.now))
