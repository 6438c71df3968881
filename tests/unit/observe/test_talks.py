"""Steps in, signals out: who is told of a loop, how long it lasts, and when its end is health."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.unit.builders import watch
from tests.unit.signals.loops.talks import tool

from hemostat.api.incident import SignalState
from hemostat.api.watch import Budget, ConversationSignal, Legitimate, WatchSignal, WatchSpec
from hemostat.metrics import AGENT_COST, AGENT_LEGITIMATE
from hemostat.observe.talks import Talks
from hemostat.signals.evaluate import Inputs, WatchState, look
from hemostat.signals.loops.detect import Detector
from hemostat.telemetry.prices import table
from hemostat.telemetry.steps import Identity, Operation

ROUND = 2.0


class Time:
    now = 1000.0

    def __call__(self):
        return self.now


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


class Pair:
    """Two agents in two services, and the Watches of those who are named."""

    def __init__(self, *watched, detector=None):
        self.time = Time()
        self.talks = Talks(detector, clock=self.time)
        self.state = {}
        for service in watched:
            self.talks.about(("shop", service), service)

    def pings(self, n, conversation="c"):
        """Let planner and critic answer each other, each time the same."""
        for _ in range(n):
            for caller, callee in (("planner", "critic"), ("critic", "planner")):
                step = tool(
                    agent=caller, peer=callee, operation=Operation.AGENT, conversation=conversation,
                    start=self.time.now, took=ROUND / 2, tokens=100,
                )  # fmt: skip
                self.time.now += ROUND / 2
                self.talks.take([_of(step, caller)], (), self.time.now)

    def works(self, service, n=1):
        """Let an agent do other things."""
        for i in range(n):
            self.talks.take(
                [_of(tool(conversation=f"w{self.time.now}{i}", start=self.time.now - 1), service)], (), self.time.now
            )

    def look(self, service, **spec):
        spec = WatchSpec(
            target=watch().spec.target, signals=(WatchSignal(name="c", conversation=ConversationSignal(**spec)),)
        )
        seen = look(
            spec,
            Inputs(talk=self.talks.about(("shop", service), service, (spec.signals[0].conversation,))),
            self.state.get(service, WatchState()),
            at(self.time.now),
        )
        self.state[service] = seen.state
        return {s.key: s for s in seen.signals}


def _of(step, service):
    return replace(step, service=service)


def firing(signals):
    return [s for s in signals.values() if s.state is SignalState.FIRING]


def test_two_agents_that_answer_each_other_are_told_with_the_edge_to_cut():
    pair = Pair("planner", "critic")
    pair.pings(8)
    told = [s for service in ("planner", "critic") for s in firing(pair.look(service))]
    (signal,) = told  # by one Watch only
    said = signal.conversation
    assert (said.kind, set(said.agents)) == ("Cycle", {"planner", "critic"})
    assert [c.id for c in said.conversations] == ["c"]
    assert {said.caller, said.callee} == {"planner", "critic"}
    assert said.tokens > 0


@pytest.mark.parametrize("watched", ["planner", "critic"])
def test_whoever_takes_part_and_is_watched_is_told(watched):
    pair = Pair(watched)
    pair.pings(8)
    assert firing(pair.look(watched))


def test_one_signal_for_an_edge_however_many_conversations():
    pair = Pair("planner", "critic")
    for _ in range(8):
        for conversation in ("c1", "c2", "c3"):
            pair.pings(1, conversation)
    (signal,) = [s for service in ("planner", "critic") for s in firing(pair.look(service))]
    assert signal.conversation.affected == 3


def test_what_is_burnt_is_what_those_burnt_that_go_on():
    pair = Pair("planner", "critic")
    pair.pings(8, "early")
    for _ in range(12):
        pair.time.now += 5
        pair.look("planner")
    pair.pings(8, "late")
    (signal,) = [s for service in ("planner", "critic") for s in firing(pair.look(service))]
    assert [c.id for c in signal.conversation.conversations] == ["late"]
    assert f"{signal.conversation.tokens} tokens" in signal.message, "the sentence and the number say the same"


def test_a_loop_that_ended_is_clear_while_the_agents_still_work_and_silent_when_they_do_not():
    pair = Pair("planner")
    pair.pings(8)
    (key,) = [s.key for s in firing(pair.look("planner"))]
    for _ in range(8):
        pair.time.now += 10
        pair.works("planner")
        after = pair.look("planner")
    assert after[key].state is SignalState.CLEAR
    assert [c.id for c in after[key].conversation.conversations] == ["c"], "else its return looks like another one's"
    assert after["c/all"].state is SignalState.CLEAR
    silent = Pair("planner")
    silent.pings(8)
    silent.look("planner")
    for _ in range(12):
        silent.time.now += 10
        after = silent.look("planner")
    assert after[key].state is SignalState.NO_DATA


def test_what_a_person_called_legitimate_is_not_told_until_then():
    pair = Pair("planner", "critic")
    pair.pings(8)
    (edge,) = [s.conversation for service in ("planner", "critic") for s in firing(pair.look(service))]
    word = {"kind": "Cycle", "caller": edge.caller, "callee": edge.callee}
    now = pair.time.now
    pair.state = {}
    later, over = (Legitimate(**word, until_time=at(now + d)) for d in (60, -60))
    assert not firing(pair.look(edge.caller, legitimate=(later,)))
    assert firing(pair.look(edge.caller, legitimate=(over,)))


def test_only_the_kinds_and_the_confidence_that_are_wanted():
    pair = Pair("planner", "critic")
    pair.pings(8)
    for spec in ({"kinds": ("Deadlock",)}, {"min_confidence_percent": 100}):
        pair.state = {}
        assert not any(firing(pair.look(service, **spec)) for service in ("planner", "critic"))


def test_a_watch_that_is_gone_leaves_the_word_to_the_other():
    pair = Pair("planner", "critic")
    pair.pings(8)
    (home,) = [service for service in ("planner", "critic") if firing(pair.look(service))]
    (other,) = {"planner", "critic"} - {home}
    pair.talks.forget(("shop", home))
    assert firing(pair.look(other))


def test_services_without_agents_are_told_nothing():
    assert Pair("shop").look("shop") == {}


def test_what_people_call_legitimate_is_counted_once_by_kind():
    def count():
        return AGENT_LEGITIMATE.labels("Cycle")._value.get()

    pair = Pair()
    before, word = count(), Legitimate(kind="Cycle", caller="planner", until_time=at(5000))
    pair.look("planner", legitimate=(word,))
    assert count() == before, "it was said before we looked"
    for more in ((word, word.model_copy(update={"caller": "critic"})),) * 3:
        pair.look("planner", legitimate=more)
    assert count() == before + 1


def test_a_budget_is_judged_by_what_the_steps_told_and_the_metric_has_the_money():
    prices = table({"m": {"input_cost_per_token": 0.01, "output_cost_per_token": 0}}, "ours 7")
    pair = Pair("planner", detector=Detector(prices=prices))
    before = AGENT_COST._value.get()
    chat = tool(operation=Operation.CHAT, peer="m", agent="planner", start=pair.time.now, tokens=700)
    pair.talks.take([_of(chat, "planner")], (), pair.time.now)
    pair.time.now += 60
    (signal,) = firing(pair.look("planner", budgets=(Budget(agent="planner", usd="5.00"),)))
    assert (signal.kind, signal.conversation.caller) == ("Budget", "planner")
    assert "planner spent $7.00 in the last hour, $5.00 are allowed (prices: ours 7)" in signal.message
    assert AGENT_COST._value.get() - before == pytest.approx(7.0)


def test_where_spans_are_missing_the_watch_s_line_says_so_and_nothing_is_seen_in_full():
    pair, rng, kept = Pair("planner", "critic"), random.Random(1), []
    while len(kept) < 40:
        trace = rng.getrandbits(128)
        if trace % 2**64 < 2**64 / 10:  # what a sampler of one in ten keeps
            kept.append(trace.to_bytes(16, "big"))
    pair.pings(8)
    said = {s: pair.look(s) for s in ("planner", "critic")}
    (home,) = [s for s in said if firing(said[s])]
    assert said[home]["c/all"].message == (
        "visibility: partial: nothing tells of open spans (hemostat.guard), so deadlocks are not seen"
    )
    before = firing(said[home])[0].conversation.visibility
    pair.talks.take((), [Identity(home, t, b"span", b"", 1) for t in kept], pair.time.now)
    after = pair.look(home)
    assert "about 1 of 10 traces arrives, so counts and budgets are lower bounds" in after["c/all"].message
    (signal,) = firing(after)
    assert (before, signal.conversation.visibility) in {("Full", "Partial"), ("Partial", "Partial")}
    assert "(visibility: partial)" in signal.message
