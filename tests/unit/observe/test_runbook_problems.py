"""What keeps a runbook from being used is said in its status."""

import pytest
from tests.unit.builders import runbook, symptom

from hemostat.action.registry import discover
from hemostat.observe.process import runbook_problems

CATALOGUE = {name: action for name, action in discover().items() if name in ("rollback", "scale")}


def step(action, **parameters):
    return {"action": action, "parameters": [{"name": k, "value": v} for k, v in parameters.items()]}


@pytest.mark.parametrize("steps", [[step("rollback")], [step("scale", factorPercent="150"), step("rollback")]])
def test_a_sound_runbook_has_no_problems(steps):
    assert runbook_problems(runbook(remediations=steps), CATALOGUE) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"symptoms": [symptom("slow", "signals.exists(s")]}, ["symptom slow: "]),
        ({"symptoms": [symptom("slow", "latency > 3")]}, ["symptom slow: unknown variable latency"]),
        ({"remediations": [step("reboot")]}, ["step 0: no action reboot; there are rollback, scale"]),
        ({"remediations": [step("rollback", now="true")]}, ["step 0: action rollback: now: "]),
        ({"remediations": [step("rollback"), step("scale", factorPercent="1")]}, ["step 1: ", "factorPercent"]),
    ],
)
def test_each_problem_is_named(spec, words):
    (problem,) = runbook_problems(runbook(**spec), CATALOGUE)
    assert all(word in problem for word in words)


def test_all_problems_are_told_at_once():
    bad = runbook(
        symptoms=[symptom("a", "("), symptom("b", "x")], remediations=[step("reboot"), step("scale", maxReplicas="0")]
    )
    assert len(runbook_problems(bad, CATALOGUE)) == 4
