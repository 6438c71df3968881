"""Deadlocks are seen among open spans: true ones, told late enough; never long work, time-outs or legal re-entrancy."""

import pytest
from tests.unit.signals.loops.talks import tool

from hemostat.signals.loops.opensteps import NEVER_TOLD_AGAIN_SECONDS, SILENT_SECONDS, OpenSteps
from hemostat.signals.loops.recursion import DEPTH, SAME, too_deep
from hemostat.signals.loops.standstill import PERSON_SECONDS, QUIET_SECONDS, Standstill
from hemostat.signals.loops.verdict import Advice, Kind
from hemostat.signals.loops.waitgraph import WaitGraph
from hemostat.telemetry.steps import Operation, WaitMode

AGENT, WAIT, CHAT = Operation.AGENT, Operation.WAIT, Operation.CHAT
LATER = QUIET_SECONDS + 20.0


def span(name):
    return name.encode().rjust(8, b"-")


def agent(name, parent="", agent=None, **more):
    who = agent or name
    return tool(agent=who, peer=who, operation=AGENT, ended=None, span=span(name), parent=span(parent), **more)


def lock(name, parent, holder, **more):
    return tool(
        agent="", peer="lock:x", operation=WAIT, ended=None, span=span(name), parent=span(parent), holder=holder,
        awaited="lock", **more,
    )  # fmt: skip


def wait(name, parent, mode, awaited="agent", peer="b", **more):
    return tool(
        agent="", peer=peer, operation=WAIT, ended=None, span=span(name), parent=span(parent), mode=mode,
        awaited=awaited, **more,
    )  # fmt: skip


def looked(*steps, times=(LATER, LATER + 1)):
    """Return what is told at the last look."""
    opened = OpenSteps()
    standstill = Standstill(opened)
    for step in steps:
        opened.add(step, 0.0)
    found = []
    for now in times:
        found = standstill.look(now)
    return found


MUTUAL = [agent("a"), agent("b"), lock("la", "a", "b", start=1.0), lock("lb", "b", "a", start=2.0)]


def test_two_that_hold_what_the_other_waits_for_are_a_deadlock_cut_at_the_younger_wait():
    (found,) = looked(*MUTUAL)
    assert (found.kind, found.advice, found.edge) == (Kind.DEADLOCK, Advice.CUT, ("b", "a"))
    assert (set(found.agents), found.began) == ({"a", "b"}, 2.0)


def test_tools_at_work_in_the_conversations_are_named_for_they_would_be_broken_off():
    def working(name, **more):
        return tool(agent="a", peer=name, ended=None, span=span(name), parent=span("a"), **more)

    (found,) = looked(*MUTUAL, working("pay"), working("mail"), working("other", conversation="c9"))
    assert found.open_tools == ("mail", "pay")
    assert looked(*MUTUAL)[0].open_tools == ()


def test_it_is_told_when_it_has_stood_still_and_still_does_at_the_next_look():
    assert looked(*MUTUAL, times=(LATER,)) == []
    assert looked(*MUTUAL, times=(3.0, 4.0)) == []
    assert looked(*MUTUAL, times=(3.0, LATER))


def test_a_wait_that_ended_and_began_again_is_another_one():
    opened = OpenSteps()
    standstill = Standstill(opened)
    for step in MUTUAL:
        opened.add(step, 0.0)
    standstill.look(LATER)
    opened.close(span("lb"))
    opened.add(lock("lc", "b", "a", start=LATER), LATER)
    assert standstill.look(LATER + 1) == []


def test_who_waits_for_one_that_works_is_not_stuck():
    works = tool(agent="b", operation=Operation.TOOL, ended=None, span=span("t"), parent=span("b"))
    assert looked(agent("a"), agent("b"), lock("la", "a", "b"), works) == []
    thinks = [agent("a"), agent("b"), lock("la", "a", "b")]
    assert looked(*thinks) == []


def test_legal_re_entrancy_is_none_and_a_lock_that_knows_only_the_caller_is():
    inner = agent("a2", "b", "a")
    assert looked(agent("a"), agent("b", "a"), inner) == []
    (found,) = looked(agent("a"), agent("b", "a"), lock("l", "b", "a"))
    assert set(found.agents) == {"a", "b"}


@pytest.mark.parametrize(("mode", "told"), [(WaitMode.ALL, 1), (WaitMode.ANY, 0)])
def test_who_waits_for_any_of_several_is_free_if_one_of_them_works(mode, told):
    steps = [
        agent("a"), wait("w", "a", mode), agent("b", "w"), agent("c", "w"), lock("l", "b", "a"),
        tool(agent="c", operation=CHAT, ended=None, span=span("chat"), parent=span("c")),
    ]  # fmt: skip
    assert len(looked(*steps)) == told


@pytest.mark.parametrize(("mode", "told"), [(WaitMode.ALL, 1), (WaitMode.ANY, 0)])
def test_waits_side_by_side_that_say_any_are_one_choice(mode, told):
    steps = [
        agent("a"), wait("w1", "a", mode), wait("w2", "a", mode), agent("b", "w1"), agent("c", "w2"),
        lock("l", "b", "a"), tool(agent="c", operation=CHAT, ended=None, span=span("chat"), parent=span("c")),
    ]  # fmt: skip
    assert len(looked(*steps)) == told
    both = [*steps[:-1], lock("m", "c", "a")]
    assert len(looked(*both)) == 1, "no way out is left"


def test_where_nobody_said_how_it_waits_it_is_told_and_not_cut():
    steps = [agent("a"), wait("w", "a", WaitMode.UNKNOWN), agent("b", "w"), agent("c", "w"), lock("l", "b", "a")]
    (found,) = looked(*steps)
    assert found.advice is Advice.NOTIFY


def test_locks_are_held_across_conversations():
    steps = [
        agent("a", conversation="one"),
        agent("b", conversation="two"),
        lock("la", "a", "b", conversation="one", holder_conversation="two"),
        lock("lb", "b", "a", conversation="two", holder_conversation="one"),
    ]
    assert [v.advice for v in looked(*steps)] == [Advice.CUT]
    other = [*steps[:3], lock("lb", "b", "a", conversation="two", holder_conversation="three")]
    assert [v.advice for v in looked(*other)] == [Advice.NOTIFY], "the only call of that agent there is: a guess"


def test_another_s_namesake_in_another_tenant_holds_nothing():
    steps = [agent("a"), agent("b", tenant="t"), lock("la", "a", "b"), lock("lb", "b", "a", tenant="t")]
    assert looked(*steps) == []


def test_a_lock_without_a_holder_is_no_edge():
    assert looked(agent("a"), agent("b"), lock("la", "a", ""), lock("lb", "b", "a")) == []


def test_a_person_is_only_told_of():
    steps = [agent("a"), wait("w", "a", WaitMode.ALL, awaited="person")]
    assert looked(*steps, times=(PERSON_SECONDS - 1,)) == []
    (found,) = looked(*steps, times=(PERSON_SECONDS + 1,))
    assert (found.kind, found.advice, found.agents) == (Kind.WAITING_FOR_PERSON, Advice.NOTIFY, ("a",))


def test_what_nobody_tells_of_any_more_is_forgotten():
    opened = OpenSteps()
    opened.add(agent("a"), 0.0)
    opened.add(agent("a"), 5.0)
    opened.add(agent("pending"), 0.0)
    opened.sweep(6.0 + SILENT_SECONDS)
    assert len(opened) == 1
    opened.sweep(1.0 + NEVER_TOLD_AGAIN_SECONDS)
    assert len(opened) == 0


def test_a_heartbeat_after_the_end_opens_nothing():
    opened = OpenSteps()
    opened.close(span("a"))
    opened.add(agent("a"), 1.0)
    assert len(opened) == 0


def test_open_spans_are_bounded_and_the_oldest_gives_way():
    opened = OpenSteps(most=3)
    for name in "abcde":
        opened.add(agent(name, "root"), 0.0)
    assert (len(opened), opened.displaced) == (3, 2)
    assert opened.get(span("a")) is None
    for name in "abcde":
        opened.close(span(name))
    assert (len(opened), opened._below, opened._agents) == (0, {}, {})


def nested(n, **changes):
    """Return at which depth a verdict is told first, and it."""
    opened = OpenSteps()
    for i in range(n):
        step = agent(f"a{i}", f"a{i - 1}", "a", **{"start": float(i)} | {n: value(i) for n, value in changes.items()})
        opened.add(step, 0.0)
        for verdict in too_deep(step, opened.chain(step), opened):
            return i + 1, verdict
    return None, None


def test_calls_of_oneself_with_the_same_task_are_told_early_and_with_others_late():
    depth, found = nested(20)
    assert (depth, found.kind, found.advice) == (SAME, Kind.RECURSION, Advice.CUT)
    depth, found = nested(20, asked=lambda i: i + 5)
    assert (depth, found.advice) == (DEPTH, Advice.NOTIFY)
    assert nested(DEPTH - 1, asked=lambda i: i + 5) == (None, None)
    assert nested(20, asked=lambda i: None)[0] == DEPTH


def test_one_call_that_several_instrumentations_tell_of_is_no_recursion():
    """Each opens a span inside the other's, with the same task; an agent that calls itself asks its model before."""
    at_once = {"asked": lambda i: 9, "start": lambda i: i // 3 + 0.01 * (i % 3)}
    assert nested(3 * (SAME - 1), **at_once) == (None, None)
    assert nested(20, **at_once)[0] == 3 * (SAME - 1) + 1


def circle(names, asked, *, unnamed=False):
    """Return at which depth agents that call each other are told of, and what is told; each waits for the next."""
    opened = OpenSteps()
    for i, name in enumerate(names):
        opened.add(wait(f"w{i}", f"c{i - 1}", "all", peer=name), 0.0)
        named = {"agent": "", "peer": "invoke_agent"} if unnamed else {"agent": name, "peer": name}
        ids = {"span": span(f"c{i}"), "parent": span(f"w{i}")}
        step = tool(operation=AGENT, ended=None, start=float(i), asked=asked(i), **ids, **named)
        opened.add(step, 0.0)
        for verdict in too_deep(step, opened.chain(step), opened):
            return i + 1, verdict
    return None, None


@pytest.mark.parametrize("unnamed", [False, True])
def test_a_task_that_comes_back_to_who_has_it_is_told_whoever_passed_it_on(unnamed):
    """A planner has its own task; below it the same one goes round, and some conventions name agents at the end."""
    depth, found = circle("pabababab", lambda i: 9 if i else 1, unnamed=unnamed)
    assert (depth, found.kind, set(found.agents)) == (1 + SAME, Kind.RECURSION, {"a", "b"})
    assert circle("pababab", lambda i: i + 5) == (None, None), "parts get smaller"
    assert circle("pabcdef", lambda i: 9) == (None, None), "passed on, and never back"


@pytest.mark.parametrize("parent", [b"", b"other"])
def test_a_span_that_is_told_of_with_another_parent_and_ends_leaves_nothing_behind(parent):
    """Heartbeats tell attributes anew, and hostile ones anything: what ended must not be looked for."""
    steps = OpenSteps()
    waits = tool(operation=Operation.WAIT, peer="lock:a").but(span=b"wait", ended=None, awaited="agent")
    steps.add(waits, 1.0)
    child = tool().but(span=b"child", parent=b"wait", ended=None)
    steps.add(child, 1.0)
    steps.add(child.but(parent=parent), 2.0)
    steps.close(b"child")
    graph = WaitGraph(steps)
    assert graph.deadlocks() == []
    steps.add(child.but(span=b"late", parent=b"wait"), 3.0)
    steps.add(child.but(span=b"late", parent=b"wait", operation=Operation.WAIT, awaited="agent"), 4.0)
    assert {one.step.span for one in steps.waits("agent")} == {b"wait", b"late"}
    assert steps.waits("person") == []
    assert graph.deadlocks() == []
    steps.close(b"late")
    steps.close(b"wait")
    assert (graph.deadlocks(), graph._islands, steps._below, steps._waits, steps._tools) == ([], {}, {}, {}, {})


def called(calls, *, late=0.0):
    """Return at which depth an agent that calls itself is told of, where a span between that nobody tells of ends late.

    :param calls: how many calls it makes at once, of which the first is answered by the next of its activations.
    """
    opened = OpenSteps()
    for i in range(2 * SAME):
        above = span(f"c{i - 1}") if i else b""
        for n in range(calls):
            opened.add(wait(f"w{i}.{n}", f"c{i - 1}", "all", peer="a", start=float(i)), 0.0)
        ids = {"span": span(f"c{i}"), "parent": span(f"http{i}")}
        step = tool(agent="a", peer="a", operation=AGENT, ended=None, start=i + late, asked=9, **ids)
        opened.add(step, 0.0)
        assert above == b"" or opened.get(above) is not None
        if any(too_deep(step, opened.chain(step), opened)):
            return i + 1
    return None


def test_an_agent_is_below_the_call_that_waits_for_it_though_a_span_between_is_not_told_of():
    """Clients of A2A tell of their own span when it has ended: recursion through them was not seen."""
    assert called(1) == SAME
    assert called(3) == SAME, "who asks several at once is one caller"
    assert called(1, late=30.0) is None, "it began long after: another call, or nobody's"


def test_of_several_callers_none_is_guessed():
    opened = OpenSteps()
    for name in ("x", "y"):
        opened.add(agent(name, ""), 0.0)
        opened.add(wait(f"w{name}", name, "all", peer="a"), 0.0)
    step = tool(agent="a", peer="a", operation=AGENT, ended=None, span=span("c"), parent=span("http"))
    opened.add(step, 0.0)
    assert opened.chain(step) == []
    opened.close(span("wy"))
    assert [name for name, _ in opened.chain(step)] == ["x"]
    for name in ("x", "y", "wx", "c"):
        opened.close(span(name))
    assert opened._calls == {}
