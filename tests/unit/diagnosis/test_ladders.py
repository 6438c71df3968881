"""Each conversation of agents climbs the ladder by itself: what was done about one says nothing about another."""

import pytest
from tests.unit.action.test_orders import trouble
from tests.unit.builders import T0, condition, incident, remediation, runbook, signal

from hemostat.api.incident import Advice, SignalState
from hemostat.clock import rfc3339
from hemostat.diagnosis.ladders import MAX_AT_WORK, MAX_PROPOSED, in_trouble, propose_next
from hemostat.diagnosis.propose import Confidence, NothingToPropose, Proposal

BOOK = runbook(remediations=[{"action": "cut-edge"}, {"action": "halt-conversation"}])
EFFECT = {"verb": "Call", "apiVersion": "v1", "kind": "Service", "name": "x", "ops": [{"op": "add", "path": "/b"}]}
EFFECT |= {"call": {"protocol": "LiteLLM", "url": "http://x.shop.svc", "id": "k"}}


def told(*conversations, state=SignalState.FIRING, **changed):
    about = trouble(*conversations).model_copy(update=changed)
    return signal(f"talks/{about.kind}/{about.caller}", kind="Cycle", conversation=about, state=state)


def case(*signals, **status):
    return incident(signals=signals, **status)


def plan(hold=60):
    made = {"summary": "cut", "steps": [{"forward": EFFECT}], "diff": "", "replacedPods": 0, "replicasAfter": 1}
    made |= {"onIneffective": "Undo", "readsDigest": "sha256:" + "0" * 64}
    return made | ({"holdSeconds": hold} if hold else {})


def did(*conversations, reason="", step=0, attempt=1, hold=60, planned=True, opening=0):
    conditions = [condition("Finished", True, reason)] if reason else []
    status = {"conditions": conditions} | ({"plan": plan(hold)} if planned else {})
    name = f"r-{step}-{attempt}-{opening}-{'-'.join(conversations)}"
    spec = {"step": step, "attempt": attempt, "opening": opening, "conversations": list(conversations)}
    return remediation(name, status, action=BOOK.spec.remediations[step].action, **spec)


def next_(incident_, *done):
    found = propose_next(incident_, BOOK, Confidence(80), done, "observe")
    if isinstance(found, NothingToPropose):
        return found.reason
    return found.spec.step, found.spec.conversations


def test_those_in_trouble_at_once_are_cut_together():
    assert next_(case(told("c2", "c1"))) == (0, ("c1", "c2"))


def test_who_joins_while_another_is_cut_is_cut_at_once_and_by_the_gentlest_rung():
    """Seen: 81 s later, when the first cut was verified and over, and halted for 300 s as the second rung."""
    assert next_(case(told("c1", "c2")), did("c1")) == (0, ("c2",))
    assert next_(case(told("c2")), did("c1", reason="Healed")) == (0, ("c2",))
    assert next_(case(told("c1", "c2")), did("c1", reason="Ineffective")) == (0, ("c2",))


def test_who_is_cut_already_gets_nothing_more():
    assert next_(case(told("c1")), did("c1")) == "InProgress"


def test_one_that_goes_on_climbs_and_takes_no_other_with_it():
    both = did("c1", "c2", reason="Ineffective")
    assert next_(case(told("c1")), both) == (1, ("c1",))
    assert next_(case(told("c1", "c3")), both) == (0, ("c3",))
    assert next_(case(told("c1", "c3")), both, did("c3")) == (1, ("c1",))


def test_what_healed_and_is_there_again_climbs():
    assert next_(case(told("c1")), did("c1", reason="Healed")) == (1, ("c1",))
    again = case(told("c1"), reopened={"count": 1, "time": rfc3339(T0)})
    assert next_(again, did("c1", reason="Healed")) == (1, ("c1",))
    assert next_(case(told("c2"), reopened={"count": 1, "time": rfc3339(T0)}), did("c1", reason="Healed")) == (
        0,
        ("c2",),
    )


@pytest.mark.parametrize("reason", ["NothingToCut", "NotNeeded", "Drifted"])
def test_what_had_ended_by_itself_before_anything_was_done_is_tried_again_on_the_same_rung(reason):
    found = propose_next(case(told("c1")), BOOK, Confidence(80), [did("c1", reason=reason)], "observe")
    assert (found.spec.step, found.spec.attempt) == (0, 2)


def test_what_a_person_took_back_is_for_a_person_and_others_are_still_cut():
    assert next_(case(told("c1")), did("c1", reason="TakenBack")) == "PersonNeeded"
    assert next_(case(told("c1", "c2")), did("c1", reason="TakenBack")) == (0, ("c2",))


def test_what_only_is_told_waits_behind_what_is_sure():
    patient = told("c0", advice=Advice.NOTIFY, caller="writer")
    assert next_(case(patient, told("c1"))) == (0, ("c1",))
    assert next_(case(patient)) == (0, ("c0",))


@pytest.mark.parametrize(
    "whole",
    [
        signal(),
        told("c1", "c2", caller="*"),
        told("c1", affected=900),
        told(),
    ],
)
def test_trouble_that_is_nobodys_own_is_the_targets(whole):
    found = propose_next(case(whole), BOOK, Confidence(80), [], "observe")
    assert isinstance(found, Proposal)
    assert (found.name, found.spec.conversations) == ("payment-1-cut-edge-0-1", ())


def test_a_storm_waits_for_what_is_at_work_and_is_not_judged_by_what_was_done_about_others():
    storm = case(told("c1", "c2", caller="*"))
    assert next_(storm, did("c1")) == "InProgress"
    assert next_(storm, did("c1", reason="Healed")) == (0, ())


def test_an_action_that_stays_is_the_targets_and_not_repeated_for_every_conversation():
    """A Runbook may roll a prompt back because agents go round: once."""
    assert next_(case(told("c1", "c2")), did("c1", planned=False)) == "InProgress", "what it will be is not known yet"
    assert next_(case(told("c1", "c2")), did("c1", hold=0)) == "InProgress"
    assert next_(case(told("c2")), did("c1", hold=0, reason="Healed")) == "Healed"
    assert next_(case(told("c2")), did("c1", hold=0, reason="Ineffective")) == (1, ())


def test_nothing_is_proposed_while_nothing_fires():
    assert next_(case(told("c1", state=SignalState.CLEAR)), did("c1", reason="Ineffective")) == "NothingFires"


def test_what_is_at_work_at_once_and_in_all_is_bounded():
    busy = [did(f"c{i}") for i in range(MAX_AT_WORK)]
    assert next_(case(told("new")), *busy) == "InProgress"
    assert next_(case(told("new")), *busy[1:]) == (0, ("new",))
    assert next_(case(told("new")), *(did(f"c{i}", reason="Healed") for i in range(MAX_PROPOSED))) == "Exhausted"


def test_names_tell_which_conversations_and_proposing_is_repeatable():
    one, other = (propose_next(case(told(c)), BOOK, Confidence(80), [], "observe") for c in ("c1", "c2"))
    assert one == propose_next(case(told("c1")), BOOK, Confidence(80), [], "observe")
    assert one.name != other.name
    long = propose_next(incident("i" * 253, (told("c1"),)), BOOK, Confidence(80), [], "observe")
    assert len(long.name) <= 253


def test_who_is_in_trouble():
    assert in_trouble(case(told("c2", "c1"), told("c3", caller="critic"))) == ("c1", "c2", "c3")
    assert in_trouble(case(signal(), told("c1"))) == ("c1",)
    assert in_trouble(case(signal(), told("c1", state=SignalState.CLEAR))) is None
    assert in_trouble(case()) is None
