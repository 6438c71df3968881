"""What an unfinished effect needs, from what the live object shows; and who gets the fields back."""

import pytest
from tests.unit.act.double import patched
from tests.unit.builders import T0, TARGET, at, deployment, remediation

from hemostat.action.contract import World, effect, make_plan, replace
from hemostat.action.effects import still_ours
from hemostat.action.moves import MAX_ATTEMPTS, Landed, Lost, NewIntent, Send, next_move
from hemostat.action.ownership import handed_back, owner_of, union
from hemostat.action.parts import Part, manager
from hemostat.action.registry import discover
from hemostat.api.remediation import OpKind, PatchOp

SCALE = discover()["scale"]
PLAN = make_plan(SCALE, TARGET, SCALE.params(), World(target=deployment()))


def case(*versions, which="Forward", generation=1):
    intents = [
        {
            "effect": which,
            "attempt": i,
            "uid": "uid-payment",
            "resourceVersion": version,
            "generation": generation,
            "time": "2026-03-01T12:00:00Z",
        }
        for i, version in enumerate(versions, start=1)
    ]
    return remediation(action="scale", status={"plan": PLAN.wire(), "intents": intents})


def live(version="1", generation=1, replicas=3, managers=()):
    found = deployment(replicas=replicas)
    found["metadata"] |= {"resourceVersion": version, "generation": generation}
    found["metadata"]["managedFields"] = [{"manager": m} for m in managers]
    return found


OURS = manager(case(), Part("Forward"))


@pytest.mark.parametrize(
    ("given_", "seen", "wanted"),
    [
        (case(), live(), NewIntent),
        (case("1"), live("1"), Send),
        (case("1"), live("2"), NewIntent),
        (case("1", "2"), live("2"), Send),
        (case("1"), live("2", generation=2), Lost),
        (case("1"), live("2", generation=2, replicas=6, managers=[OURS]), Landed),
        (case("1"), live("9", generation=7, replicas=9, managers=["owner", OURS]), Landed),
        (case("1"), live("2", generation=2, replicas=6), Landed),
        (case("1"), live("2", generation=1, replicas=6), NewIntent),
        (case("1", which="Inverse"), live("1"), NewIntent),
        (case(*(str(i) for i in range(MAX_ATTEMPTS))), live("99"), Lost),
        (case(*(str(i) for i in range(MAX_ATTEMPTS - 1))), live("99"), NewIntent),
    ],
)
def test_the_next_move(given_, seen, wanted):
    assert type(next_move(given_, Part("Forward"), seen, T0)) is wanted


def test_a_new_intent_names_exactly_what_was_seen():
    found = next_move(case("1"), Part("Forward"), live("2"), at(7)).intent
    assert (found.effect, found.attempt, found.uid, found.resource_version, found.generation, found.time) == (
        "Forward",
        2,
        "uid-payment",
        "2",
        1,
        at(7),
    )


def test_a_result_says_how_it_was_seen():
    shown = next_move(case("1"), Part("Forward"), live("5", 2, 6, [OURS]), at(9)).result
    assert (shown.proof, shown.resource_version, shown.generation, shown.time) == ("ManagedFields", "5", 2, at(9))
    assert next_move(case("1"), Part("Forward"), live("5", 2, 6), T0).result.proof == "Content"


def test_the_other_effect_of_the_same_remediation_is_no_proof():
    inverse = manager(case(), Part("Inverse"))
    assert inverse != OURS
    assert isinstance(next_move(case("1"), Part("Forward"), live("1", managers=[inverse]), T0), Send)


@pytest.mark.parametrize(
    ("op", "ours"),
    [
        (replace("/spec/replicas", 3), True),
        (replace("/spec/replicas", 4), False),
        (replace("/spec/missing/deep", 3), False),
        (replace("/spec/template/spec/containers/0/image", "shop:1"), True),
        (replace("/spec/template/spec/containers/1/image", "shop:1"), False),
        (replace("/metadata/annotations/a~1b~0c", "x"), True),
        (PatchOp(op=OpKind.REMOVE, path="/spec/paused"), True),
        (PatchOp(op=OpKind.REMOVE, path="/spec/replicas"), False),
    ],
)
def test_whether_the_object_is_still_as_we_wrote_it(op, ours):
    seen = deployment()
    seen["metadata"]["annotations"] = {"a/b~c": "x"}
    assert still_ours(effect(seen, (op,)), seen) is ours
    assert still_ours(effect(seen, (replace("/spec/replicas", 3), op)), seen) is ours


def test_what_was_removed_is_given_back_to_whom_it_was_taken_from():
    """Its owner's entry does not name it any more when it is put back."""
    begun = case("1")
    intents = tuple(i.model_copy(update={"owner": "team"}) for i in begun.status.intents)
    begun = begun.model_copy(update={"status": begun.status.model_copy(update={"intents": intents})})
    seen = live("2", generation=2, replicas=6, managers=["team"])
    assert next_move(begun, Part("Inverse"), seen, at(7)).intent.owner == "team"
    assert next_move(case(), Part("Forward"), seen, at(7)).intent.owner is None


# --- ownership ---------------------------------------------------------------------------------------------


def entry(name, fields, operation="Apply", **more):
    return {"manager": name, "operation": operation, "fieldsV1": fields} | more


IMAGE = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}}}}}}}
PATH = "/spec/template"


@pytest.mark.parametrize(
    ("entries", "owner"),
    [
        ([], None),
        ([entry("helm", IMAGE)], "helm"),
        ([entry("kubectl", IMAGE, "Update")], None),
        ([entry("hpa", {"f:spec": {"f:replicas": {}}})], None),
        ([entry("a", {"f:spec": {"f:template": {}}}), entry("helm", IMAGE)], "helm"),
        ([entry("helm", IMAGE, subresource="status")], None),
        ([entry("b", IMAGE), entry("a", IMAGE)], "a"),
    ],
)
def test_the_owner_is_who_applied_most_of_what_is_patched(entries, owner):
    assert owner_of({"metadata": {"managedFields": entries}}, [PATH]) == owner


def given_back(entries, owner):
    ops = handed_back(entries, frozenset({"ours-f", "ours-i"}), owner)
    return patched({"metadata": {"managedFields": entries}}, ops)["metadata"]["managedFields"]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]])
def test_our_fields_go_to_their_owner_wherever_the_entries_stand(order):
    env = {"f:spec": {"f:env": {}}}
    entries = [
        entry("helm", {"f:spec": {"f:a": {}}}),
        entry("ours-f", IMAGE, "Update"),
        entry("ours-i", env, "Update"),
        entry("kubelet", {"f:status": {}}, "Update", subresource="status"),
    ]
    after = {e["manager"]: e for e in given_back([entries[i] for i in order], "helm")}
    assert set(after) == {"helm", "kubelet"}
    assert after["helm"]["fieldsV1"] == union(union({"f:spec": {"f:a": {}}}, IMAGE), env)
    assert after["kubelet"] == entries[3]


@pytest.mark.parametrize("owner", [None, "gone"])
def test_without_an_owner_our_entries_just_go(owner):
    helm = entry("helm", {"f:spec": {}})
    assert given_back([entry("ours-f", IMAGE, "Update"), helm], owner) == [helm]


def test_with_nothing_of_ours_nothing_is_done():
    assert handed_back([entry("helm", IMAGE)], frozenset({"ours-f"}), "helm") == []
