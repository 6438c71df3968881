"""A policy that names what there is not protects nothing of what its author meant: it is told, and a person decides."""

from dataclasses import replace

import pytest
from tests.unit.builders import T0, policy
from tests.unit.gate.test_checks import GOOD

from hemostat.api.remediation import GateOutcome
from hemostat.gate.checks import decide
from hemostat.gate.wellformed import faults

ACTIONS = ("restart", "rollback", "scale")


def at_times(schedule="0 18 * * 5", zone="UTC"):
    return {"when": [{"schedule": schedule, "timeZone": zone, "durationSeconds": 60}]}


@pytest.mark.parametrize(
    ("spec", "reason", "said"),
    [
        ({"actions": ["rollback"]} | at_times(), "", ()),
        ({"actions": ["rolback"]}, "UnknownAction", ("spec.actions", "rolback", "did you mean rollback?")),
        ({"actions": ["zzz", "scale"]}, "UnknownAction", ("no action zzz;",)),
        (at_times(schedule="0 18 * * FRIDAY"), "BadWindow", ("spec.when[0]", "FRIDAY", "day-of-week")),
        (at_times(zone="Europe/Berln"), "BadWindow", ("spec.when[0]", "did you mean Europe/Berlin?")),
        ({"actions": ["x"]} | at_times(zone="Mars"), "UnknownAction", ("spec.actions", "spec.when[0]")),
    ],
)
def test_what_is_wrong_is_named_by_field_with_the_nearest_right_name(spec, reason, said):
    found, message = faults(policy(decision="Deny", **spec), ACTIONS, T0)
    assert found == reason
    assert all(words in message for words in said)
    assert bool(message) is bool(reason)


def gate(*policies):
    decision = decide(replace(GOOD, policies=(policy(), *policies), actions=ACTIONS))
    return decision.outcome, next(c.message for c in decision.checks if c.name == "Policy")


@pytest.mark.parametrize("decision", ["Deny", "Approve", "Shadow"])
def test_a_restriction_with_a_mistyped_action_asks_a_person_about_all_it_may_mean(decision):
    outcome, said = gate(policy("careful", decision=decision, actions=["rolback"]))
    assert outcome is GateOutcome.NEEDS_APPROVAL
    assert "careful: rolback" in said


@pytest.mark.parametrize(
    "spec",
    [
        {"decision": "Deny", "actions": ["scale"]},
        {"decision": "Deny", "actions": ["rolback"], "namespaces": ["elsewhere"]},
        {"decision": "Deny", "actions": ["rolback"], "risks": ["High"]},
        {"decision": "Deny", "actions": ["rolback"]} | at_times("0 3 1 1 *"),
        {"decision": "Auto", "actions": ["rolback"]},
    ],
)
def test_one_that_is_about_something_else_anyway_asks_nothing(spec):
    """Nor does one that allows: what is mistyped allows nothing."""
    assert gate(policy("careful", **spec))[0] is GateOutcome.ALLOW


def test_one_that_names_this_action_too_says_what_it_says():
    assert gate(policy("careful", decision="Deny", actions=["rolback", "rollback"]))[0] is GateOutcome.DENY
