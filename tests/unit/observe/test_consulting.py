"""An Incident whose diagnosis a model has a part in: asked beside the looks, once for each question, bounded."""

import json
import threading
from itertools import pairwise
from types import SimpleNamespace

import pytest
from tests.unit.builders import T0, at, condition, incident, remediation, runbook, signal, symptom
from tests.unit.diagnosis.panel.scripted import Clock, Scripted, claim, finding, is_aggregator, verdict
from tests.unit.observe.town import Api, Told

from hemostat.api.incident import CONSULTED, DIAGNOSED, MAX_EVIDENCE, EvidenceKind
from hemostat.api.meta import find
from hemostat.clock import FakeClock
from hemostat.diagnosis.evidence import Item
from hemostat.diagnosis.panel.consult import Panel
from hemostat.diagnosis.panel.meter import Budget, Meter
from hemostat.diagnosis.provider import NoAnswer
from hemostat.errors import Refused, Retry
from hemostat.observe.consultant import LEFT_FREE, MAX_WAITING, WORKERS, Consultant
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.permits import ANNOTATION, Permit, Permits, permit
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import Scene

FAILS = "signals.exists(s, s.state == 'Firing' && s.kind == 'ErrorRate')"
ONE, OTHER = (
    runbook(
        name,
        cause=f"cause of {name}",
        symptoms=[symptom("fails", FAILS, 2, "Required"), symptom("never", "signals.exists(s, s.kind == 'Queue')")],
    )
    for name in ("one", "other")
)
MORE = OTHER.spec.model_copy(
    update={"remediations": runbook(remediations=[{"action": "rollback"}, {"action": "scale"}]).spec.remediations}
)


class Office:
    """One Incident, looked at again and again, and a model that may take as long as the test wants."""

    def __init__(self, reply, *, books=(ONE, OTHER), kinds=frozenset(EvidenceKind), budget=None):
        self.api, self.events = Api(FakeClock(T0)), Told()
        self.api.books = list(books)
        self.go = threading.Event()
        self.go.set()
        self.model = Scripted(self._reply)
        self.reply = reply
        self.budget, self.permit = budget or Budget(), Permit(kinds, "" if kinds else "no evidence may leave")
        self.restart()
        self.api.items["payment-1"] = incident()

    def restart(self):
        """A new process: it knows what the Incident says."""
        clock, self.alive = Clock(), threading.Event()
        alive = self.alive
        alive.set()
        panel = Panel(self.model, Meter(self.budget, clock), clock)

        def record(meta, used):
            if alive.is_set():  # the dead write nothing
                self.api.write_usage(meta, used)

        self.consultant = Consultant(panel, lambda _: self.permit, lambda _: {}, lambda: T0, record=record)
        self.keeper = IncidentKeeper(self.api, self.events, "observe", self.consultant)

    def _reply(self, messages):
        assert self.go.wait(5)
        return self.reply(messages)

    def look(self, *signals, now=1.0, back=False):
        look = Look(state=WatchState(), signals=signals or (signal(),), notes={}, dropped=0)
        self.keeper.keep(self.api.items["payment-1"], look, Scene(), Word(), None, at(now), back=back)

    def settle(self, *signals, now=1.0):
        """Look, have the panel conclude, and look again."""
        self.look(*signals, now=now)
        for job in list(self.consultant._jobs.values()):
            job.coming.exception(timeout=5)
        self.look(*signals, now=now + 1)

    @property
    def status(self):
        return self.api.items["payment-1"].status

    def said(self, kind=CONSULTED):
        found = find(self.status.conditions, kind)
        return (found.status, found.reason)

    @property
    def proposed(self):
        return [p.spec.runbook_ref.name for p in self.api.proposals]


def chooses(name, confidence=60):
    def reply(messages):
        grounds = claim("payment fails", "payment", ["E1"])
        return verdict(name, grounds, confidence=confidence) if is_aggregator(messages) else finding()

    return reply


def test_a_tie_waits_for_the_model_and_nothing_is_proposed_before():
    office = Office(chooses("other"))
    office.go.clear()
    office.look()
    assert office.said() == office.said(DIAGNOSED) == ("Unknown", "Consulting")
    office.look(now=2)
    assert office.proposed == []
    office.go.set()
    office.settle(now=3)
    assert office.said() == ("True", "Chose")
    assert office.said(DIAGNOSED) == ("True", "RunbookChosen")
    assert office.proposed == ["other"]
    diagnosis = office.status.diagnosis
    assert (diagnosis.by, diagnosis.usage.turns, diagnosis.statements[0].cites) == ("Model", 1, ("E1",))
    spec = office.api.proposals[0].spec
    assert (spec.confidence_percent, spec.ranking) == (60, "Tied"), "a gate asks a person about what only a model chose"


def test_what_the_matcher_could_order_stays_ordered_whoever_chose():
    heavier = runbook("heavier", symptoms=[symptom("fails", FAILS, 4, "Required"), symptom("never", "false")])
    for choice in ("heavier", "one"):
        office = Office(chooses(choice), books=[ONE, heavier])
        office.settle()
        assert [(p.spec.runbook_ref.name, p.spec.ranking) for p in office.api.proposals] == [(choice, "Ordered")]
    alone = Office(chooses(None), books=[ONE], kinds=frozenset())
    alone.settle()
    assert alone.api.proposals[0].spec.ranking == "Ordered"


def test_the_same_question_is_asked_once():
    office = Office(chooses(None))
    office.settle()
    asked = len(office.model.asked)
    for n in range(5):
        office.settle(now=10 + n)
    assert len(office.model.asked) == asked
    office.settle(signal(), signal("calls/latency/checkout->payment", kind="Latency"), now=30)
    assert len(office.model.asked) > asked, "another signal is another question"


def test_evidence_stays_while_somebody_reads_it_and_its_numbers_stay_true():
    office = Office(chooses("other"))
    office.look()
    office.go.clear()
    more = (signal(), signal("calls/latency/checkout->payment", kind="Latency"))
    before = office.status.evidence
    office.look(*more, now=2)
    assert office.status.evidence == before
    office.go.set()
    office.settle(*more, now=3)
    office.look(*more, now=9)
    ids = [e.id for e in office.status.evidence]
    assert len(ids) == len(set(ids)) > len(before)


def test_look_ups_leave_room_for_the_signals_and_outcomes_that_come_after_them():
    office, found = Office(chooses(None)), []

    def consult(_case, pad, *_):
        for n in range(20):  # a model that looks up whatever it can, in logs that say something else each time
            found.extend(pad.add([Item(f"log/{n}/{i}", EvidenceKind.LOG, "p", "s") for i in range(8)]))
        raise ValueError

    office.consultant._panel = SimpleNamespace(consult=consult)
    office.settle()
    assert found[-1].id == f"E{MAX_EVIDENCE - LEFT_FREE}"


def test_what_the_evidence_decides_needs_no_model():
    sure = runbook("sure", symptoms=[symptom("fails", FAILS, 2, "Required")])
    office = Office(chooses(None), books=[sure])
    office.look()
    assert (office.model.asked, office.said(), office.proposed) == ([], ("False", "Decided"), ["sure"])


def test_where_no_evidence_may_leave_the_matcher_s_answer_stands():
    office = Office(chooses("other"), books=[ONE], kinds=frozenset())
    office.look()
    assert (office.model.asked, office.said(), office.proposed) == ([], ("False", "NotPermitted"), ["one"])


def test_a_provider_that_is_down_degrades_and_says_so():
    office = Office(lambda _: Retry("2 of 2 providers refuse"), books=[ONE])
    office.settle()
    assert office.said() == ("False", "NoProvider")
    assert "the matcher's answer stands" in find(office.status.conditions, CONSULTED).message
    assert (office.proposed, office.status.diagnosis.by) == (["one"], "Matcher")


def test_after_an_outage_the_same_question_is_asked_again_ever_more_seldom_until_it_is_answered():
    office = Office(lambda _: Retry("no model answers"))
    office.settle(now=0)
    asked, times = len(office.model.asked), []
    for now in range(2, 1800, 2):
        office.settle(now=now)
        if len(office.model.asked) > asked:
            times.append(now)
        asked = len(office.model.asked)
    waits = [b - a for a, b in pairwise([0, *times])]
    assert 30 <= waits[0] <= 40
    assert all(later >= 0.9 * sooner for sooner, later in pairwise(waits))
    assert waits[-1] >= 300, "it waits as long again as the outage has lasted"
    assert office.said() == ("False", "NoProvider")
    assert "asked again from 12:" in find(office.status.conditions, CONSULTED).message
    office.reply = chooses("other")
    for now in range(1800, 2500, 5):
        office.settle(now=now)
    assert (office.said(), office.proposed) == (("True", "Chose"), ["other"])
    asked = len(office.model.asked)
    office.settle(now=9000)
    assert len(office.model.asked) == asked, "what was answered is not asked again"


@pytest.mark.parametrize("reason", ["BadKey", "NoSuchModel"])
def test_what_somebody_sets_right_is_asked_again(reason):
    def refused(_):
        return Refused(reason, "it is set wrong")

    office = Office(refused)
    office.settle(now=0)
    assert office.said() == ("False", reason)
    office.reply = chooses("other")
    for now in range(5, 100, 5):
        office.settle(now=now)
    assert (office.said(), office.proposed) == (("True", "Chose"), ["other"])


def test_an_answer_of_the_matcher_is_looked_at_by_the_model_once_it_can_be_asked():
    office = Office(lambda _: Retry("no model answers"), books=[ONE])
    office.settle(now=0)
    assert office.proposed == ["one"]
    office.reply = chooses("one")
    office.settle(now=60)
    assert office.said() == ("True", "Agrees")


def test_what_a_breaker_refuses_is_no_turn_and_what_was_asked_in_vain_is():
    def unasked(_):
        error = NoAnswer("left alone for a while")
        error.asked = False
        return error

    office = Office(unasked, budget=Budget(turns=4))
    for n in range(10):
        office.settle(now=1000 * n)
    assert (office.status.usage.turns, office.said()) == (0, ("False", "NoProvider"))
    office.reply = lambda _: Retry("503")
    for n in range(10, 20):
        office.settle(now=1000 * n)
    assert (office.status.usage.turns, office.said()) == (4, ("False", "BudgetSpent"))
    asked = len(office.model.asked)
    office.settle(now=90_000)
    assert len(office.model.asked) == asked, "the budget bounds how often"


@pytest.mark.parametrize(
    "budget", [Budget(turns=3), Budget(tokens=6000), Budget(usd=0.02)], ids=["turns", "tokens", "usd"]
)
def test_a_process_that_is_killed_at_any_moment_begins_no_budget_anew(budget):
    """As SIGKILL would: nothing of the process is left but what the Incident says."""
    asked = []

    def killed(messages):
        asked.append(messages)
        office.recorded.append(office.api.items["payment-1"].status.usage)
        office.alive.clear()
        return Retry("nobody hears it")

    office = Office(killed, budget=budget)
    office.recorded = []
    for n in range(20):
        office.settle(signal(), signal(f"calls/latency/{n}", kind="Latency"), now=10 * n + 1)
        office.restart()
    assert 0 < len(asked) <= 3
    assert office.said() == ("False", "BudgetSpent")
    used = office.recorded[0]
    assert (used.turns, used.tokens > 4096, float(used.usd) > 0) == (1, True, True), "written before it is sent"


def test_what_was_answered_counts_with_what_it_used_also_after_a_restart():
    office = Office(chooses("one"), books=[ONE])
    office.settle()
    used = office.status.usage
    assert (used.turns, used.tokens, used.usd) == (1, 110, "0.010000")
    office.restart()
    office.settle(signal(), signal("calls/latency/x", kind="Latency"), now=50)
    assert office.status.usage.turns == 2


def test_nobody_is_asked_where_it_cannot_be_written_down():
    office = Office(chooses("other"))
    write = office.api.write_usage

    def fails(*_):
        raise Retry("the API server does not answer")

    office.api.write_usage = fails
    office.settle(now=0)
    assert (office.model.asked, office.said()) == ([], ("False", "NotCounted"))
    office.api.write_usage = write
    office.settle(now=60)
    assert office.said() == ("True", "Chose")


def test_a_panel_that_breaks_does_not_take_the_operator_with_it():
    def broken(_):
        raise ZeroDivisionError

    office = Office(broken, books=[ONE])
    office.settle()
    assert (office.said(), office.proposed) == (("False", "Failed"), ["one"])


def test_doubt_leaves_it_to_a_person():
    office = Office(chooses(None), books=[ONE])
    office.settle()
    assert office.said() == ("True", "InsufficientEvidence")
    assert office.status.diagnosis.abstained.by == "Model"
    assert [p.spec.confidence_percent for p in office.api.proposals] == [20]


def test_without_a_runbook_the_cause_is_explained_and_nothing_proposed():
    office = Office(chooses("drop-database", 100), books=[])
    office.settle()
    assert (office.said(), office.status.diagnosis.cause, office.proposed) == (
        ("True", "Explains"),
        "a bad rollout",
        [],
    )
    asked = len(office.model.asked)
    office.settle(now=20)
    assert len(office.model.asked) == asked


def test_all_rounds_of_an_incident_share_one_budget():
    office = Office(chooses(None), books=[ONE], budget=Budget(turns=2))
    for n in range(4):
        more = [signal(f"calls/latency/{i}", kind="Latency") for i in range(n)]
        office.settle(signal(), *more, now=10 * n + 1)
    assert len(office.model.asked) <= 2
    assert office.said() == ("False", "BudgetSpent")


def test_more_incidents_than_can_be_asked_about_get_the_matcher_s_answer():
    office = Office(chooses("one"), books=[ONE])
    office.go.clear()
    for n in range(MAX_WAITING + 1):
        one = incident()
        meta = one.metadata.model_copy(update={"uid": f"uid-{n}"})
        office.api.items["payment-1"] = one.model_copy(update={"metadata": meta})
        office.look()
    assert office.said() == ("False", "Busy")
    office.go.set()
    office.consultant.stop()


def test_answers_that_nobody_comes_for_take_no_place():
    office = Office(chooses("one"), books=[ONE])
    for n in range(MAX_WAITING + 1):  # each is over before it is looked at again
        one = incident()
        meta = one.metadata.model_copy(update={"uid": f"uid-{n}"})
        office.api.items["payment-1"] = one.model_copy(update={"metadata": meta})
        office.look()
        for job in list(office.consultant._jobs.values()):
            job.coming.exception(timeout=5)
    assert office.said() == ("Unknown", "Consulting")
    office.consultant.stop()


@pytest.mark.parametrize("slow", [False, True])
def test_what_was_asked_before_the_trouble_came_back_is_no_answer(slow):
    office = Office(chooses("other"))
    office.go.clear()
    office.look()
    (asked,) = office.consultant._jobs.values()
    if not slow:  # it was over before the next look
        office.go.set()
        asked.coming.exception(timeout=5)
        office.go.clear()
    office.look(signal("latency", kind="Latency"), signal(), now=300, back=True)
    assert office.proposed == []
    if slow:
        office.go.set()
        asked.coming.exception(timeout=5)
    office.reply = lambda _: verdict(None)
    office.go.set()
    office.settle(signal("latency", kind="Latency"), signal(), now=301)
    office.settle(signal("latency", kind="Latency"), signal(), now=304)
    assert office.proposed == [], "the model abstains about what came back"
    assert any(e.key == "signal/latency" for e in office.status.evidence)
    numbers = [e.id for e in office.status.evidence]
    assert len(numbers) == len(set(numbers))


def test_whose_turn_does_not_come_gets_the_matcher_s_answer(monkeypatch):
    """With two asked at once and a minute for each, the last of a storm would wait for a quarter of an hour."""
    office = Office(chooses("one"), books=[runbook("one", symptoms=[symptom("fails", FAILS), symptom("no", "false")])])
    now = [T0]
    monkeypatch.setattr(office.consultant, "_now", lambda: now[0])
    office.go.clear()
    for n in range(WORKERS + 1):
        one = incident()
        meta = one.metadata.model_copy(update={"uid": f"uid-{n}"})
        office.api.items["payment-1"] = one.model_copy(update={"metadata": meta})
        office.look()
    assert office.said() == ("Unknown", "Consulting")
    now[0] = at(59)
    office.look(now=59)
    assert (office.said(), office.proposed) == (("Unknown", "Consulting"), [])
    now[0] = at(61)
    office.look(now=61)
    assert (office.said(), office.proposed) == (("False", "Busy"), ["one"])
    first = incident()
    meta = first.metadata.model_copy(update={"uid": "uid-0"})
    assert office.consultant.pending(first.model_copy(update={"metadata": meta})), (
        "who is being asked about has the time of a consultation"
    )
    office.go.set()
    office.consultant.stop()


@pytest.mark.parametrize(
    ("text", "kinds", "problem"),
    [
        ("Signal, Change", {"Signal", "Change"}, ""),
        ("Signal,Secrets", set(), "'Secrets' in it is none"),
        ("Change,Episode", {"Change"}, ""),  # a past incident is told by what fired then
        ("Signal,Episode", {"Signal", "Episode"}, ""),
        (" , ", set(), "it names none"),
        (None, set(), "has no annotation"),
    ],
)
def test_what_may_leave_is_what_the_namespace_says(text, kinds, problem):
    found = permit({ANNOTATION: text} if text is not None else {})
    assert {k.value for k in found.kinds} == kinds
    assert problem in found.problem


def test_namespaces_are_asked_for_seldom_and_fail_closed():
    asked, clock = [], [0.0]

    def annotations(name):
        asked.append(name)
        if name == "gone":
            raise Retry("the API server does not answer")
        return {ANNOTATION: "Signal"}

    permits = Permits(annotations, lambda: clock[0])
    assert permits.of("shop").kinds == permits.of("shop").kinds == {EvidenceKind.SIGNAL}
    assert asked == ["shop"]
    clock[0] = 31.0
    permits.of("shop")
    assert asked == ["shop", "shop"]
    assert permits.of("gone").kinds == frozenset()


def test_secrets_reach_neither_the_model_nor_the_incident():
    office = Office(chooses("one"))
    office.settle(
        signal(message="psql: postgres://app:hunter2@db/shop is down, Authorization: Bearer abcdef0123456789abcdef")
    )
    assert "hunter2" not in json.dumps(office.model.asked)
    assert "abcdef0123456789" not in json.dumps(office.model.asked)
    assert not [e for e in office.status.evidence if "hunter2" in e.summary]


def end(office, reason, message=""):
    """What was proposed last came to an end."""
    last = office.api.proposals[-1]
    made = remediation(last.name, {"conditions": [condition("Finished", True, reason, message=message)]})
    office.api.done[last.name] = made.model_copy(update={"spec": last.spec})


def test_a_denial_is_another_question_which_tells_the_model_of_it_once():
    office = Office(chooses("one"), books=[ONE, OTHER.model_copy(update={"spec": MORE})])
    office.settle()
    assert office.proposed == ["one"]
    asked = len(office.model.asked)
    end(office, "DeniedByPerson", "ada: not during the sale")
    office.reply = chooses("other")
    office.settle(now=20)
    assert len(office.model.asked) > asked
    assert "not during the sale" in json.dumps(office.model.asked[-1])
    assert office.proposed == ["one", "other"]
    asked = len(office.model.asked)
    office.settle(now=30)
    assert len(office.model.asked) == asked


def test_while_the_model_is_asked_anew_nothing_is_proposed_and_the_old_answer_is_in_question():
    office = Office(chooses("one"), books=[ONE, OTHER.model_copy(update={"spec": MORE})])
    office.settle()
    end(office, "DeniedByPerson")
    office.go.clear()
    office.look(now=20)
    office.look(now=22)
    assert office.said(DIAGNOSED) == ("Unknown", "Consulting")
    assert office.proposed == ["one"]
    office.go.set()
    office.settle(now=24)
    assert office.said(DIAGNOSED)[0] == "True"


def test_a_model_is_not_told_of_what_was_ruled_out_as_if_it_would_be_done():
    office = Office(chooses("other"), books=[ONE, OTHER.model_copy(update={"spec": MORE})])
    office.settle()
    end(office, "DeniedByPerson")
    office.settle(now=20)
    told = office.model.asked[-1][-1]["content"].split("<candidates>")[1]
    assert "scale" in told
    assert "rollback" not in told


@pytest.mark.parametrize("why", ["NotPermitted", "Busy"])
def test_who_could_not_be_asked_is_asked_once_that_has_passed_and_not_for_ever(why, monkeypatch):
    office = Office(chooses("other"))
    permits = [Permit(frozenset(), "not yet")] if why == "NotPermitted" else []
    office.consultant._permits = lambda _: permits[0] if permits else Permit(frozenset(EvidenceKind))
    monkeypatch.setattr("hemostat.observe.consultant.MAX_WAITING", 0 if why == "Busy" else 32)
    office.look()
    assert (office.said(), office.proposed) == (("False", why), [])
    writes = office.api.writes
    office.look(now=5)
    assert office.api.writes == writes, "asking again in vain writes nothing"
    permits.clear()
    monkeypatch.setattr("hemostat.observe.consultant.MAX_WAITING", 32)
    office.settle(now=40)
    assert (office.said(), office.proposed) == (("True", "Chose"), ["other"])

    late = Office(chooses("other"), kinds=frozenset())
    late.look()
    late.look(now=700)
    late.consultant._permits = lambda _: Permit(frozenset(EvidenceKind))
    late.settle(now=710)
    assert late.said() == ("False", "NotPermitted"), "there is an end to asking"


@pytest.mark.parametrize("full", [0, 32], ids=["no place", "its turn does not come"])
def test_who_is_not_asked_for_want_of_room_is_asked_again_ever_more_seldom(full, monkeypatch):
    """Ten minutes of asking at every look began anew with every asking: there was no end to it."""
    office, now = Office(chooses("other")), [0.0]
    monkeypatch.setattr("hemostat.observe.consultant.MAX_WAITING", full)
    monkeypatch.setattr(office.consultant, "_now", lambda: at(now[0]))
    busy, times, begun = threading.Event(), [], office.consultant._begun
    for _ in range(WORKERS):
        office.consultant._pool.submit(busy.wait, 5)
    office.consultant._begun = lambda *asked: times.append(now[0]) or begun(*asked)
    for now[0] in range(0, 3600, 4):
        office.look(now=now[0])
    busy.set()
    waits = [b - a for a, b in pairwise(times)]
    assert 5 <= len(times) <= 14
    assert waits[0] >= 30
    assert waits[-1] >= 600
    office.consultant.stop()


def test_what_a_namespace_withdraws_while_a_question_waits_for_its_turn_is_not_sent():
    """What might leave was settled when the question was queued: two minutes later it left all the same."""
    office, full = Office(chooses("other")), threading.Event()
    for _ in range(WORKERS):
        office.consultant._pool.submit(full.wait, 5)
    office.look()
    office.permit = Permit(frozenset(EvidenceKind) - {EvidenceKind.LOG})
    full.set()
    office.settle(now=3)
    assert office.model.asked == []
    assert office.said() == ("False", "NotPermitted")
    assert "Log" in find(office.status.conditions, CONSULTED).message
    office.settle(now=5)
    assert office.said() == ("True", "Chose"), "what may leave still is asked about"


def test_what_a_namespace_withdraws_between_two_turns_is_not_sent_again():
    def reply(messages):
        if not is_aggregator(messages):
            return finding()
        office.permit = Permit(frozenset(), "no evidence may leave")
        return "no JSON: it is asked to repair that"

    office = Office(reply)
    office.settle()
    assert len([m for m in office.model.asked if is_aggregator(m)]) == 1
    assert office.said() == ("False", "NotPermitted")
    assert office.status.diagnosis.usage.turns >= 1, "what was used before it is counted"
