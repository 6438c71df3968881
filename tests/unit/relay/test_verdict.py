"""A click creates an Approval only if everything fits; else who clicked is told why, and nothing is created."""

from datetime import timedelta

import pytest
from tests.unit.relay.conftest import NOW, changed

from hemostat.api.approval import Via, Word
from hemostat.api.meta import set_condition
from hemostat.api.remediation import GateOutcome
from hemostat.errors import Refused
from hemostat.relay.payload import Click, Press
from hemostat.relay.people import Person
from hemostat.relay.ticket import ticket as ticket_of
from hemostat.relay.verdict import OLD_SECONDS, Facts, admitted, judge

ANN = Person("ann@example.com", ("sre", "oncall"))


@pytest.fixture
def ticket(incident, remediation):
    return ticket_of(incident, remediation)


def facts(found, **changed):
    known = {"person": ANN, "remediation": found, "may": True, "approvals": (), "now": NOW}
    return Facts(**(known | changed))


def why(word, ticket, known):
    with pytest.raises(Refused) as refused:
        judge(word, "", ticket, known)
    return refused.value.reason


def test_an_approval_says_who_what_and_how_it_came(ticket, remediation):
    made = judge(Word.APPROVE, "", ticket, facts(remediation))
    spec = made.spec
    assert (spec.approver, spec.groups, spec.via) == ("ann@example.com", ("oncall", "sre"), Via.SLACK)
    assert (spec.remediation, spec.plan_hash) == (remediation.metadata.name, remediation.status.plan_hash)
    assert spec.decision is Word.APPROVE
    assert made.metadata.namespace == "shop"


def test_a_denial_has_its_reason(ticket, remediation):
    made = judge(Word.DENY, "not on a Friday", ticket, facts(remediation))
    assert (made.spec.decision, made.spec.reason) == (Word.DENY, "not on a Friday")


def test_the_same_word_has_the_same_name(ticket, remediation):
    """So that the API server takes it once, from two clicks, two processes or a request that was sent again."""
    one, two = (judge(Word.APPROVE, "", ticket, facts(remediation)) for _ in range(2))
    assert one == two
    denial = judge(Word.DENY, "", ticket, facts(remediation))
    other = judge(Word.APPROVE, "", ticket, facts(remediation, person=Person("ben")))
    assert len({one.metadata.name, denial.metadata.name, other.metadata.name}) == 3


def created(approval, when):
    return approval.model_copy(update={"metadata": approval.metadata.model_copy(update={"creation_timestamp": when})})


def test_what_was_said_is_not_said_twice_until_it_has_expired(ticket, remediation):
    first = created(judge(Word.APPROVE, "", ticket, facts(remediation)), NOW)
    assert why(Word.APPROVE, ticket, facts(remediation, approvals=(first,))) == "Already"
    later = NOW + timedelta(seconds=first.spec.valid_for_seconds + 1)
    again = judge(Word.APPROVE, "", ticket, facts(remediation, approvals=(first,), now=later))
    assert again.metadata.name != first.metadata.name


def test_after_a_denial_of_ones_own_there_is_no_approval(ticket, remediation):
    denial = created(judge(Word.DENY, "no", ticket, facts(remediation)), NOW)
    assert why(Word.APPROVE, ticket, facts(remediation, approvals=(denial,))) == "Denied"


def test_an_approval_can_be_denied_by_the_same_person(ticket, remediation):
    approval = created(judge(Word.APPROVE, "", ticket, facts(remediation)), NOW)
    assert judge(Word.DENY, "no", ticket, facts(remediation, approvals=(approval,))).spec.decision is Word.DENY


@pytest.mark.parametrize("word", Word)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"remediation": None}, "Gone"),
        ({"may": False}, "NoRight"),
        ({"may": None}, "NotAsked"),
        ({"person": Person("system:serviceaccount:hemostat-system:hemostat-observe")}, "Requester"),
    ],
)
def test_what_is_unclear_creates_nothing(ticket, remediation, word, changes, reason):
    assert why(word, ticket, facts(remediation, **changes)) == reason


@pytest.mark.parametrize("word", Word)
def test_a_button_of_another_plan_or_remediation_decides_nothing(ticket, remediation, word):
    known = facts(remediation)
    assert why(word, ticket.model_copy(update={"uid": "another"}), known) == "Gone"
    assert why(word, ticket.model_copy(update={"uid": ""}), known) == "Gone"
    assert why(word, ticket.model_copy(update={"plan_hash": "sha256:" + "0" * 64}), known) == "Changed"
    assert why(word, ticket.model_copy(update={"plan_hash": None}), known) == "Changed"


@pytest.mark.parametrize("kind", ["Admitted", "Finished"])
def test_what_is_decided_is_not_decided_again(ticket, remediation, kind):
    done = set_condition(remediation.status.conditions, kind, True, "Healed", "", NOW)
    assert why(Word.APPROVE, ticket, facts(changed(remediation, conditions=done))) == kind


@pytest.mark.parametrize("outcome", [GateOutcome.HOLD, GateOutcome.DENY, GateOutcome.ALLOW])
def test_what_the_gate_does_not_ask_cannot_be_approved_ahead(ticket, remediation, outcome):
    other = changed(remediation, decision=remediation.status.decision.model_copy(update={"outcome": outcome}))
    assert why(Word.APPROVE, ticket, facts(other)) == "NotAsked"
    assert judge(Word.DENY, "", ticket, facts(other)).spec.decision is Word.DENY  # it only tightens


def test_a_diff_that_was_not_shown_whole_cannot_be_approved_by_a_forged_button(ticket, remediation):
    long = changed(remediation, plan=remediation.status.plan.model_copy(update={"diff": "+" * 4000}))
    assert why(Word.APPROVE, ticket, facts(long)) == "NotHere"


def test_what_a_policy_wants_approved_elsewhere_is_not_approved_by_a_forged_button(ticket, remediation):
    refused = remediation.status.decision.model_copy(update={"refused_channels": (Via.SLACK,)})
    elsewhere = changed(remediation, decision=refused)
    assert why(Word.APPROVE, ticket, facts(elsewhere)) == "NotHere"
    assert judge(Word.DENY, "", ticket, facts(elsewhere)).spec.decision is Word.DENY


def click(carried, **changed):
    known = {"press": Press.APPROVE, "ticket": carried, "user": "U1", "channel": "C1", "ts": "1.0", "at": 1000.0}
    return Click(**(known | changed))


@pytest.mark.parametrize(
    ("changes", "person", "now", "reason"),
    [
        ({"ticket": None}, ANN, 1000.0, "Forged"),
        ({"channel": "C2"}, ANN, 1000.0, "Forged"),
        ({}, ANN, 1001.0 + OLD_SECONDS, "Old"),
        ({}, ANN, 999.0 - OLD_SECONDS, "Old"),
        ({}, None, 1000.0, "Stranger"),
    ],
)
def test_what_is_not_looked_into(ticket, changes, person, now, reason):
    with pytest.raises(Refused) as refused:
        admitted(click(ticket, **changes), person, "C1", now)
    assert refused.value.reason == reason


def test_a_stranger_is_told_how_to_be_known(ticket):
    with pytest.raises(Refused, match=r"U1.*hemostat-people"):
        admitted(click(ticket), None, "C1", 1000.0)


def test_where_nothing_is_told_nothing_is_decided(ticket):
    """A namespace without a channel: an empty name is no channel, whatever a payload says."""
    with pytest.raises(Refused):
        admitted(click(ticket, channel="C1"), ANN, "", 1000.0)
