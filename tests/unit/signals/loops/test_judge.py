"""Which cycles are trouble, what they are called, where they would be cut, and when one may only tell of them."""

import pytest
from tests.unit.signals.loops.talks import steps, tool

from hemostat.signals.loops.bank import Bank
from hemostat.signals.loops.judge import (
    CUT_REWORDED,
    CUT_ROUNDS,
    NEEDED,
    NEEDED_RING,
    NEEDED_WORDS,
    POLLS,
    RETRIES,
    Evidence,
    judge,
)
from hemostat.signals.loops.verdict import Advice, Kind, Visibility
from hemostat.telemetry.steps import RECEIPT, Basis, Failure, Operation

BLIND = {"asked": None, "about": None, "result": None}
AGENT, CHAT, HANDOFF = Operation.AGENT, Operation.CHAT, Operation.HANDOFF


def verdicts(made):
    """Return what is judged after each step; None where nothing is."""
    bank = Bank(8)
    found = []
    for step in made:
        cycles = bank.take([step], step.ended)
        found.append(judge(cycles[0]) if cycles else None)
    return found


def last(*changes, **more):
    return verdicts(steps(*changes, **more))[-1]


def rounds_to(made):
    """Return at which step a verdict is told first."""
    return next((i for i, v in enumerate(verdicts(made), 1) if v), None)


def test_the_same_call_with_the_same_result_is_told_at_the_third():
    assert rounds_to(steps(*[{}] * 9)) == 3
    found = last(*[{}] * 3)
    assert (found.kind, found.advice, found.edge) == (Kind.REPEATED_STEP, Advice.NOTIFY, ("a", "search"))
    assert (found.agents, found.rounds, found.visibility) == (("a",), 3, Visibility.FULL)


def test_it_is_cut_only_when_it_costs_runs_at_full_speed_and_has_gone_on():
    busy = [{"took": 1.9}] * 12
    told = verdicts(steps(*busy))
    assert [v.advice for v in told[2:]].index(Advice.CUT) == CUT_ROUNDS - 2, "five rounds, ten seconds"
    idle = verdicts(steps(*[{"took": 0.2}] * 12))
    assert {v.advice for v in idle if v} == {Advice.NOTIFY}


def test_polling_with_pauses_is_told_only_when_it_has_gone_on_for_long():
    assert rounds_to([tool(start=20.0 * i) for i in range(60)]) == POLLS
    assert rounds_to([tool(start=6.0 * i) for i in range(60)]) == POLLS
    assert rounds_to([tool(start=20.0 * i, result=i) for i in range(60)]) is None
    assert all(v.advice is Advice.NOTIFY for v in verdicts([tool(start=20.0 * i) for i in range(40)]) if v)


def test_in_other_words_it_is_a_paraphrase_loop_and_cut_later():
    told = verdicts(steps(*({"asked": i, "took": 1.9} for i in range(5, 20))))
    assert {v.kind for v in told if v} == {Kind.PARAPHRASE_LOOP}
    assert next(v.rounds for v in told if v and v.advice is Advice.CUT) == CUT_REWORDED > CUT_ROUNDS


def test_a_batch_that_is_acknowledged_each_time_is_none_however_alike_its_items_are():
    """Edits in like words that all answer "ok": what came of them is not known, so they are steps of one name."""
    edits = [{"asked": i, "took": 1.9, "result": RECEIPT} for i in range(5, 5 + NEEDED[Evidence.NAME] + 5)]
    told = verdicts(steps(*edits))
    assert not any(told[: NEEDED[Evidence.NAME] - 1])
    assert {v.advice for v in told if v} == {Advice.NOTIFY}
    same = verdicts(steps(*[{"took": 1.9, "result": RECEIPT}] * 12))
    assert [v.advice for v in same[2:]].index(Advice.CUT) == CUT_ROUNDS - 2, "the very same again and again is a loop"


def test_services_that_never_call_each_other_may_only_share_an_id_and_are_not_cut():
    apart = [s.but(service=f"app{i % 3}") for i, s in enumerate(steps(*[{"took": 1.9}] * 30))]
    told = [v for v in verdicts(apart) if v]
    assert told
    assert {v.advice for v in told} == {Advice.NOTIFY}


def test_two_agents_that_answer_each_other_are_a_cycle_cut_between_them():
    turns = [{"agent": a, "peer": b, "operation": HANDOFF, "result": None} for a, b in ("xy", "yx")] * 3
    found = last(*turns)
    assert (found.kind, set(found.agents), found.edge) == (Kind.CYCLE, {"x", "y"}, ("y", "x"))


def test_who_asks_the_same_agent_again_and_again_is_a_cycle():
    found = last(*[{"agent": "x", "peer": "y", "operation": AGENT}] * 3)
    assert (found.kind, found.edge, found.agents) == (Kind.CYCLE, ("x", "y"), ("x", "y"))


def test_names_alone_need_more_rounds_and_are_never_cut():
    two = [{"peer": p, **BLIND} for p in "ab"] * 20
    assert rounds_to(steps(*two)) == 2 * NEEDED[Evidence.NAMES]
    assert rounds_to(steps(*[BLIND] * 40)) == NEEDED[Evidence.NAME]
    ring = [{"agent": a, "peer": b, "operation": HANDOFF, **BLIND} for a, b in ("xy", "yz", "zx")] * 8
    assert rounds_to(steps(*ring)) == 3 * NEEDED_RING
    told = [v for v in verdicts(steps(*two, every=1.0)) if v]
    assert all(v.advice is Advice.NOTIFY and v.visibility is Visibility.PARTIAL for v in told)
    assert told[0].confidence < last(*[{}] * 3).confidence


def test_words_alone_are_drafts_first_and_burn_tokens_later():
    said = [{"operation": CHAT, "peer": "m", "result": None, "tokens": 500}] * 12
    assert rounds_to(steps(*said)) == NEEDED_WORDS
    assert last(*said).kind is Kind.TOKEN_BURN
    assert last(*said).tokens == 12 * 500


def test_many_at_once_are_no_rounds():
    at_once = [tool(start=0.1 * i, took=30.0, **BLIND) for i in range(40)]
    assert not any(verdicts(at_once))


DOWN = {"failed": Failure.UNAVAILABLE, "result": 7}


def test_a_tool_that_is_down_may_be_tried_again_later_and_a_few_times_at_once():
    told = [v for v in verdicts(steps(*[{**DOWN, "took": 1.9}] * 40)) if v]
    assert (told[0].rounds, told[0].kind) == (RETRIES, Kind.REPEATED_STEP)
    assert {v.advice for v in told} == {Advice.NOTIFY}, "a cut makes it fail, which it does already"
    backs_off = [tool(start=float(2**i), took=0.1, **DOWN) for i in range(12)]
    assert not any(verdicts(backs_off))
    assert rounds_to([tool(start=4.0 * i, took=0.1, **DOWN) for i in range(20)]) == POLLS, "it waits"


def test_two_who_wait_for_a_tool_that_is_down_do_not_argue():
    def turns(**checked):
        ask = {"agent": "x", "peer": "y", "operation": AGENT, "took": 4.0}
        return steps(*[ask, {"agent": "y", "peer": "check", "took": 0.1, **checked}] * 20, every=6.0)

    assert rounds_to(turns()) == 2 * 3, "they do"
    assert rounds_to(turns(**DOWN)) == 2 * POLLS, "and they do not"


def test_what_fails_for_another_reason_is_a_loop():
    assert last(*[{"failed": Failure.INVALID, "result": None}] * 3).kind is Kind.REPEATED_STEP


def test_a_provider_s_trouble_is_not_told_of_each_conversation():
    refused = {"failed": Failure.RATE_LIMITED, "operation": CHAT, "result": None, "peer": "m"}
    assert not any(verdicts(steps(*[refused] * 20)))


def test_how_the_conversation_is_known_scales_confidence():
    known = [last(*[{"basis": basis}] * 3).confidence for basis in Basis]
    assert known == sorted(known, reverse=True)
    assert len(set(known)) == len(known)


def test_names_do_not_matter():
    made = [{"agent": a, "peer": p} for a, p in ("xf", "yg", "xh")] * 5
    renamed = [{"agent": f"other-{m['agent']}", "peer": f"tool-{m['peer']}"} for m in made]
    plain = [v and (v.kind, v.advice, v.rounds, v.confidence) for v in verdicts(steps(*made))]
    assert plain == [v and (v.kind, v.advice, v.rounds, v.confidence) for v in verdicts(steps(*renamed))]
    assert any(plain)


@pytest.mark.parametrize("every", [4, 5, 7])
def test_a_round_of_four_is_seen_through_a_step_that_comes_out_of_step(every):
    names = iter("abcd" * 20)
    made = [{"peer": "note" if i % every == every - 1 else next(names)} for i in range(40)]
    told = [v for v in verdicts(steps(*made)) if v]
    assert told
    assert {v.kind for v in told} == {Kind.CYCLE}


def test_words_are_for_a_person():
    found = last(*[{}] * 4)
    assert "search" in found.words
    assert "4 rounds" in found.words
    assert (found.edge, "->" in found.words) == (("a", "search"), False), "the edge is told beside it, once"


def turn(at, result=1, agent="a"):
    """A look at a job and the end of the turn, as a framework tells of it: the turn is a step that contains both."""
    yield tool(agent=agent, peer="status", start=at, took=0.1, result=result)
    yield tool(agent=agent, peer="look_again", start=at + 0.2, took=0.1, asked=2, about=2, result=2)
    yield tool(agent=agent, peer=agent, start=at - 0.1, took=0.5, operation=AGENT, asked=None, about=None, result=2)


def test_a_poll_may_take_several_steps_and_a_turn_of_its_own():
    """A job was looked at every six seconds, as one should, and was called a cycle after twelve."""
    looks = [step for i in range(20) for step in turn(6.1 * i)]
    assert rounds_to(looks) == 3 * POLLS
    assert all(v.advice is Advice.NOTIFY for v in verdicts(looks) if v)
    hasty = [step for i in range(20) for step in turn(1.5 * i)]
    assert {v.edge for v in verdicts(hasty) if v} <= {("a", "status"), ("a", "look_again")}, "not from itself to itself"
    assert rounds_to(hasty) <= 3 * NEEDED[Evidence.SAME]


def test_turns_of_two_agents_in_turn_are_no_poll():
    called = [tool(agent="b", peer="b", start=10.0 * i, took=1.0, operation=AGENT) for i in range(20)]
    assert rounds_to(called) == NEEDED[Evidence.SAME], "by whom its span does not say"
    talk = [step for i in range(20) for step in turn(6.1 * i, agent="ab"[i % 2])]
    assert rounds_to(talk) <= 6 * NEEDED[Evidence.SAME]


def test_inferences_of_chance_length_are_no_back_off_and_pauses_that_grow_are():
    """One that took half a second at first and then two was taken for waiting longer."""

    def tries(thought, pause):
        at = 0.0
        for i in range(14):
            yield tool(
                operation=CHAT, peer="m", asked=i + 9, about=None, result=None, start=at, took=thought(i), tokens=9
            )
            yield tool(start=at + thought(i), took=0.2, **DOWN)
            at += thought(i) + 0.2 + pause(i)

    assert rounds_to(tries(lambda i: 0.4 if i < 2 else 2.2, lambda i: 0.0)) == 2 * RETRIES
    assert rounds_to(tries(lambda i: 1.0, lambda i: float(2**i))) is None


def test_where_no_inference_is_told_of_a_short_while_between_tries_may_be_one():
    assert rounds_to([tool(start=1.6 * i, took=0.3, **DOWN) for i in range(20)]) == RETRIES
    told = [tool(start=1.6 * i, took=0.3, tokens=40, **DOWN) for i in range(20)]
    assert rounds_to(told) == POLLS, "what they took is told, so it pauses"


def test_a_conversation_known_by_its_traces_only_is_not_cut_unless_results_are_known():
    """What fails in every round, or brings something, may be in a trace of which nobody knows that it belongs to it."""
    for basis in Basis:
        for result, cut in ((1, True), (None, basis is not Basis.TRACE)):
            told = [v for v in verdicts(steps(*[{"took": 1.9, "basis": basis, "result": result}] * 30)) if v]
            assert told
            assert (Advice.CUT in {v.advice for v in told}) is cut, (basis, result)
