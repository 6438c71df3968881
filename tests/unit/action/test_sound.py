"""An action that is not sound is found out at the start, and not in the middle of an incident."""

from dataclasses import replace

import pytest

from hemostat.action.contract import Rule
from hemostat.action.registry import discover
from hemostat.action.sound import faults
from hemostat.api.meta import Model

SCALE = discover(["scale"])["scale"]


class NoParams(Model):
    """Somebody's own model, not bounded as ours are."""


@pytest.mark.parametrize("action", discover().values(), ids=lambda a: a.name)
def test_what_is_shipped_is_sound(action):
    assert list(faults(action)) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "Scale Up", "name 'Scale Up' must be"),
        ("name", "-", "name '-' must be"),
        ("summary", " ", "summary must say"),
        ("kinds", frozenset(), "kinds must be some of Deployment"),
        ("kinds", frozenset({"Deployment", "Rocket"}), "kinds must be some of Deployment"),
        ("params", NoParams, "params must be a class derived"),
        ("params", {}, "params must be a class derived"),
        ("plan", "scale.plan", "plan must be a function"),
        ("on_ineffective", "Maybe", "on_ineffective must be Keep or Undo"),
        ("irreversible", True, "irreversible must say in words"),
        ("rules", ({"apiGroups": [""]},), "a rule must be a hemostat.action.contract.Rule, not dict"),
        ("rules", (Rule("", ("pods"), ("get",)),), "must be tuples of texts"),
        ("rules", None, "rules must be a tuple of Rule, not NoneType"),
        ("rules", (Rule("", (None,), ("get",)),), "must be tuples of texts"),
        ("rules", (Rule("", ("pods",), ()),), "must name resources and verbs"),
        ("rules", (Rule("", ("*",), ("get",)),), "never *"),
        ("rules", (Rule("*", ("pods",), ("get",)),), "never *"),
        ("cluster_rules", (Rule("", ("nodes",), ("*",)),), "never *"),
        ("rules", (Rule("", ("pods",), ("read",)),), "read is none of the verbs"),
        ("rules", (Rule("", ("users",), ("impersonate",)),), "impersonate is none of the verbs"),
        ("rules", (Rule("hemostat.dev", ("approvals",), ("create",)),), "no action may write what decides on actions"),
        ("rules", (Rule("rbac.authorization.k8s.io", ("roles",), ("patch",)),), "no action may write what decides"),
        ("rules", (Rule("", ("secrets",), ("get",)),), "Secrets must be named, one by one"),
    ],
)
def test_one_thing_that_is_wrong_is_the_one_thing_that_is_told(field, value, said):
    (told,) = faults(replace(SCALE, **{field: value}))
    assert said in told
