"""What must not change a verdict does not: names, order, duplicates, other conversations, what comes later."""

import random
from dataclasses import replace

import pytest
from tests.unit.signals.loops.talks import steps, tool

from hemostat.signals.loops.agents import Agents
from hemostat.signals.loops.clocks import Clocks
from hemostat.signals.loops.detect import AGAIN_SECONDS, Detector
from hemostat.signals.loops.order import Conversations, Order
from hemostat.signals.loops.verdict import Advice, Kind
from hemostat.telemetry.steps import Basis, Failure, Operation, Source

AGENT, CHAT, HANDOFF = Operation.AGENT, Operation.CHAT, Operation.HANDOFF


def ping_pong(rounds=8, conversation="c", start=0.0):
    made = []
    for i, (a, b) in enumerate(["xy", "yx"] * rounds):
        at = start + 2.0 * i
        made.append(tool(agent=a, peer="m", operation=CHAT, start=at, took=1.9, conversation=conversation, tokens=50))
        turn = {"agent": a, "peer": b, "operation": HANDOFF, "result": None, "conversation": conversation}
        made.append(tool(**turn, start=at + 1.9, took=0.05))
    return made


def research(conversation="r"):
    return steps(*({"conversation": conversation, "asked": i + 5, "about": i + 5, "result": i} for i in range(30)))


def told(made, delay=None, seed=0):
    """Return what is told, each step arriving when it ended or up to `delay` seconds later; looked at every second."""
    rng, found, said = random.Random(seed), Detector(), []
    arrivals = sorted(((s.ended + (rng.random() * delay if delay else 0.0)), i, s) for i, s in enumerate(made))
    clock = 0.0
    for at, _, step in arrivals:
        while clock + 1.0 < at:
            clock += 1.0
            said += found.look(clock)
        said += found.take([step], at)
    for second in range(1, 20):
        said += found.look(clock + second)
    return said


def gist(verdicts):
    return sorted((v.conversation, v.kind, v.advice, v.edge, v.rounds) for v in verdicts)


def test_a_loop_is_told_once_and_again_when_it_may_be_cut():
    said = told(ping_pong())
    assert [(v.kind, v.advice) for v in said] == [(Kind.CYCLE, Advice.NOTIFY), (Kind.CYCLE, Advice.CUT)]
    assert not told(research())


def test_a_fast_loop_is_judged_by_how_long_it_goes_on_not_by_the_rounds_that_are_kept():
    """40 deeds of it are kept: at half a second a round they span less than ten seconds for ever."""
    made = [replace(s, started=s.started / 4, ended=s.ended / 4) for s in ping_pong(60)]
    assert [v.advice for v in told(made) if v.kind is Kind.CYCLE] == [Advice.NOTIFY, Advice.CUT]


def test_duplicates_change_nothing():
    made = ping_pong()
    again = [replace(s, ended=s.ended, source=Source.GUARD) for s in made]
    assert gist(told([*made, *again])) == gist(told(made))


def test_the_order_of_arrival_within_the_delay_changes_nothing():
    made = ping_pong(12)
    assert len({tuple(gist(told(made, delay=5.0, seed=seed))) for seed in range(5)} | {tuple(gist(told(made)))}) == 1


def test_other_conversations_change_nothing():
    mixed = [*ping_pong(), *research(), *ping_pong(conversation="d", start=3.3)]
    both = gist(told(mixed))
    assert [v for v in both if v[0] == "c"] == gist(told(ping_pong()))
    assert {v[0] for v in both} == {"c", "d"}


def test_names_change_nothing_but_names():
    made = [replace(s, agent=s.agent.upper(), peer=s.peer.upper()) for s in ping_pong()]
    lowered = [(c, k, a, (e[0].lower(), e[1].lower()), r) for c, k, a, e, r in gist(told(made))]
    assert lowered == gist(told(ping_pong()))


def test_what_comes_later_changes_nothing():
    made = [*ping_pong(12), *research(), *ping_pong(5, "d", 9.1)]
    whole = told(made)
    for n in (14, 20, 30):
        early = told(sorted(made, key=lambda s: s.ended)[:n])
        assert whole[: len(early)] == early
    assert len(whole) > 2


def test_lost_spans_never_blame_another_edge():
    for seed in range(20):
        rng = random.Random(seed)
        kept = [s for s in [*ping_pong(20), *research()] if rng.random() > 0.3]
        assert {v.conversation for v in told(kept)} <= {"c"}
        assert {v.edge for v in told(kept)} <= {("x", "y"), ("y", "x")}


def test_trouble_that_comes_back_is_told_again():
    later = ping_pong(start=AGAIN_SECONDS + 100.0)
    said = told([*ping_pong(), *later])
    assert [v.rounds for v in said[:2]] == [3, 5]
    assert len(said) > 2
    assert all(v.kind is Kind.CYCLE for v in said)


def test_a_provider_s_storm_is_told_again_only_for_conversations_that_were_not_in_it():
    def refused(c, i):
        return tool(operation=CHAT, peer="m", conversation=c, start=3.0 * i, took=0.1, failed=Failure.RATE_LIMITED)

    said = told([refused(c, i + (20 if c == "z" else 0)) for i in range(30) for c in "xyz"])
    assert [set(v.conversations) for v in said] == [{"x"}, {"x", "y"}, {"x", "y", "z"}]
    assert {(v.kind, v.edge, v.conversation) for v in said} == {(Kind.RETRY_STORM, ("*", "m"), "")}


@pytest.mark.parametrize(
    ("pauses", "advice"), [([1.0] * 12, "Cut"), ([10.0] * 12, "Notify"), ([1, 2, 4] + [16] * 9, "")]
)
def test_pauses_that_reached_their_limit_are_back_off_still_and_long_ones_are_not_cut(pauses, advice):
    refused = [
        tool(operation=CHAT, peer="m", conversation=c, start=sum(pauses[:i]), took=0.1, failed=Failure.RATE_LIMITED)
        for i in range(len(pauses))
        for c in "xyz"
    ]
    assert (told(refused) or [""])[-1] == "" if not advice else told(refused)[-1].advice.value == advice


def test_steps_are_passed_on_in_the_order_of_their_ends():
    order = Order(delay=5.0)
    made = steps(*[{}] * 6)
    for step in random.Random(1).sample(made, 6):
        order.put(step, step.ended)
    assert order.ready(made[2].ended + 5.0) == made[:3]
    order.put(made[0], made[0].ended)
    assert order.ready(1e9) == made[3:], "a second time it is no step"
    few = Order(delay=5.0, most=2)
    for step in steps(*({"conversation": str(i)} for i in range(6))):
        few.put(step, step.ended)
    assert (len(few.ready(0.0)), len(few)) == (4, 2)


def put(order, instance, *ends, service="team", source=Source.GENAI, late=0.0, **more):
    """Put steps of a process that ended then, of which it told so many seconds later."""
    for end in ends:
        order.put(replace(tool(start=end - 1.0, **more), service=service, instance=instance, source=source), end + late)


def test_who_is_silent_is_waited_for_as_long_as_it_can_be_late():
    """A caller that waits tells of nothing; what its callee does meanwhile is not held for the whole delay."""

    def held(late):
        order = Order(delay=6.0)
        put(order, "1", *range(100), service="caller", late=late, conversation="before")
        put(order, "2", *range(100), service="callee", late=0.5, conversation="before")
        order.ready(110.0)
        put(order, "1", 110.0, service="caller", late=late)
        order.ready(119.0)
        put(order, "2", 120.0, service="callee", late=0.5)
        return next(s / 10 for s in range(100) if order.ready(120.0 + s / 10))

    assert held(1.0) == pytest.approx(2.0, abs=0.2)
    assert held(4.0) == pytest.approx(5.0, abs=0.2)
    assert held(9.0) == 6.0, "at most the delay"


def test_being_late_once_is_remembered_for_long():
    order = Order(delay=6.0)
    put(order, "1", *range(100), service="caller", conversation="before")
    put(order, "1", 100.0, service="caller", late=5.0, conversation="before")
    put(order, "1", 101.0, service="caller")
    order.ready(101.0)
    put(order, "2", *range(200, 300), service="callee", conversation="other")
    put(order, "2", 300.0, service="callee")
    order.ready(300.0)
    assert order.ready(305.0) == []
    assert [s.ended for s in order.ready(306.0)] == [300.0]


def test_a_step_is_passed_on_when_all_processes_of_its_conversation_told_of_later():
    """Exporters tell of their own in order, so nothing that ended before can come any more: no need to wait."""
    order = Order(delay=6.0)
    put(order, "1", 10.0, 11.0)
    assert [s.ended for s in order.ready(11.0)] == [10.0, 11.0], "there is one process only"
    put(order, "2", 12.0, service="other")
    assert order.ready(12.0) == [], "the first may have something to tell of before"
    put(order, "1", 12.5, conversation="elsewhere")
    assert [s.ended for s in order.ready(12.5)] == [12.5], "it has not: it worked for others"
    put(order, "2", 13.0, service="other")
    assert [s.ended for s in order.ready(13.0)] == [12.0]
    assert [s.ended for s in order.ready(19.0)] == [13.0], "held for as long as the delay"


def test_who_does_not_say_which_process_it_is_is_waited_for():
    order = Order(delay=6.0)
    put(order, "", 10.0, 11.0)
    assert order.ready(11.0) == []
    assert [s.ended for s in order.ready(16.0)] == [10.0]


def test_a_trace_that_is_a_part_of_something_is_waited_for_and_one_of_its_own_is_not():
    """Others take turns in traces of their own, each told of by its process; who takes part in one trace is known."""
    order, known = Order(delay=6.0), Conversations()
    for n, link in ((1, None), (2, 1)):
        for at in (10.0, 11.0):
            step = trace(n, link=link, start=at - 1.0, instance="1")
            order.put(step, at, part=known.learn(step))
    assert [s.trace[0] for s in order.ready(11.0)] == [1, 1]
    assert [s.trace[0] for s in order.ready(17.0)] == [2, 2]


def test_a_loop_in_a_trace_of_its_own_is_told_as_soon_as_it_arrives():
    made = [s.but(basis=Basis.TRACE, conversation=s.trace.hex(), instance="1") for s in steps(*[{}] * 3)]
    found = Detector()
    assert [len(found.take([step], step.ended)) for step in made] == [0, 0, 1]


def test_steps_that_are_joined_are_those_told_of_before_it_was_known():
    known = Conversations()
    for step in (trace(1), trace(2), trace(2, link=1)):
        known.learn(step)
    assert [known.joins(trace(n)) for n in (1, 2, 2, 3)] == [False, True, False, False]


def test_what_the_guard_tells_of_is_not_waited_for_as_a_span_again():
    order = Order(delay=6.0)
    put(order, "1", 9.0)
    order.ready(9.0)
    put(order, "1", 10.0, source=Source.GUARD)
    put(order, "1", 10.5, source=Source.GUARD)
    assert [s.ended for s in order.ready(10.5)] == [10.0, 10.5]


def test_order_forgets_what_it_passed_on():
    order = Order(delay=6.0)
    for second in range(1, 200):
        put(order, "1", float(second))
        order.ready(float(second))
        put(order, "1", second + 0.5, conversation=str(second), operation=HANDOFF)
    order.ready(1e6)
    assert (len(order), order._held, order._when, order._due) == (0, {}, {}, [])


@pytest.mark.parametrize("off", [7_200.0, -7_200.0])
def test_a_clock_that_is_hours_off_delays_nothing_and_ends_nothing(off):
    """One of two agents in a loop has a wrong clock: told as soon as with a right one, but for seconds."""

    def alarm(wrong):
        found, clock = Detector(), 0.0
        for step in ping_pong():
            clock = step.ended
            if step.agent == "x":
                step = replace(step, started=step.started + wrong, ended=step.ended + wrong)
            step = replace(step, instance=step.agent, service=step.agent)
            if found.take([step], clock) or found.look(clock):
                return clock
        return next((clock + s for s in range(20) if found.look(clock + s)), None)

    assert alarm(0.0) is not None
    assert abs(alarm(off) - alarm(0.0)) <= 5.0


def test_a_backlog_keeps_its_gaps_and_one_wrong_time_does_not_move_the_others():
    clocks, now = Clocks(), 10_000.0
    late = [tool(start=float(t)) for t in (1, 3, 7)]
    moved = clocks.corrected(late, now)
    assert [s.ended - now for s in moved] == [-6.0, -4.0, 0.0]
    one = [tool(start=now - 2.0), tool(start=now + 9_000.0), tool(start=now - 300.0)]
    assert [s.ended - now for s in clocks.corrected(one, now)] == [-1.0, 0.0, -299.0]
    opened = [tool(start=now - 3_000.0, ended=None), tool(start=now - 1.0)]
    assert clocks.corrected(opened, now) == opened, "what is open may have begun long ago"


def test_a_session_is_surer_than_a_task():
    known = Conversations()
    known.learn(tool(conversation="s", trace=bytes((1,)) * 16))
    task = tool(conversation="task", basis=Basis.TASK, trace=bytes((1,)) * 16)
    assert (known.settle(task).conversation, known.settle(task).basis) == ("s", Basis.SESSION)
    other = tool(conversation="task", basis=Basis.TASK, trace=bytes((2,)) * 16)
    known.learn(replace(other, conversation="another"))
    assert known.settle(other).conversation == "task", "two tasks in a trace stay two"


def trace(n, link=None, **more):
    links = () if link is None else (bytes((link,)) * 16,)
    return tool(conversation=(bytes((n,)) * 16).hex(), basis=Basis.TRACE, trace=bytes((n,)) * 16, links=links, **more)


def test_a_trace_belongs_to_the_conversation_that_any_of_its_steps_names():
    known = Conversations()
    named = tool(conversation="s", trace=bytes((1,)) * 16)
    known.learn(named)
    assert known.settle(trace(1)).conversation == "s"
    assert known.settle(trace(1)).basis is Basis.SESSION
    assert known.settle(trace(2)).conversation == (bytes((2,)) * 16).hex()


def test_linked_traces_are_one_conversation_in_whatever_order_they_come():
    known = Conversations()
    for n in (4, 2, 3):
        known.learn(trace(n, link=n - 1))
    assert {known.settle(trace(n)).conversation for n in (1, 2, 3, 4)} == {(bytes((1,)) * 16).hex()}
    known.learn(trace(5, link=6))
    known.learn(trace(6, link=5))
    assert known.settle(trace(5)).basis is Basis.TRACE, "a circle of links ends"
    for n in range(10, 20):
        few = Conversations(most=3)
        few.learn(trace(n, link=n - 1))


def test_who_calls_an_agent_is_known_from_what_else_it_does():
    agents = Agents()
    agents.learn(tool(agent="", operation=CHAT, parent=b"caller--"))
    call = tool(agent="b", peer="b", operation=AGENT, parent=b"caller--")
    assert agents.named(call).agent == "team"
    agents.learn(tool(agent="a", peer="a", operation=AGENT, ended=None, span=b"caller--"))
    assert agents.named(call).agent == "a"
    assert agents.named(tool(agent="", parent=b"caller--")).agent == "a"


def test_a_call_that_two_instrumentations_tell_of_is_one():
    agents = Agents()
    outer = tool(span=b"outer---")
    agents.learn(outer)
    assert agents.doubled(tool(parent=b"outer---"))
    assert not agents.doubled(tool(parent=b"outer---", peer="another tool, that this one uses"))
    assert not agents.doubled(outer)


def test_rounds_in_linked_traces_are_counted_though_links_are_told_last():
    """A turn's span has the link and ends after all that is in it; long turns were judged without their steps."""
    at, found, said = 0.0, Detector(), []
    for n in range(1, 6):
        said += found.take([trace(n, start=at, took=12.0, asked=1, agent="x")], at + 12.0)
        for second in range(13, 20):
            said += found.look(at + second)
        turn = {"start": at, "took": 19.0, "operation": AGENT, "agent": "x", "peer": "x", "asked": None}
        at += 19.0
        said += found.take([trace(n, link=n - 1 if n > 1 else None, **turn, about=None, result=None)], at)
    said += found.look(at + 7.0)
    assert {v.conversation for v in said} == {(bytes((1,)) * 16).hex()}
    assert said[0].rounds == 3
