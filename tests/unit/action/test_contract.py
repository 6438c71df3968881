"""Parameters, plans and what an Approval is about."""

from dataclasses import replace as replace_
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from tests.unit.builders import HASH, TARGET, deployment, parameter, remediation, template

from hemostat.action.contract import (
    MAX_DIFF,
    Action,
    Draft,
    Params,
    World,
    digest,
    effect,
    make_plan,
    once,
    parse,
    plan_hash,
    replace,
    unified_diff,
)
from hemostat.api.remediation import Verb
from hemostat.errors import Refused


class Speed(Params):
    top_speed: Annotated[int, Field(ge=1, le=10)] = 5
    careful: bool = True


def draft(world, params):
    live = world.target
    return Draft(
        summary=f"speed {params.top_speed}",
        steps=once(
            effect(live, (replace("/spec/replicas", params.top_speed),)),
            effect(live, (replace("/spec/replicas", live["spec"]["replicas"]),)),
        ),
        diff="",
        replaced_pods=0,
        replicas_after=params.top_speed,
        reads={"replicas": live["spec"]["replicas"]},
    )


ACTION = Action("speed", "Go", frozenset({"Deployment"}), Speed, (), draft)
WORLD = World(target=deployment())
PLAN = make_plan(ACTION, TARGET, Speed(), WORLD)
PARAMETERS = (parameter("topSpeed", "5"), parameter("careful", "true"))


def test_parameters_are_text_that_the_action_reads():
    assert parse(ACTION, (parameter("topSpeed", "7"), parameter("careful", "false"))) == Speed(
        top_speed=7, careful=False
    )
    assert parse(ACTION, ()) == Speed()


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ([("topSpeed", "11")], ["topSpeed"]),
        ([("topSpeed", "fast")], ["topSpeed"]),
        ([("topSpeed", "")], ["topSpeed"]),
        ([("unknown", "1")], ["unknown"]),
        ([("topSpeed", "0"), ("careful", "perhaps"), ("other", "1")], ["topSpeed", "careful", "other"]),
    ],
)
def test_every_wrong_parameter_is_named(given_, named):
    with pytest.raises(Refused) as caught:
        parse(ACTION, [parameter(*pair) for pair in given_])
    assert caught.value.reason == "BadParameters"
    assert str(caught.value).startswith("action speed: ")
    assert all(f"{name}: " in str(caught.value) for name in named)


def test_a_plan_is_what_the_action_drafts_on_the_live_object():
    assert PLAN.steps[0].forward.uid == PLAN.steps[0].inverse.uid == "uid-payment"
    assert (PLAN.summary, PLAN.replicas_after, PLAN.on_ineffective) == ("speed 5", 5, "Undo")
    assert PLAN.reads_digest == digest({"replicas": 3})


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (TARGET.model_copy(update={"kind": "StatefulSet"}), "WrongKind"),
        (TARGET.model_copy(update={"uid": "uid-reborn"}), "TargetReplaced"),
    ],
)
def test_a_plan_is_for_the_kind_and_the_very_object(target, reason):
    with pytest.raises(Refused) as caught:
        make_plan(ACTION, target, Speed(), WORLD)
    assert caught.value.reason == reason


def test_a_huge_diff_is_cut_to_what_the_schema_takes():
    huge = Action("speed", "Go", frozenset({"Deployment"}), Speed, (), lambda w, p: draft_with(w, p, "x" * 100_000))
    assert len(make_plan(huge, TARGET, Speed(), WORLD).diff) <= 16384


def draft_with(world, params, diff):
    made = draft(world, params)
    return Draft(made.summary, made.steps, diff, 0, made.replicas_after, made.reads)


def the_hash(action="speed", target=TARGET, parameters=PARAMETERS, plan=PLAN):
    spec = {"action": action, "target_ref": target, "parameters": parameters}
    proposal = remediation()
    return plan_hash(proposal.model_copy(update={"spec": proposal.spec.model_copy(update=spec)}), plan)


def test_the_hash_is_about_this_very_remediation():
    proposal = remediation()
    reborn = proposal.model_copy(update={"metadata": proposal.metadata.model_copy(update={"uid": "another"})})
    assert plan_hash(proposal, PLAN) != plan_hash(reborn, PLAN)


def test_the_hash_is_the_same_for_the_same_plan():
    again = make_plan(ACTION, TARGET, Speed(), World(target=deployment()))
    assert the_hash(plan=again) == the_hash()
    assert the_hash(parameters=PARAMETERS[::-1]) == the_hash()
    assert the_hash(plan=type(PLAN).model_validate(PLAN.wire())) == the_hash()


def test_the_hash_does_not_move_with_the_status_of_the_target():
    live = deployment(readyReplicas=0)
    live["metadata"] |= {"resourceVersion": "77", "generation": 9, "managedFields": [{"manager": "x"}]}
    assert the_hash(plan=make_plan(ACTION, TARGET, Speed(), World(target=live))) == the_hash()


CHANGED_PLANS = {
    "summary": "something else",
    "diff": "-a",
    "replaced_pods": 1,
    "replicas_after": 1,
    "on_ineffective": "Keep",
    "hold_seconds": 60,
    "reads_digest": HASH,
    "steps": once(effect(deployment(), (replace("/spec/replicas", 9),))),
    "deadline_seconds": 60,
    "overwritten_by": ("Argo CD application shop",),
}


def test_every_part_of_the_plan_is_hashed():
    assert set(CHANGED_PLANS) == set(type(PLAN).model_fields)
    for name, value in CHANGED_PLANS.items():
        assert the_hash(plan=PLAN.model_copy(update={name: value})) != the_hash(), name


@pytest.mark.parametrize("name", ["verb", "api_version", "kind", "name", "uid", "subresource", "ops"])
def test_every_part_of_an_effect_is_hashed(name):
    other = {"verb": Verb.DELETE, "subresource": "scale", "ops": (replace("/spec/paused", True),)}.get(name, "x")
    step = PLAN.steps[0]
    for which in ("forward", "inverse"):
        changed = step.model_copy(update={which: getattr(step, which).model_copy(update={name: other})})
        assert the_hash(plan=PLAN.model_copy(update={"steps": (changed,)})) != the_hash()


def test_action_target_and_parameters_are_hashed():
    others = [
        the_hash(action="other"),
        the_hash(parameters=PARAMETERS[:1]),
        the_hash(parameters=(PARAMETERS[0], parameter("careful", "false"))),
        *(the_hash(target=TARGET.model_copy(update={k: "x"})) for k in ("api_version", "kind", "name", "uid")),
    ]
    assert len({the_hash(), *others}) == len(others) + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_digest_is_equal_exactly_for_equal_values(left, right):
    assert (digest(left) == digest(right)) == (repr(canonical(left)) == repr(canonical(right)))


def canonical(value):
    if isinstance(value, dict):
        return sorted((k, canonical(v)) for k, v in value.items()), "object"
    return [canonical(v) for v in value] if isinstance(value, list) else value


def test_people_see_what_changes():
    said = unified_diff(template("1"), template("2"), "Deployment/payment")
    assert [line[0] for line in said.splitlines()[3:] if "image" in line] == ["-", "+"]
    assert unified_diff({"a": 1}, {"a": 1}, "x") == ""


def planned(**fields):
    """Return what becomes of a plan whose draft differs in this."""
    action = replace_(ACTION, plan=lambda world, params: replace_(draft(world, params), **fields))
    return make_plan(action, TARGET, Speed(), WORLD)


def test_a_diff_that_does_not_fit_says_so():
    """Who may write the target could have what matters stand behind what is cut off."""
    whole, cut = planned(diff="x" * MAX_DIFF), planned(diff="x" * MAX_DIFF + "the rest")
    assert whole.diff == "x" * MAX_DIFF
    assert cut.diff.startswith(whole.diff)
    assert "... and 8 more characters that do not fit" in cut.diff


def test_an_action_that_does_not_say_what_nothing_undoes_ends_its_own_remediation_only():
    """Raised as a fault of the process it ended `act`, and did so again after every restart."""
    steps = once(PLAN.steps[0].forward)
    with pytest.raises(Refused, match="its `irreversible` must say what"):
        planned(steps=steps)
