"""What an action has earned: from outcomes that nobody can make up by letting one Incident come and go."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import condition, parameter, remediation

from hemostat.gate.earned import MAX_OUTCOMES, least_share, outcomes_of

NUMBERS = count()
NEXT = remediation("next")


def past(incident="i1", reason="Healed", when=0.0, *, applied=True, **spec):
    conditions = [condition("Applied", applied), condition("Finished", reason=reason, when=when)]
    ref = {"name": "payment-1", "uid": incident}
    return remediation(f"r{next(NUMBERS)}", status={"conditions": conditions}, incidentRef=ref, **spec)


def healed(*remediations):
    return [o.healed for o in outcomes_of(remediations, NEXT, {})]


@pytest.mark.parametrize(
    "reason", ["Ineffective", "Worse", "NoData", "Undecided", "TakenBack", "Unclear", "UndoBlocked"]
)
def test_all_that_was_done_and_did_not_heal_counts_against_it(reason):
    assert healed(past(reason=reason)) == [False]
    assert healed(past()) == [True]


def test_what_was_not_done_says_nothing():
    assert healed(past(reason="DeniedByPerson", applied=False), past(reason="WouldHave", applied=False)) == []


def test_an_incident_counts_once_by_its_worst():
    assert healed(past("a"), past("a"), past("a")) == [True]
    assert healed(past("a"), past("a", "Ineffective")) == [False]


def test_what_came_back_was_not_healed():
    assert healed(past("a"), past("a", opening=1)) == [False]


def test_what_came_back_and_was_answered_by_another_step_was_not_healed():
    """After a reopening the next step is proposed, so that the first one's own Remediations do not tell of it."""
    assert healed(past("a"), past("a", opening=1, action="scale", step=1)) == [False]
    assert healed(past("a"), past("a", opening=1, action="scale", reason="DeniedByPerson", applied=False)) == [False]
    assert healed(past("a"), past("b", opening=1, action="scale")) == [True], "of another Incident"
    assert healed(past("a"), past("a", action="scale", step=1)) == [True], "in the same opening"


def test_what_came_back_and_is_asked_about_now_was_not_healed():
    again = remediation("next", incidentRef={"name": "payment-1", "uid": "a"}, opening=1)
    assert [o.healed for o in outcomes_of([past("a")], again, {})] == [False]


def test_what_came_back_and_is_not_decided_about_yet_was_not_healed():
    """Its new Remediation only waits, and such are not read; the Incident says so itself."""
    found = outcomes_of([past("a"), past("b")], NEXT, {"a": 1, "b": 0, "another": 3})
    assert {o.incident: o.healed for o in found} == {"a": False, "b": True}


@pytest.mark.parametrize(
    "other",
    [
        {"action": "scale"},
        {"runbookRef": {"name": "bad-release", "uid": "another"}},
        {"parameters": [parameter("factorPercent", "200").wire()]},
    ],
)
def test_another_action_earns_nothing_for_this_one(other):
    assert healed(past(**other)) == []


def test_the_newest_count():
    old = [past(f"old{n}", when=n) for n in range(MAX_OUTCOMES)]
    new = [past(f"new{n}", "Worse", when=1000 + n) for n in range(3)]
    found = outcomes_of([*new, *old], NEXT, {})
    assert len(found) == MAX_OUTCOMES
    assert [o.healed for o in found[:4]] == [False, False, False, True]


def test_the_bound_is_the_one_that_the_api_speaks_of():
    shares = [(10, 10), (25, 25), (24, 25), (50, 50)]
    assert [int(100 * least_share(*s)) for s in shares] == [78, 90, 83, 94]
    assert least_share(0, 0) == 0
    assert least_share(0, 10) == 0


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_failure_more_lowers_it_and_a_success_more_raises_it(good, bad):
    here = least_share(good, good + bad)
    assert least_share(good, good + bad + 1) <= here <= least_share(good + 1, good + bad + 1)
    assert 0 <= here <= 1
