"""The catalogue: whole, or not at all."""

from importlib.metadata import EntryPoint

import pytest

from hemostat.action import registry
from hemostat.action.contract import Action
from hemostat.action.registry import ENTRY_POINTS, discover, installed
from hemostat.errors import Broken


def points(monkeypatch, *pairs):
    found = [EntryPoint(name, value, ENTRY_POINTS) for name, value in pairs]
    monkeypatch.setattr(registry, "entry_points", lambda group: found if group == ENTRY_POINTS else [])


ROLLBACK = ("rollback", "hemostat_remediations.rollback:ROLLBACK")


def test_what_is_installed_is_found():
    found = discover()
    assert {"rollback", "scale"} <= set(found)
    assert all(isinstance(action, Action) and action.name == name for name, action in found.items())


def test_only_what_is_allowed_is_loaded(monkeypatch):
    assert set(discover(["scale"])) == {"scale"}
    assert discover([]) == {}
    points(monkeypatch, ROLLBACK, ("broken", "no.such.module:X"))
    assert set(discover(["rollback"])) == {"rollback"}
    assert installed() == {"rollback", "broken"}, "what a policy may name, though it is not used here"


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([ROLLBACK, ("broken", "no.such.module:X")], "broken"),
        ([("rollback", "hemostat_remediations.rollback:NOTHING")], "rollback"),
        ([("undo", "hemostat_remediations.rollback:ROLLBACK")], "undo"),
        ([("rollback", "hemostat_remediations.rollback:plan")], "not an Action"),
        ([ROLLBACK, ROLLBACK], "two packages"),
    ],
)
def test_half_a_catalogue_is_none(monkeypatch, pairs, words):
    points(monkeypatch, *pairs)
    with pytest.raises(Broken, match=words):
        discover()


def test_an_action_that_is_allowed_and_missing_is_named():
    with pytest.raises(Broken, match="drain, reboot"):
        discover(["scale", "reboot", "drain"])


@pytest.mark.parametrize("action", discover().values(), ids=lambda a: a.name)
def test_an_action_of_the_catalogue_is_complete(action):
    assert action.summary
    assert action.kinds
    assert all(rule.verbs and rule.resources for rule in action.rules)
    assert not any("*" in (*rule.verbs, *rule.resources, rule.group) for rule in action.rules)
    assert action.params() == action.params.model_validate({})
