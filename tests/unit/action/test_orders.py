"""Cuts between agents: what is ordered, for whom, how it is taken back, and what refuses."""

import json
from dataclasses import replace as changed

import pytest
from tests.unit.action.plans import PLAN
from tests.unit.builders import T0, TARGET, at, deployment, meta

from hemostat.action.contract import World, make_plan, parse
from hemostat.action.effects import conversations_of, missing_parents, still_ours
from hemostat.api.incident import Advice, Conversation, ConversationStatus
from hemostat.api.runbook import Parameter
from hemostat.errors import Refused
from hemostat.guard.orders import CONFIG_MAP, Cap, Cut, Halt
from hemostat.guard.orders import parse as read_order
from hemostat_remediations.conversations import CAP, HALT
from hemostat_remediations.cut_edge import CUT_EDGE
from hemostat_remediations.orders import LONGEST, MAX_ORDERS


def trouble(*conversations, kind="Cycle", caller="planner", callee="critic", affected=None, since=-1):
    return ConversationStatus(
        kind=kind,
        agents=("planner", "critic"),
        caller=caller,
        callee=callee,
        conversations=tuple(Conversation(id=c, since_time=at(since)) for c in conversations),
        affected=len(conversations) if affected is None else affected,
        confidence_percent=90,
        visibility="Full",
        advice="Cut",
    )


def config_map(**data):
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(CONFIG_MAP)}
    return found | ({"data": data} if data else {})


def world(*troubles, orders=None):
    return World(
        target=deployment(),
        orders=config_map() if orders is None else orders,
        conversations=troubles,
        proposed=T0,
        remediation="uid-r",
    )


def plan(action, seen, **parameters):
    given = [Parameter(name=k, value=str(v)) for k, v in parameters.items()]
    return make_plan(action, TARGET, parse(action, given), seen)


def orders(found):

    return [
        read_order(op.path.removeprefix("/data/"), json.loads(op.value), T0.timestamp())
        for op in found.steps[0].forward.ops
    ]


def reason(action, seen, **parameters):
    with pytest.raises(Refused) as caught:
        plan(action, seen, **parameters)
    return caught.value.reason


def test_the_edge_is_cut_in_the_conversations_in_trouble_and_for_a_time():
    found = plan(CUT_EDGE, world(trouble("c1", "c2")), holdSeconds=60, probeSeconds=5)
    one, two = orders(found)
    assert isinstance(one, Cut)
    assert (one.caller, one.callee, one.conversation, two.conversation) == ("planner", "critic", "c1", "c2")
    assert (one.probe_seconds, one.abort, one.until) == (5, False, (T0 + LONGEST).timestamp())
    assert found.hold_seconds == 60
    assert (found.steps[0].forward.kind, found.steps[0].forward.name) == ("ConfigMap", CONFIG_MAP)
    assert "planner -> critic" in found.summary
    assert "c1" in found.summary


@pytest.mark.parametrize(
    ("troubles", "parameters", "wanted"),
    [
        ((trouble("c1", "c2"),), {"scope": "Edge"}, [("planner", "")]),
        ((trouble(*(f"c{i}" for i in range(16)), affected=900),), {}, [("planner", "")]),
        ((trouble(*(f"c{i}" for i in range(MAX_ORDERS + 1))),), {}, [("planner", "")]),
        ((trouble("c1", kind="RetryStorm", caller="*", callee="gpt"),), {"scope": "Edge"}, [("", "")]),
        ((trouble("c1"), trouble("c2", caller="a", callee="b")), {}, [("planner", "c1"), ("a", "c2")]),
    ],
)
def test_many_conversations_are_the_whole_edge_and_a_storm_is_anybodys(troubles, parameters, wanted):
    found = orders(plan(CUT_EDGE, world(*troubles), **parameters))
    assert [(o.caller, o.conversation) for o in found] == wanted
    assert len({o.id for o in found}) == len(found)


def test_what_is_only_told_is_left_alone_beside_what_is_sure():
    told = trouble("patient", callee="status").model_copy(update={"advice": Advice.NOTIFY})
    assert [o.conversation for o in orders(plan(CUT_EDGE, world(told, trouble("c1"))))] == ["c1"]
    assert [o.conversation for o in orders(plan(CUT_EDGE, world(told)))] == ["patient"]


def test_a_deadlock_is_cut_out_of_calls_under_way():
    (order,) = orders(plan(CUT_EDGE, world(trouble("c", kind="Deadlock"))))
    assert order.abort


def test_who_joins_later_makes_no_other_plan_of_it():
    """An approval of the plan would be void at every conversation that begins to loop."""
    before = plan(CUT_EDGE, world(trouble("c1")))
    after = plan(CUT_EDGE, world(changed_conversations(trouble("c1"), "c2", since=5)))
    assert after == before


def test_only_the_conversations_that_the_remediation_is_about_are_cut():
    seen = changed(world(trouble("c1", "c2", "c3", since=5)), about=frozenset({"c2", "gone"}))
    assert [o.conversation for o in orders(plan(CUT_EDGE, seen))] == ["c2"]
    assert [o.conversation for o in orders(plan(HALT, seen))] == ["c2"]
    assert reason(CUT_EDGE, changed(seen, about=frozenset({"gone"}))) == "NothingToCut"


def test_an_effect_tells_which_conversations_alone_it_touches():
    def touched(*troubles, action=CUT_EDGE, **parameters):
        return conversations_of(plan(action, world(*troubles), **parameters).effects)

    assert touched(trouble("c1", "c2")) == {"c1", "c2"}
    assert touched(trouble("c1"), action=HALT) == {"c1"}
    assert touched(trouble("c1"), scope="Edge") == frozenset(), "all of them"
    assert conversations_of(PLAN.effects) == frozenset()


def test_orders_end_by_themselves_after_the_time_that_was_said():
    halt, cap = (
        orders(plan(a, world(trouble("c")), holdSeconds=45, **m))[0] for a, m in ((HALT, {}), (CAP, {"turns": 2}))
    )
    (cut,) = orders(plan(CUT_EDGE, world(trouble("c")), holdSeconds=45))
    assert {order.hold_seconds for order in (cut, halt, cap)} == {45}


def test_trouble_of_the_second_in_which_it_was_proposed_is_meant():
    """The API server says 12:00:03 for a Remediation created at 12:00:03.6 about trouble that began at 12:00:03.2."""
    assert len(orders(plan(CUT_EDGE, world(trouble("c1", since=0.2))))) == 1
    assert reason(CUT_EDGE, world(trouble("c1", since=1))) == "NothingToCut"


def changed_conversations(first, *more, since):
    late = tuple(Conversation(id=c, since_time=at(since)) for c in more)
    both = (*first.conversations, *late)
    return first.model_copy(update={"conversations": both, "affected": len(both)})


def test_conversations_are_halted_or_capped_each_once():
    seen = world(trouble("c2", "c1"), trouble("c1", caller="x", callee="y"))
    halted, capped = orders(plan(HALT, seen)), orders(plan(CAP, seen, turns=5, tokens=1000))
    assert [type(o) for o in halted] == [Halt, Halt]
    assert [o.conversation for o in halted] == ["c1", "c2"]
    assert [(type(o), o.turns, o.tokens) for o in capped] == [(Cap, 5, 1000)] * 2


@pytest.mark.parametrize("action", [CUT_EDGE, HALT])
def test_what_cannot_be_done_is_refused_with_the_reason(action):
    assert reason(action, changed(world(trouble("c")), orders=None)) == "NoGuard"
    assert reason(action, world()) == "NothingToCut"
    assert reason(action, world(trouble("late", since=9))) == "NothingToCut"
    assert reason(action, changed(world(trouble("c")), proposed=None)) == "NoTime"


def test_a_cap_without_a_bound_and_too_many_halts_are_refused():
    assert reason(CAP, world(trouble("c"))) == "BadParameters"
    assert reason(HALT, world(trouble(*(f"c{i}" for i in range(MAX_ORDERS + 1))))) == "TooMany"
    assert reason(CUT_EDGE, world(trouble("c", callee="", caller=""))) == "NothingToCut"


def test_taking_back_touches_nobody_elses_order():
    found = plan(CUT_EDGE, world(trouble("c1")))
    (key,) = (op.path.removeprefix("/data/") for op in found.steps[0].inverse.ops)
    (op,) = found.steps[0].forward.ops

    live = config_map(**{key: json.loads(op.value), "another": "{}"})
    assert still_ours(found.steps[0].forward, live)
    assert not still_ours(found.steps[0].inverse, live)
    del live["data"][key]
    assert still_ours(found.steps[0].inverse, live)
    assert not still_ours(found.steps[0].forward, live)


def test_the_first_order_of_all_makes_room_for_itself_and_later_ones_wipe_nothing():
    found = plan(CUT_EDGE, world(trouble("c1")))
    assert missing_parents(found.steps[0].forward, config_map()) == ("/data",)
    assert missing_parents(found.steps[0].forward, config_map(another="{}")) == ()
    assert missing_parents(found.steps[0].inverse, config_map()) == ()
