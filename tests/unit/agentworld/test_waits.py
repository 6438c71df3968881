"""A standstill is a cycle (all needed) or a knot (one is enough) in the real lock table, and nothing else is."""

from tests.bench.agentworld.policy import Acquire, CallTool, Release
from tests.bench.agentworld.waits import deadlock
from tests.unit.agentworld.worlds import Does, all_of, any_of, moved, world

WORK = CallTool("shelf", "q=1")


def crosswise(timeout=None):
    return world(
        {
            "lead": Does((all_of("ann", "bob"),)),
            "ann": Does((Acquire("a"), Acquire("b"))),
            "bob": Does((Acquire("b"), Acquire("a", timeout))),
        }
    )


def test_two_agents_that_take_two_locks_crosswise_are_stuck():
    one = moved(crosswise(), "lead ann bob ann")
    assert deadlock(one) == []
    moved(one, "bob")
    assert {(one.frames[edge.waiter].agent, edge.over) for edge in deadlock(one)} == {("ann", "b"), ("bob", "a")}


def test_a_wait_that_runs_out_is_no_deadlock():
    assert deadlock(moved(crosswise(timeout=5.0), "lead ann bob ann bob")) == []


def test_a_line_behind_a_busy_holder_is_no_deadlock():
    one = world(
        {
            "lead": Does((all_of("ann", "bob", "cid"),)),
            "ann": Does((Acquire("a"), WORK)),
            "bob": Does((Acquire("b"), Acquire("a"))),
            "cid": Does((Acquire("b"),)),
        }
    )
    assert deadlock(moved(one, "lead ann bob bob cid ann")) == []


def helpers(ask, second):
    return world({"ann": Does((Acquire("a"), ask)), "bob": Does((Acquire("a"),)), "cid": Does(second)})


def test_who_needs_all_answers_is_stuck_when_one_helper_is():
    one = moved(helpers(all_of("bob", "cid"), (WORK,)), "ann ann bob cid")
    assert {one.frames[edge.waiter].agent for edge in deadlock(one)} == {"ann", "bob"}


def test_who_needs_one_answer_is_not_stuck_while_one_helper_works():
    assert deadlock(moved(helpers(any_of("bob", "cid"), (WORK,)), "ann ann bob cid")) == []


def test_who_needs_one_answer_is_stuck_in_a_knot():
    one = moved(helpers(any_of("bob", "cid"), (Acquire("a"),)), "ann ann bob cid")
    assert {one.frames[edge.waiter].agent for edge in deadlock(one)} == {"ann", "bob", "cid"}


def test_a_session_may_take_its_own_lock_again_if_the_lock_knows_sessions():
    policies = {"ann": Does((Acquire("a"), all_of("bob"))), "bob": Does((Acquire("a"), WORK, Release("a")))}
    assert deadlock(moved(world(policies, reentrant=frozenset({"a"})), "ann ann bob")) == []
    assert len(deadlock(moved(world(policies), "ann ann bob"))) == 2


def test_an_agent_that_ends_frees_its_locks():
    one = moved(crosswise(), "lead ann bob ann bob")
    ann = next(number for number, frame in one.frames.items() if frame.agent == "ann")
    one.abort(ann)
    assert deadlock(one) == []
    assert [frame.status for frame in one.frames.values() if frame.agent == "bob"] == ["ready"]
