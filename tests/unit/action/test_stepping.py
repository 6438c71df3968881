"""Which step comes next, when the rest is given up, and which plans an approval still covers."""

import pytest
from tests.unit.action.plans import PLAN
from tests.unit.builders import HASH, at, deployment, node, pod, remediation

from hemostat.action.contract import add, deletion, effect, once, remove, replace
from hemostat.action.parts import Part, manager
from hemostat.action.stepping import as_planned, awaited, covers, halfway, overdue, to_undo, turn
from hemostat.api.remediation import PlanStep
from hemostat.clock import rfc3339
from hemostat.errors import Refused

NODE = node() | {"apiVersion": "v1", "kind": "Node"}
CORDON = PlanStep(
    forward=effect(NODE, (add("/spec/unschedulable", True),)), inverse=effect(NODE, (remove("/spec/unschedulable"),))
)


def eviction(name, awaits=0):
    live = pod(name, uid=f"uid-{name}") | {"apiVersion": "v1", "kind": "Pod"}
    return PlanStep(forward=deletion(live, "eviction"), awaits_available=awaits)


A, B, C = (eviction(name) for name in "abc")
SEVERAL = PLAN.model_copy(update={"steps": (CORDON, A, B), "deadline_seconds": 100})


def plan(*steps, **changed):
    return SEVERAL.model_copy(update={"steps": steps} | changed)


def case(forward, inverse=(), tried=None, first=0.0):
    """A Remediation whose steps are done and undone; of `tried` there is an intent only, so many seconds after T0."""
    results = [("Forward", n) for n in forward] + [("Inverse", n) for n in inverse]
    done = {"resourceVersion": "1", "generation": 1}
    status = {
        "plan": SEVERAL.wire(),
        "results": [
            done | {"effect": e, "step": n, "time": rfc3339(at(first + n)), "proof": "Gone"} for e, n in results
        ],
        "intents": [done | {"effect": "Forward", "step": len(forward), "attempt": 1, "time": rfc3339(at(tried))}]
        if tried is not None
        else [],
    }
    return remediation(status=status)


@pytest.mark.parametrize(("forward", "wanted"), [([], 0), ([0], 1), ([0, 1], 2), ([0, 2], 1)])
def test_forward_it_is_the_first_step_without_a_result(forward, wanted):
    assert turn(case(forward), "Forward") == Part("Forward", wanted)


def test_back_it_is_the_last_step_that_was_done_and_can_be_undone():
    assert turn(case([0, 1, 2]), "Inverse") == Part("Inverse", 0)
    assert [u.step for u in to_undo(case([0, 1]))] == [0]
    assert to_undo(case([], tried=0)) == (), "an intent alone is no effect"
    with pytest.raises(Refused):
        turn(case([0, 1], [0]), "Inverse")


def test_back_the_steps_come_in_reverse():
    two = plan(CORDON, *once(*(effect(deployment(), (replace("/spec/replicas", n),)) for n in (4, 3))))
    body = case([0, 1])
    found = body.model_copy(update={"status": body.status.model_copy(update={"plan": two})})
    assert [u.step for u in to_undo(found)] == [1, 0]


@pytest.mark.parametrize(
    ("forward", "tried", "now", "wanted"),
    [
        ([0], None, 100, False),
        ([0], None, 101, True),
        ([0], 40, 114, False),
        ([0], 40, 116, True),
        ([], 0, 1000, False),
        ([0, 1, 2], None, 1000, False),
    ],
)
def test_what_is_left_is_given_up_after_the_deadline_unless_its_request_may_still_land(forward, tried, now, wanted):
    assert overdue(case(forward, tried=tried), at(now)) is wanted


def test_halfway_is_neither_before_the_first_nor_after_the_last_step():
    assert [halfway(case(range(n))) for n in range(4)] == [False, True, True, False]


def test_each_effect_has_a_field_manager_of_its_own():
    names = {manager(case([]), Part(which, step)) for which in ("Forward", "Inverse") for step in range(3)}
    assert len(names) == 6


@pytest.mark.parametrize(("available", "waits"), [(None, True), (0, True), (2, True), (3, False), (4, False)])
def test_a_step_waits_for_replicas_of_the_target(available, waits):
    target = deployment(replicas=4)
    target["status"]["availableReplicas"] = available
    assert bool(awaited(eviction("a", 3), target)) is waits
    assert awaited(A, {}) == ""


def test_a_later_patch_lands_only_on_what_it_was_planned_on():
    assert as_planned(CORDON, NODE)
    assert not as_planned(CORDON, NODE | {"spec": {"unschedulable": True}})
    assert as_planned(A, {})


@pytest.mark.parametrize(
    ("fresh", "wanted"),
    [
        (SEVERAL, True),
        (plan(CORDON, A), True),
        (plan(CORDON, B), True),
        (plan(CORDON), True),
        (plan(CORDON, B, summary="fewer", diff="-b", replaced_pods=1), True),
        (plan(CORDON, eviction("b", awaits=2)), True),
        (plan(CORDON, A, eviction("b", awaits=2)), False),
        (plan(CORDON, A, B, C), False),
        (plan(CORDON, A, C), False),
        (plan(CORDON, C), False),
        (plan(CORDON, B, A), False),
        (plan(CORDON, A, A), False),
        (plan(A, B), False),
        (plan(CORDON, A, reads_digest=HASH.replace("a", "b")), False),
        (plan(CORDON, A, replicas_after=9), False),
        (plan(CORDON, A, deadline_seconds=None), False),
        (plan(CORDON, A, on_ineffective="Keep"), False),
    ],
)
def test_an_approval_covers_the_same_less_what_is_gone_by_itself_and_nothing_more(fresh, wanted):
    assert covers(SEVERAL, fresh) is wanted


def test_of_a_single_step_nothing_may_differ():
    for changed in ({"summary": "x"}, {"diff": "x"}, {"replaced_pods": 9}, {"replicas_after": 9}):
        assert not covers(PLAN, PLAN.model_copy(update=changed))
