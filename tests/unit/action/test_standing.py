"""What of a Remediation's work stands: only what is ours still, and is there, may be taken back."""

from datetime import timedelta

import pytest
from tests.unit.builders import T0, at, deployment, meta, remediation, template
from tests.unit.builders import at as moment

from hemostat.action.contract import World, add, creation, effect, remove, replace
from hemostat.action.parts import Part, manager, prefix
from hemostat.action.standing import State, Word, applied, person, reversal, standing, taken_back_by
from hemostat.action.undoing import Undo
from hemostat.guard.orders import CONFIG_MAP

LANDS = timedelta(seconds=70)
NOW = at(5)
INTENT = {"effect": "Forward", "attempt": 1, "uid": "u", "resourceVersion": "1", "generation": 1}


def written(replicas, who="kubectl-scale", when="2026-03-01T12:05:00Z"):
    live = deployment(replicas=replicas)
    entry = {"manager": who, "operation": "Update", "time": when, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    older = {"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}}}
    live["metadata"]["managedFields"] = [older, entry]
    return live


def scaled(*, certain=True, before=3, after=6):
    target = deployment()
    forward, inverse = (effect(target, (replace("/spec/replicas", n),), "scale") for n in (after, before))
    return Undo(0, forward, inverse, certain)


def begun(when=0.0, **metadata):
    made = remediation(status={"intents": [INTENT | {"time": moment(when).isoformat()}]})
    return made.model_copy(update={"metadata": made.metadata.model_copy(update=metadata)})


def stands(step, live, *, made=None, now=NOW):
    return standing(made or begun(), step, live, now, LANDS)


def test_what_was_left_as_it_is_stands_and_what_is_as_before_is_back():
    assert stands(scaled(), written(6)).state is State.STANDS
    assert stands(scaled(), written(3)).state is State.BACK
    assert stands(scaled(), None).state is State.BACK


def test_what_somebody_wrote_over_is_his_and_it_is_said_what_and_who():
    found = stands(scaled(), written(9))
    assert found.state is State.CHANGED
    assert found.why == "/spec/replicas is 9 and not 6 (kubectl-scale wrote it at 2026-03-01T12:05:00Z)"
    target = deployment()
    forward, inverse = (effect(target, (replace("/spec/template", template(n)),)) for n in ("1", "0"))
    live = deployment(template("2"))
    assert stands(Undo(0, forward, inverse, True), live).why == "/spec/template is another one"


def test_what_was_only_announced_stands_where_our_field_manager_proves_it():
    """`act` may have died between the write and its word of it."""
    unsure = scaled(certain=False)
    ours = written(6, who=manager(begun(), Part("Forward")))
    assert stands(unsure, ours).state is State.STANDS
    assert stands(unsure, written(6)).state is State.UNDER_WAY, "somebody else may have scaled it so"
    assert stands(unsure, written(6), now=at(71)).state is State.BACK, "no request of ours can land any more"
    assert stands(unsure, None).state is State.UNDER_WAY


def test_what_was_only_announced_and_does_not_show_yet_may_come_about():
    """Whoever is told that nothing stands looks no further, and a second later it does."""
    unsure, before = scaled(certain=False), written(3)
    at_its_version = before | {"metadata": before["metadata"] | {"resourceVersion": "1"}}
    moved_on = before | {"metadata": before["metadata"] | {"resourceVersion": "2"}}
    said = {"hemostat.dev/taken-back-by": "ann"}
    assert stands(unsure, at_its_version).state is State.UNDER_WAY
    assert stands(unsure, moved_on).state is State.UNDER_WAY, "act announces it anew"
    assert stands(unsure, at_its_version, made=begun(annotations=said)).state is State.UNDER_WAY
    assert stands(unsure, moved_on, made=begun(annotations=said)).state is State.BACK, "nothing lands, nothing follows"
    assert stands(unsure, at_its_version, now=at(71)).state is State.BACK


def test_of_several_orders_some_may_be_gone_and_none_may_be_another_one():
    orders = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(CONFIG_MAP), "data": {"a": "1", "b": "2"}}
    forward = effect(orders, (add("/data/a", "1"), add("/data/b", "2")))
    step = Undo(0, forward, effect(orders, (remove("/data/a"), remove("/data/b"))), certain=True)
    assert stands(step, orders).state is State.STANDS
    assert stands(step, orders | {"data": {"b": "2"}}).state is State.STANDS
    assert stands(step, orders | {"data": {}}).state is State.BACK
    assert stands(step, {k: v for k, v in orders.items() if k != "data"}).state is State.BACK
    mixed = stands(step, orders | {"data": {"b": "his own"}})
    assert (mixed.state, mixed.why) == (State.CHANGED, "/data/b is his own and not 2")


def test_what_was_created_is_ours_while_it_says_what_we_wrote():
    world = World(target=deployment(), remediation="uid-r", name="r")
    forward, inverse = creation(("v1", "NetworkPolicy"), world, {"egress": []}, 60)
    step = Undo(0, forward, inverse, certain=True)
    live = {"metadata": {"name": forward.name}, "spec": {"egress": [], "policyTypes": ["Egress"]}}
    for op in forward.ops[:3]:
        live = applied(effect_with(forward, op), live)
    assert stands(step, live).state is State.STANDS
    assert stands(step, live | {"spec": {"egress": [{}]}}).state is State.CHANGED
    assert stands(step, None).state is State.BACK
    assert "-{" in reversal(step, live)


def effect_with(made, *ops):
    return made.model_copy(update={"ops": ops})


def test_the_difference_is_what_would_change_now():
    said = reversal(scaled(), written(6)).splitlines()
    assert said[-2:] == ["-6", "+3"]
    assert "Deployment/payment spec.replicas" in said[0]


def test_an_effect_is_applied_to_a_copy():
    live = written(6)
    after = applied(scaled().inverse, live)
    assert (after["spec"]["replicas"], live["spec"]["replicas"]) == (3, 6)
    listed = {"metadata": {}, "spec": {"list": ["a", "b"]}}
    assert applied(effect_with(scaled().inverse, remove("/spec/list/0")), listed)["spec"] == {"list": ["b"]}


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({}, None),
        (
            {"hemostat.dev/taken-back-by": "ann", "hemostat.dev/taken-back-time": "2026-03-01T12:00:00Z"},
            Word("ann", T0),
        ),
        ({"hemostat.dev/taken-back-by": "ann"}, Word("ann", None)),
        ({"hemostat.dev/taken-back-by": "", "hemostat.dev/taken-back-time": "yesterday"}, Word("", None)),
    ],
)
def test_a_person_s_word_counts_though_it_does_not_say_when(said, word):
    assert taken_back_by(begun(annotations=said)) == word


def test_whatever_is_written_for_a_remediation_is_known_by_its_field_manager():
    made = begun()
    names = {manager(made, Part("Forward")), manager(made, Part("Inverse")), person(made)}
    assert len(names) == 3
    assert all(name.startswith(prefix(made)) for name in names)
