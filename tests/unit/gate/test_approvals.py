"""Whose word counts."""

import itertools

import pytest
from tests.unit.builders import HASH, approval, at

from hemostat.api.approval import Via, Word
from hemostat.gate.approvals import hear

REQUESTER = "system:serviceaccount:hemostat-system:hemostat-observe"


def heard(*approvals, now=60.0, may=None):
    rights = {a.metadata.name: True for a in approvals} if may is None else may
    return hear(approvals, rights, HASH, REQUESTER, at(now))


def test_one_valid_word_is_enough():
    found = heard(approval(reason="go ahead"))
    assert (found.decision, found.people, found.names, found.reason, found.ignored) == (
        Word.APPROVE,
        ("ada@example.com",),
        ("word",),
        "go ahead",
        (),
    )


def test_an_approval_by_a_way_that_is_refused_does_not_count_and_a_denial_does():
    """A GatePolicy may want people to speak to the API server themselves; nobody is kept from stopping something."""
    word, denial = approval(via="Slack"), approval("no", via="Slack", decision="Deny")
    rights = {"word": True, "no": True}
    refused = hear([word], rights, HASH, REQUESTER, at(1), refused=[Via.SLACK])
    assert (refused.decision, refused.ignored) == (None, ("word: a GatePolicy takes no approval by Slack",))
    assert hear([denial], rights, HASH, REQUESTER, at(1), refused=[Via.SLACK]).decision is Word.DENY
    assert hear([word], rights, HASH, REQUESTER, at(1), refused=[Via.KUBECTL]).decision is Word.APPROVE


def test_nobody_has_spoken():
    assert heard().decision is None


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"planHash": "sha256:" + "b" * 64}, "it is about another plan"),
        ({"approver": REQUESTER}, "the requester cannot approve"),
        ({"approver": "system:serviceaccount:shop:robot"}, "a service account cannot approve"),
        ({"created": None}, "it has no creation time"),
        ({"validForSeconds": 59}, "it expired 59 s after its creation"),
    ],
)
@pytest.mark.parametrize("decision", ["Approve", "Deny"])
def test_a_word_that_does_not_count_is_ignored_with_the_reason(spec, why, decision):
    found = heard(approval(decision=decision, **spec))
    assert (found.decision, found.ignored) == (None, (f"word: {why}",))


def test_a_person_who_is_the_requester_cannot_approve():
    found = hear([approval(approver="ada")], {"word": True}, HASH, "ada", at(1))
    assert found.decision is None


@pytest.mark.parametrize(("now", "counts"), [(899, True), (900, True), (900.001, False), (-5, True)])
def test_it_stands_as_long_as_it_says(now, counts):
    assert (heard(approval(), now=now).decision is not None) is counts


@pytest.mark.parametrize("may", [{"word": False}, {"word": None}, {}, {"another": True}])
def test_without_the_right_to_approve_or_an_answer_about_it_nothing_counts(may):
    found = heard(approval(), may=may)
    assert found.decision is None
    assert "does not hold the verb approve" in found.ignored[0]


def test_one_deny_outweighs_every_approve_in_any_order():
    words = [approval("a"), approval("b", approver="bob"), approval("c", approver="cid", decision="Deny", reason="no")]
    for order in itertools.permutations(words):
        found = heard(*order)
        assert (found.decision, found.people, found.reason, found.names) == (Word.DENY, ("cid",), "no", ("c",))


def test_a_deny_that_does_not_count_outweighs_nothing():
    found = heard(approval("a"), approval("c", decision="Deny", validForSeconds=10))
    assert (found.decision, found.names) == (Word.APPROVE, ("a",))
    assert found.ignored == ("c: it expired 10 s after its creation",)


def test_all_who_approved_are_named_as_far_as_the_status_holds():
    assert heard(approval("a"), approval("b", approver="bob")).names == ("a", "b")
    assert len(heard(*(approval(f"a{i}") for i in range(40))).names) == 16


def test_people_are_counted_and_not_their_words():
    words = [approval("a"), approval("b"), approval("c", approver="bob")]
    few = hear(words[:2], {"a": True, "b": True}, HASH, REQUESTER, at(1), quorum=2)
    assert (few.decision, few.waiting) == (None, "1 of 2 people approved (ada@example.com)")
    enough = hear(words, {w.metadata.name: True for w in words}, HASH, REQUESTER, at(1), quorum=2)
    assert (enough.decision, enough.people) == (Word.APPROVE, ("ada@example.com", "bob"))


def test_who_lost_the_right_is_not_counted():
    words = [approval("a"), approval("c", approver="bob")]
    found = hear(words, {"a": True, "c": False}, HASH, REQUESTER, at(1), quorum=2)
    assert (found.decision, found.waiting) == (None, "1 of 2 people approved (ada@example.com)")
