"""Which workloads a selector means: the same as everywhere in Kubernetes."""

import pytest
from tests.unit.builders import T0, policy

from hemostat.api.gatepolicy import Selector
from hemostat.api.runbook import Risk
from hemostat.gate.match import About, selects, why_not

NIGHTLY = {"schedule": "0 3 * * *", "durationSeconds": 60}
LABELS = {"tier": "gold", "team": ""}


def asked(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ({}, True),
        ({"matchLabels": {"tier": "gold"}}, True),
        ({"matchLabels": {"tier": "gold", "team": "x"}}, False),
        ({"matchLabels": {"absent": ""}}, False),
        (asked("tier", "In", "gold", "silver"), True),
        (asked("tier", "In", "silver"), False),
        (asked("absent", "In", "gold"), False),
        (asked("tier", "NotIn", "silver"), True),
        (asked("tier", "NotIn", "gold"), False),
        (asked("absent", "NotIn", "gold"), True),
        (asked("team", "Exists"), True),
        (asked("absent", "Exists"), False),
        (asked("absent", "DoesNotExist"), True),
        (asked("tier", "DoesNotExist"), False),
        ({"matchLabels": {"tier": "gold"}} | asked("tier", "NotIn", "gold"), False),
    ],
)
def test_a_selector_means_what_it_means_elsewhere(selector, meant):
    assert selects(Selector.model_validate(selector), LABELS) is meant


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, ""),
        ({"namespaces": ["bank"]}, "it is about namespace bank"),
        ({"actions": ["scale"]}, "it is about action scale"),
        ({"risks": ["High"]}, "it is about risk High, and this is Low"),
        ({"selector": {"matchLabels": {"tier": "silver"}}}, "its selector does not match the labels of the target"),
        (
            {"when": [{"schedule": "0 3 * * *", "durationSeconds": 60}]},
            "it is not in force now, but from 2026-03-02T03:00Z on",
        ),
    ],
)
def test_a_policy_that_does_not_count_says_why(spec, said):
    about = About("shop", "rollback", Risk.LOW, LABELS)
    assert why_not(policy(**spec), about, T0) == said
