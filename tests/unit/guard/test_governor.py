"""Turns, tokens, halts and parked tasks."""

import json

import pytest
from tests.unit.guard.support import WALL, Bench

from hemostat.guard import Halted, Limits, Standing, acting
from hemostat.guard import governor as module
from hemostat.guard.orders import Cap, Halt


def made(**limits):
    parked, resumed = [], []
    bench = Bench(limits=Limits(**limits), on_park=parked.append, on_resume=resumed.append)
    return bench, bench.guard.governor, parked, resumed


def halt(until=60.0, name="stop"):
    return Halt(id=name, conversation="c", until=WALL + until, reason="burns tokens")


def test_soft_limit_says_so_and_hard_limit_halts():
    _, governor, _, _ = made(soft_turns=2, hard_turns=4)
    standings = [governor.turn("c") for _ in range(4)]
    assert standings == [Standing.GO, Standing.GO, Standing.WRAP_UP, Standing.WRAP_UP]
    with pytest.raises(Halted, match="4 turns"):
        governor.turn("c")
    assert governor.turn("other") is Standing.GO


def test_the_calls_of_the_last_turn_still_pass():
    bench, governor, _, _ = made(hard_turns=1)
    with acting("planner", "c"):
        governor.turn("c")
        with bench.guard.call("critic"):
            pass


def test_tokens_halt_calls_too():
    bench, governor, _, _ = made(soft_tokens=50, hard_tokens=100)
    governor.spent("c", 60)
    assert governor.turn("c") is Standing.WRAP_UP
    governor.spent("c", 40)
    with acting("planner", "c"), pytest.raises(Halted, match="100 tokens"), bench.guard.call("critic"):
        pytest.fail("the call went through")


def test_tokens_are_counted_from_spans_of_models_and_not_from_sums_over_them():
    bench, governor, _, _ = made()
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c"}
    with bench.tracer.start_as_current_span("invoke_agent", attributes=agent | usage):
        chat = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "c"}
        bench.tracer.start_span("chat m", attributes=chat | usage).end()
        with acting("planner", "c"):
            bench.tracer.start_span("chat m", attributes={"gen_ai.operation.name": "chat"} | usage).end()
    assert governor.used("c") == (0, 30)


def test_a_cap_tightens_and_never_loosens():
    bench, governor, _, _ = made(hard_turns=2)
    bench.order(Cap(id="cap", conversation="c", turns=9, until=WALL + 60, reason="enough"))
    governor.turn("c")
    governor.turn("c")
    with pytest.raises(Halted, match="turns"):
        governor.turn("c")
    bench.order(Cap(id="cap", conversation="d", turns=1, until=WALL + 60, reason="enough"))
    governor.turn("d")
    with pytest.raises(Halted, match="enough"):
        governor.turn("d")
    bench.time.passed += 60
    assert governor.turn("d") is Standing.GO, "to the second, whatever the ticker does"


def test_a_halt_ends_though_the_wall_clock_is_set_back_and_other_orders_come():
    bench, governor, _, _ = made()
    bench.order(halt())
    bench.time.set_back = 3600
    bench.order(halt(), Cap(id="cap", conversation="d", turns=1, until=WALL + 60, reason="enough"))
    bench.later(60)
    assert governor.turn("c") is Standing.GO


def test_a_halt_of_the_application_ends_by_itself():
    bench, governor, parked, resumed = made()
    governor.halt("c", "lunch", 60)
    bench.time.passed += 60
    assert governor.turn("c") is Standing.GO
    bench.later(0)
    assert parked == resumed


def test_of_two_caps_the_stricter_counts():
    bench, governor, _, _ = made()
    caps = [Cap(id=f"cap{n}", conversation="c", turns=n, until=WALL + 60, reason="enough") for n in (5, 1, 3)]
    bench.order(*caps)
    governor.turn("c")
    with pytest.raises(Halted):
        governor.turn("c")


def test_a_halted_task_is_parked_once_with_what_it_takes_to_drive_it_again():
    bench, governor, parked, resumed = made()
    governor.remember("c", {"question": "why", "step": 3})
    governor.turn("c")
    governor.spent("c", 7)
    bench.order(halt())
    for _ in range(3):
        with pytest.raises(Halted, match="burns tokens") as caught:
            governor.turn("c")
    assert caught.value.until == WALL + 60
    (record,) = parked
    assert json.loads(record.as_json()) == {
        "conversation": "c",
        "reason": "burns tokens",
        "until": WALL + 60,
        "turns": 1,
        "tokens": 7,
        "task": {"question": "why", "step": 3},
    }
    assert resumed == []
    bench.order()
    assert resumed == [record]
    assert governor.turn("c") is Standing.GO
    assert bench.kept.names.count("hemostat.guard.halt") == bench.kept.names.count("hemostat.guard.resume") == 1


def test_a_conversation_this_process_never_saw_is_not_parked_here():
    bench, _, parked, _ = made()
    bench.order(halt())
    assert parked == []


def test_a_halt_ends_by_itself_and_the_owner_is_told():
    bench, governor, parked, resumed = made()
    governor.turn("c")
    bench.order(halt())
    bench.later(59)
    assert (len(parked), len(resumed)) == (1, 0)
    bench.later(1)
    assert len(resumed) == 1
    assert governor.turn("c") is Standing.GO


def test_halts_and_caps_end_by_themselves_after_their_hold_though_nobody_takes_them_back():
    bench, governor, parked, resumed = made()
    governor.turn("c")
    long = {"conversation": "c", "until": WALL + 6 * 3600, "reason": "burns tokens"}
    bench.order(Halt(id="h", hold_seconds=60, **long), Cap(id="cap", turns=1, hold_seconds=90, **long))
    assert parked[0].until == pytest.approx(WALL + 60, abs=1e-3)
    bench.later(60)
    with pytest.raises(Halted) as caught:
        governor.turn("c")
    assert caught.value.until == pytest.approx(WALL + 90, abs=1e-3)
    bench.later(30)
    assert governor.turn("c") is Standing.GO
    assert len(resumed) == 1


def test_of_two_halts_the_longer_counts():
    bench, governor, _, resumed = made()
    governor.turn("c")
    bench.order(halt(60), halt(30, "two"))
    with pytest.raises(Halted) as caught:
        governor.turn("c")
    assert caught.value.until == WALL + 60
    bench.later(31)
    with pytest.raises(Halted):
        governor.turn("c")
    assert resumed == []


def test_the_application_can_halt_and_resume_by_itself():
    _, governor, parked, resumed = made(hard_turns=1)
    governor.turn("c")
    governor.halt("c", "user pressed stop", 600)
    with pytest.raises(Halted, match="user pressed stop"):
        governor.turn("c")
    governor.resume("c")
    assert len(parked) == len(resumed) == 1
    assert governor.turn("c") is Standing.GO, "with its whole budget again"


def test_the_application_cannot_lift_the_operators_halt():
    bench, governor, _, resumed = made()
    governor.turn("c")
    bench.order(halt())
    governor.resume("c")
    with pytest.raises(Halted):
        governor.turn("c")
    assert resumed == []


@pytest.mark.parametrize("task", [object(), {"x": {1, 2}}, "x" * module.MAX_TASK])
def test_a_task_that_cannot_be_handed_back_is_refused(task):
    _, governor, _, _ = made()
    with pytest.raises(ValueError, match="task"):
        governor.remember("c", task)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONVERSATIONS", 3)
    _, governor, _, _ = made()
    for n in range(9):
        governor.turn(f"c{n}")
        governor.halt(f"c{n}", "x", 60)
    assert len(governor._ledgers) == len(governor._halts) == len(governor._kept) == 3
    assert governor.used("c0") == (0, 0)
    assert governor.used("c8") == (1, 0)


def test_the_conversation_used_longest_ago_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONVERSATIONS", 2)
    _, governor, _, _ = made()
    for conversation in ["old", "other", "old", "new"]:
        governor.turn(conversation)
    assert [governor.used(name)[0] for name in ("old", "other", "new")] == [2, 0, 1]
