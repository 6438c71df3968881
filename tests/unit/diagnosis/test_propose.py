"""What is proposed next, after everything that a Remediation can end as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import at, condition, incident, remediation, runbook

from hemostat.clock import rfc3339
from hemostat.diagnosis.outcomes import UNFIT, tried
from hemostat.diagnosis.propose import MAX_ATTEMPTS, Confidence, NothingToPropose, Proposal, propose
from hemostat.signals.correlate import MAX_RETURNS

BOOK = runbook(
    remediations=[
        {"action": "rollback"},
        {"action": "scale", "parameters": [{"name": "factorPercent", "value": "200"}]},
    ]
)
REQUESTER = "system:serviceaccount:hemostat-system:hemostat-observe"


def ended(reason, step=0, attempt=1):
    status = {"conditions": [condition("Finished", True, reason, message="because")]}
    return remediation(f"r-{step}-{attempt}", status, step=step, attempt=attempt)


def next_(*done, book=BOOK, case=None):
    return propose(case or incident(), book, Confidence(80), done, REQUESTER)


def test_the_first_proposal_is_the_first_step_and_says_all():
    found = next_()
    assert isinstance(found, Proposal)
    assert found.name == "payment-1-rollback-0-1"
    spec = found.spec
    assert (spec.step, spec.attempt, spec.action, spec.confidence_percent) == (0, 1, "rollback", 80)
    assert (spec.incident_ref.uid, spec.runbook_ref.uid) == ("uid-payment-1", "uid-bad-release")
    assert (spec.target_ref.uid, spec.requested_by) == ("uid-payment", REQUESTER)


def test_proposing_is_repeatable():
    assert next_() == next_()
    assert next_(ended("Drifted")) == next_(ended("Drifted"))


def test_after_an_ineffective_step_comes_the_next_with_its_parameters():
    found = next_(ended("Ineffective"))
    assert (found.name, found.spec.step, found.spec.attempt) == ("payment-1-scale-1-1", 1, 1)
    assert found.spec.parameters == BOOK.spec.remediations[1].parameters


@pytest.mark.parametrize("reason", sorted(UNFIT))
def test_what_does_not_fit_here_gives_way_to_the_next_rung(reason):
    assert next_(ended(reason)).spec.step == 1


def test_after_the_last_step_there_is_nothing_more():
    found = next_(ended("Ineffective"), ended("Ineffective", step=1))
    assert found == NothingToPropose("Exhausted", "every remediation of bad-release was tried")


def test_a_runbook_without_remediations_is_a_persons_at_once_and_stays_chosen():
    """What it names is known, and there is nothing that could have been tried: it must not count as used up."""
    book = runbook(remediations=[])
    found = next_(book=book)
    assert isinstance(found, NothingToPropose)
    assert found.reason == "PersonNeeded"
    assert "its guidance says what to look at" in found.message
    assert tried(incident(), [ended("Ineffective")]).spent([book]) == {}


def test_drift_is_tried_again_a_bounded_number_of_times():
    done, names = [], []
    while isinstance(found := next_(*done), Proposal):
        names.append(found.name)
        done.append(ended("Drifted", attempt=found.spec.attempt))
    assert names == [f"payment-1-rollback-0-{i}" for i in range(1, MAX_ATTEMPTS + 1)]
    assert found.reason == "PersonNeeded"


@pytest.mark.parametrize(
    "reason",
    [
        "Worse",
        "NoData",
        "Undecided",
        "Denied",
        "UndoBlocked",
        "NoHealthyRevision",
        "Forbidden",
        "NotNeeded",
        "New",
    ],
)
def test_after_everything_else_a_person_decides(reason):
    found = next_(ended(reason))
    assert isinstance(found, NothingToPropose)
    assert found.reason == "PersonNeeded"
    assert reason in found.message
    assert "because" in found.message


def test_after_a_denial_the_next_step_is_proposed_and_never_the_same_action_again():
    assert next_(ended("DeniedByPerson")).spec.step == 1
    twice = runbook(remediations=[{"action": "rollback"}, {"action": "rollback"}])
    assert next_(ended("DeniedByPerson"), book=twice).reason == "Exhausted"


def test_the_same_action_with_other_parameters_is_another_one():
    more = [{"action": "scale", "parameters": [{"name": "factorPercent", "value": v}]} for v in ("150", "200")]
    book = runbook(remediations=more)
    done = ended("DeniedByPerson")
    done = done.model_copy(update={"spec": done.spec.model_copy(update=vars(book.spec.remediations[0]))})
    assert next_(done, book=book).spec.parameters == book.spec.remediations[1].parameters


def test_what_was_denied_in_another_runbook_is_left_out_here_too():
    other = ended("DeniedByPerson")
    elsewhere = other.spec.model_copy(update={"runbook_ref": other.spec.runbook_ref.model_copy(update={"name": "x"})})
    found = next_(other.model_copy(update={"spec": elsewhere}))
    assert (found.spec.action, found.spec.step) == ("scale", 1)


def test_a_runbook_that_made_it_worse_is_done_with():
    worse = {"conditions": [condition("Finished", True, "Worse"), condition("Undone", True)]}
    assert next_(remediation("r-0-1", worse, step=0)).reason == "Exhausted"


def test_what_healed_needs_nothing_more():
    assert next_(ended("Healed")).reason == "Healed"


@pytest.mark.parametrize("conditions", [[], [condition("Applied")], [condition("Finished", False, "Ineffective")]])
def test_one_thing_at_a_time(conditions):
    assert next_(remediation(status={"conditions": conditions})).reason == "InProgress"


@given(st.permutations([ended("Drifted"), ended("Ineffective", attempt=2), ended("Drifted", step=1)]))
def test_the_order_of_reading_changes_nothing(done):
    assert next_(*done).name == "payment-1-scale-1-2"


def test_names_of_long_incidents_stay_within_the_bound():
    found = next_(case=incident("i" * 253))
    assert len(found.name) <= 253
    assert found.name.endswith("-rollback-0-1")


def back(count):
    return incident(reopened={"count": count, "time": rfc3339(at(60))})


def test_after_a_reopening_the_next_step_after_what_seemed_to_heal_it_is_tried():
    found = next_(ended("Healed"), case=back(1))
    assert (found.name, found.spec.opening, found.spec.step) == ("payment-1-scale-1-1-o1", 1, 1)
    assert next_(ended("Healed", step=1), case=back(1)).spec.step == 1  # there is none after the last


def test_after_a_reopening_it_begins_anew_if_nothing_had_healed_it():
    found = next_(ended("NotNeeded"), case=back(1))
    assert (found.name, found.spec.step) == ("payment-1-rollback-0-1-o1", 0)
    assert next_(case=back(2)).name == "payment-1-rollback-0-1-o2"


def test_attempts_of_this_opening_are_counted_and_those_of_others_are_not():
    now = ended("Drifted").model_copy(update={"spec": ended("Drifted").spec.model_copy(update={"opening": 1})})
    found = next_(ended("Drifted", attempt=MAX_ATTEMPTS), now, case=back(1))
    assert found.name == "payment-1-rollback-0-2-o1"
    assert next_(ended("Healed"), now, case=back(1)) == found


def test_what_comes_back_again_and_again_is_for_a_person():
    assert isinstance(next_(case=back(MAX_RETURNS)), Proposal)
    found = next_(case=back(MAX_RETURNS + 1))
    assert isinstance(found, NothingToPropose)
    assert found.reason == "Flapping"
