import pytest

from hemostat.action.moves import LANDS
from hemostat.api.approval import Word
from hemostat.api.meta import set_condition
from hemostat.api.remediation import GateOutcome, Intent
from hemostat.errors import Refused
from hemostat.gate.word import (
    advice,
    body,
    build,
    caution,
    check_open,
    groups_to_record,
    outcome_of_denial,
    server_words,
)
from hemostat.kube import Conflict


def test_what_is_created_says_who_and_which_plan(remediation):
    made = build(remediation, Word.APPROVE, "Sre@Example.com", ("system:authenticated", "sre"), "seen", "00ff00")
    assert made.metadata.name == "payment-1a2b3c4d-rollback-0-1-sre-example-com-00ff00"
    wire = body(made)
    assert wire["metadata"]["namespace"] == "shop"
    assert wire["spec"]["planHash"] == remediation.status.plan_hash
    assert wire["spec"]["approver"] == "Sre@Example.com"
    assert wire["spec"]["groups"] == ["sre"]
    assert wire["spec"]["reason"] == "seen"


def test_names_stay_within_bounds(remediation):
    long = remediation.model_copy(update={"metadata": remediation.metadata.model_copy(update={"name": "x" * 250})})
    assert len(build(long, Word.DENY, "???", (), "", "abcdef").metadata.name) == 253


def test_only_groups_that_carry_rights_are_recorded():
    assert groups_to_record(("system:authenticated", "b", "a", "system:masters")) == ("a", "b", "system:masters")


def _status(remediation, **changes):
    return remediation.model_copy(update={"status": remediation.status.model_copy(update=changes)})


@pytest.mark.parametrize(("kind", "reason"), [("Finished", "Finished"), ("Admitted", "Admitted")])
def test_what_is_decided_cannot_be_decided_again(remediation, kind, reason):
    conditions = set_condition(
        remediation.status.conditions, kind, True, "Healed", "", remediation.status.decision.time
    )
    with pytest.raises(Refused) as refused:
        check_open(_status(remediation, conditions=conditions))
    assert refused.value.reason == reason


def test_what_people_approved_can_be_denied_until_all_of_it_is_done(remediation):
    """`act` hears a denial until then, and takes no further step."""

    def conditions(admitted, *applied):
        now, found = remediation.status.decision.time, remediation.status.conditions
        found = set_condition(found, "Admitted", True, admitted, "", now)
        return set_condition(found, "Applied", *applied, "", now) if applied else found

    for under_way in (conditions("Approved"), conditions("Approved", "Unknown", "Applying")):
        assert check_open(_status(remediation, conditions=under_way), Word.DENY) == remediation.status.plan_hash
        with pytest.raises(Refused, match="already admitted"):
            check_open(_status(remediation, conditions=under_way), Word.APPROVE)
    for over in (conditions("Approved", True, "Applied"), conditions("Approved", False, "Incomplete")):
        with pytest.raises(Refused, match="already admitted"):
            check_open(_status(remediation, conditions=over), Word.DENY)
    with pytest.raises(Refused, match=r"without a person.*hemostat stop"):
        check_open(_status(remediation, conditions=conditions("AllowedByPolicy")), Word.DENY)


def sent(remediation, steps, *announced):
    """Return it with so many steps, of which these were announced at the time of its decision."""
    now, plan = remediation.status.decision.time, remediation.status.plan
    number = {"effect": "Forward", "attempt": 1, "uid": "u", "resource_version": "1", "generation": 1, "time": now}
    return _status(
        remediation,
        conditions=set_condition(remediation.status.conditions, "Admitted", True, "Approved", "", now),
        plan=plan.model_copy(update={"steps": plan.steps[:1] * steps}),
        intents=tuple(Intent(step=n, **number) for n in announced),
    )


def test_a_denial_of_what_is_under_way_is_refused_and_says_how_it_is_taken_back(remediation):
    """Seen: it was taken, and did nothing."""
    now = remediation.status.decision.time
    with pytest.raises(Refused, match=r"cannot be called back.*hemostat undo -n shop") as late:
        check_open(sent(remediation, 1, 0), Word.DENY, now)
    assert late.value.reason == "TooLate"
    with pytest.raises(Refused, match="too late"):
        check_open(sent(remediation, 2, 0, 1), Word.DENY, now)
    with pytest.raises(Refused, match="too late"):
        check_open(sent(remediation, 1, 0), Word.DENY)
    assert check_open(sent(remediation, 2, 0), Word.DENY, now), "the step that is left is not taken"
    assert check_open(sent(remediation, 1, 0), Word.DENY, now + LANDS * 2), "it did not land, and would be sent anew"


def test_what_came_of_a_denial_is_told(remediation):
    now, found = remediation.status.decision.time, remediation.status.conditions

    def told(kind, status, reason):
        changed = set_condition(found, kind, status, reason, "why", now)
        return outcome_of_denial(_status(remediation, conditions=changed))

    assert "too late" in told("Applied", True, "Applied")
    assert "stopped between two steps" in told("Applied", False, "Revoked")
    assert told("Finished", True, "DeniedByPerson") == "Nothing was done: DeniedByPerson: why"
    assert told("Applied", "Unknown", "Applying") is None


def test_without_a_plan_there_is_nothing_to_decide(remediation):
    with pytest.raises(Refused, match="no plan yet"):
        check_open(_status(remediation, plan_hash=None))


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("Deny", "forbids"), ("Hold", "holds"), ("Allow", "without a person"), ("NeedsApproval", None)],
)
def test_caution(remediation, outcome, said):
    decision = remediation.status.decision.model_copy(update={"outcome": GateOutcome(outcome)})
    found = caution(_status(remediation, decision=decision))
    assert found is None if said is None else said in found


def test_the_servers_own_words():
    error = Conflict('POST /apis/x/y: approvals "a" is forbidden: no')
    assert server_words(error) == 'approvals "a" is forbidden: no'


@pytest.mark.parametrize(
    ("message", "todo"),
    [
        ('User "a" cannot create resource "approvals"', "--clusterrole=hemostat-approver --user=a@b"),
        ("the user must hold the RBAC verb approve on this Remediation", "create rolebinding -n shop"),
        ("spec.planHash must be the Remediation's present status.planHash: look", "the plan has changed"),
        ("whoever requested a Remediation must not approve it", "somebody else"),
        ("an Approval must be created by a person, not by a service account", "log in as a person"),
        ("a webhook says no", "whoever administers"),
    ],
)
def test_advice_names_what_has_to_change(message, todo):
    assert todo in advice(message, "a@b", "shop", "r")
