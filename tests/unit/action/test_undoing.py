"""What is still to be undone, as intents and results say."""

import pytest
from tests.unit.action.plans import PLAN
from tests.unit.builders import remediation

from hemostat.action.contract import once
from hemostat.action.undoing import undoes

T = "2026-03-01T12:00:00Z"


def intent(effect, **more):
    return {"effect": effect, "attempt": 1, "uid": "u", "resourceVersion": "1", "generation": 1, "time": T} | more


def result(effect, **more):
    return {"effect": effect, "time": T, "resourceVersion": "2", "generation": 2, "proof": "Content"} | more


@pytest.mark.parametrize(
    ("intents", "results", "wanted"),
    [
        ([], [], []),
        ([intent("Forward")], [], [(0, False)]),
        ([intent("Forward")], [result("Forward")], [(0, True)]),
        ([intent("Forward"), intent("Inverse")], [result("Forward")], [(0, True)]),
        ([intent("Forward"), intent("Inverse")], [result("Forward"), result("Inverse")], []),
    ],
)
def test_what_was_begun_is_undone_once(intents, results, wanted):
    found = undoes(remediation(status={"plan": PLAN.wire(), "intents": intents, "results": results}))
    assert [(u.step, u.certain) for u in found] == wanted
    assert all((u.forward, u.inverse) == (PLAN.steps[0].forward, PLAN.steps[0].inverse) for u in found)


def test_without_an_inverse_or_a_plan_there_is_nothing_to_undo():
    done = {"intents": [intent("Forward")], "results": [result("Forward")]}
    plan = PLAN.model_copy(update={"steps": once(PLAN.steps[0].forward)}).wire()
    assert undoes(remediation(status=done | {"plan": plan})) == undoes(remediation(status=done)) == ()
