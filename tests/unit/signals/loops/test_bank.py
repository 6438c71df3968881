"""Conversations that go round are seen at the third round, through noise and other words, in bounded memory."""

import random
from itertools import cycle, islice

import pytest
from tests.unit.signals.loops.talks import steps, tool

from hemostat.signals.loops.bank import IDLE_SECONDS, Bank
from hemostat.signals.loops.kernel.cycle import LONGEST, ROUNDS
from hemostat.signals.loops.kernel.ring import STEPS
from hemostat.telemetry.steps import Failure, Operation
from hemostat.telemetry.steps.digest import sketch


def found(made, bank=None):
    """Return, per step, the cycle that it closed."""
    bank = Bank(16) if bank is None else bank
    return [next(iter(bank.take([step], step.ended)), None) for step in made]


def rounds(made):
    return [c.rounds if c else 0 for c in found(made)]


@pytest.mark.parametrize("period", range(1, 11))
@pytest.mark.parametrize("agents", [1, 3])
def test_cycles_of_every_length_are_told_at_the_end_of_their_third_round(period, agents):
    one_round = [{"agent": f"a{i % agents}", "peer": f"tool{i}"} for i in range(period)]
    told = found(steps(*islice(cycle(one_round), 5 * period)))
    assert next(i for i, c in enumerate(told) if c) == 3 * period - 1
    last = told[-1]
    assert (last.rounds, len(last.symbols)) == (5 if 5 * period <= 40 else 4, period)
    assert len(set(last.agents)) == min(agents, period)


def test_what_never_comes_again_is_no_cycle():
    assert not any(found(steps(*({"peer": f"tool{i}"} for i in range(60)))))
    rng = random.Random(1)
    shuffled = [f"tool{i}" for _ in range(4) for i in rng.sample(range(15), 15)]
    assert not any(found(steps(*({"peer": name} for name in shuffled))))


@pytest.mark.parametrize("every", [3, 4, 5])
def test_a_cycle_is_seen_through_noise(every):
    names = cycle("abc")
    noisy = [{"peer": f"noise{i}"} if i % every == every - 1 else {"peer": next(names)} for i in range(40)]
    told = [c for c in found(steps(*noisy)) if c]
    assert told
    assert {s.peer for s in told[-1].symbols} == {"a", "b", "c"}
    assert told[-1].span > told[-1].rounds * 3


def test_more_noise_than_cycle_is_none():
    noisy = [{"peer": f"noise{i}"} if i % 2 else {"peer": "a"} for i in range(40)]
    assert not any(found(steps(*noisy)))


def test_other_arguments_are_another_step_and_other_words_for_the_same_are_not():
    pages = [{"asked": i, "about": i} for i in range(9)]
    assert not any(found(steps(*pages)))
    words = [{"asked": i, "about": 7} for i in range(10, 19)]
    (*_, last) = found(steps(*words))
    assert (last.exact, last.reworded) == (0, 8)


def test_texts_that_name_nothing_are_compared_by_their_words():
    alike = ["please try that again now", "try that again now please", "now please try that again"]
    texts = [{"asked": i, "about": None, "sketch": sketch(text)} for i, text in enumerate(alike)]
    assert rounds(steps(*texts)) == [0, 0, 3]
    others = ["the weather is fine", "who wrote this book", "please call the bank"]
    texts = [{"asked": i, "about": None, "sketch": sketch(text)} for i, text in enumerate(others)]
    assert rounds(steps(*texts)) == [0, 0, 0]


def test_without_content_the_operation_alone_counts():
    (*_, last) = found(steps(*[{"asked": None, "about": None, "result": None}] * 5))
    assert (last.known, last.same, last.steps) == (0, 0, 4)


def test_a_result_that_differs_is_progress_and_rounds_count_from_it():
    results = [1, 1, 2, 2, 2]
    assert rounds(steps(*({"result": r} for r in results))) == [0, 0, 0, 0, 3]
    assert not any(found(steps(*({"result": r} for r in range(20)))))
    assert rounds(steps(*({"result": r} for r in [1, 1, 1, 2, 2]))) == [0, 0, 3, 0, 0]


def test_words_between_deeds_are_no_part_of_the_cycle_but_of_its_cost():
    def turn(i):
        said = {"operation": Operation.CHAT, "peer": "model", "asked": 1000 + i, "about": None, "tokens": 50}
        return [said, {"peer": "search"}, {**said, "asked": 2000 + i}, {"peer": "read"}]

    told = found(steps(*(step for i in range(30) for step in turn(i))))
    assert [s.peer for s in told[11].symbols] == ["search", "read"], "at the third round, though words take turns"
    assert (told[11].rounds, told[11].tokens) == (3, 300)
    assert told[-1].rounds == 20, "words take no room"


def test_where_there_are_only_words_they_count():
    said = {"operation": Operation.CHAT, "peer": "model", "asked": 7, "about": None, "result": None}
    assert rounds(steps(*[said] * 4)) == [0, 0, 3, 4]


def test_other_words_that_get_the_same_are_alike_sooner_than_those_that_get_something_else():
    texts = [
        "find documents on rail freight",
        "show any notes about rail freight",
        "get me papers on rail freight please",
    ]
    asked = [{"asked": i, "about": None, "sketch": sketch(text)} for i, text in enumerate(texts, 1)]
    assert rounds(steps(*asked)) == [0, 0, 3]
    assert rounds(steps(*({**one, "result": i} for i, one in enumerate(asked)))) == [0, 0, 0]


def test_an_agent_that_answers_the_same_is_asked_the_same_unless_something_else_is_named():
    """What agents are asked is prose, put in other words each time; what comes of it tells whether it was news."""
    asked = [{"operation": Operation.AGENT, "asked": i, "about": None, "sketch": bytes([i]) * 64} for i in range(1, 4)]
    assert rounds(steps(*asked)) == [0, 0, 3]
    assert rounds(steps(*({**one, "result": i} for i, one in enumerate(asked)))) == [0, 0, 0]
    assert rounds(steps(*({**one, "about": i} for i, one in enumerate(asked, 1)))) == [0, 0, 0]


def test_what_ran_at_the_same_time_is_told():
    (*_, last) = found([tool(start=0.1 * i, took=5.0, asked=None, about=None) for i in range(6)])
    assert last.overlap == 5
    (*_, last) = found([tool(start=6.0 * i, took=5.0) for i in range(6)])
    assert last.overlap == 0


def test_what_a_round_brought_is_counted():
    (*_, last) = found(steps(*[{"failed": Failure.UNAVAILABLE, "result": None}] * 4))
    assert (last.failed, last.transient, last.same) == (3, 3, 3)


def test_how_long_rounds_took_and_how_busy_they_were():
    (*_, last) = found([tool(start=10.0 * i, took=2.0) for i in range(4)])
    assert (last.began, last.ended) == (0.0, 32.0)
    assert (last.busy, last.early_pause, last.late_pause) == (pytest.approx(8), pytest.approx(8), pytest.approx(8))
    waits = [tool(start=10.0 * i, took=9.0, operation=Operation.AGENT) for i in range(4)]
    assert found(waits)[-1].busy == 0, "who asks another one waits"


def test_replicas_of_an_agent_are_one_agent():
    """The pod is no part of a step: two replicas that answer in turn hide nothing."""
    assert (
        rounds(steps({"agent": "a"}, {"agent": "b"}, {"agent": "a"}, {"agent": "b"}, {"agent": "a"}, {"agent": "b"}))[
            -1
        ]
        == 3
    )


def test_conversations_do_not_mix():
    bank = Bank(16)
    made = steps(*[{}] * 12)
    mixed = [step for i, s in enumerate(made) for step in [tool(conversation=f"c{i % 6}", start=s.started)]]
    assert not any(found(mixed, bank))
    assert len(bank) == 6


def test_in_one_request_or_in_many_is_the_same():
    rng = random.Random(3)
    made = steps(*({"peer": rng.choice("ab"), "conversation": rng.choice("xyz")} for _ in range(200)))
    one = [c for c in found(made) if c]
    assert one
    assert Bank(16).take(made, 0.0) == one


def test_a_verdict_does_not_depend_on_what_comes_later():
    rng = random.Random(4)
    made = steps(*({"peer": rng.choice("ab")} for _ in range(60)))
    assert found(made)[:30] == found(made[:30])


def test_open_steps_and_waits_close_no_round():
    made = [tool(start=float(i), ended=None) for i in range(5)]
    made += [tool(start=float(i), operation=Operation.WAIT) for i in range(5)]
    assert Bank(4).take(made, 0.0) == []


def test_the_one_that_was_silent_for_longest_gives_way():
    bank = Bank(2)
    bank.take(steps(*[{"conversation": "old"}] * 2), 0.0)
    bank.take(steps(*[{"conversation": "young"}] * 2), 1.0)
    bank.take([tool(conversation="new")], 2.0)
    assert (len(bank), bank.displaced) == (2, 1)
    assert bank.take([tool(conversation="young", start=9.0)], 3.0)
    assert not bank.take([tool(conversation="old", start=9.0)], 4.0), "it begins anew"


def test_what_is_over_is_forgotten():
    bank = Bank(4)
    bank.take(steps(*[{"conversation": "a"}] * 2), 0.0)
    bank.take(steps(*[{"conversation": "b"}] * 2), 100.0)
    bank.sweep(IDLE_SECONDS + 50)
    assert (len(bank), bank.displaced) == (1, 0)
    assert bank.take([tool(conversation="b", start=9.0)], IDLE_SECONDS + 60)
    assert not bank.take([tool(conversation="a", start=9.0)], IDLE_SECONDS + 61)


def test_names_that_were_given_to_others_make_no_wrong_cycle():
    bank = Bank(4, symbols=4)
    bank.take(steps(*[{"peer": "first", "conversation": "a"}] * 2), 0.0)
    bank.take([tool(peer=f"p{i}", conversation="b") for i in range(8)], 0.0)
    again = bank.take([tool(peer="first", conversation="a", start=9.0)], 1.0)
    assert all(s.peer == "first" for c in again for s in c.symbols)


@pytest.mark.parametrize("period", [11, LONGEST, LONGEST + 1])
def test_the_longest_cycle_that_is_looked_for_is_told_and_no_longer_one(period):
    """A ring of six whose hand-overs and turns are both told has twelve; of longer ones three rounds are not kept."""
    told = [c for c in found(steps(*islice(cycle([{"peer": f"tool{i}"} for i in range(period)]), 5 * period))) if c]
    assert bool(told) is (period <= LONGEST)
    assert ROUNDS * LONGEST <= STEPS


def test_a_step_that_comes_three_times_a_round_makes_the_others_no_noise():
    """A note after every second step of six: told when three rounds of nine have passed."""
    names = cycle(["edit", "read", "note", "grep", "list", "note", "diff", "test", "note"])
    told = found(steps(*({"peer": next(names)} for _ in range(40))))
    assert 3 * 9 - 1 <= next(i for i, c in enumerate(told) if c) < 4 * 9
    assert [s.peer for c in told if c for s in c.symbols].count("note") > 0


def test_that_a_call_fails_or_no_longer_does_is_news_without_content():
    blind = {"asked": None, "about": None, "result": None}
    down = [{**blind, "failed": Failure.UNAVAILABLE}] * 5
    assert rounds(steps(*down, blind, blind, blind)) == [0, 0, 3, 4, 5, 0, 0, 3]


def test_back_off_shows_in_pauses_and_long_inferences_do_not():
    def tries(pause, thought):
        at, made = 0.0, []
        for i in range(8):
            made.append(tool(operation=Operation.CHAT, peer="m", asked=i + 9, about=None, start=at, took=thought(i)))
            made.append(tool(start=at + thought(i), took=0.1))
            at += thought(i) + 0.1 + pause(i)
        return [c for c in found(made) if c][-1]

    slow = tries(lambda i: 0.0, lambda i: 0.5 * i + 0.1)
    assert (slow.early_pause, slow.late_pause) == (pytest.approx(0, abs=0.05), pytest.approx(0, abs=0.05))
    backs_off = tries(lambda i: float(2**i), lambda i: 1.0)
    assert backs_off.late_pause > 4 * backs_off.early_pause > 4


def test_what_turns_out_to_be_a_part_of_another_conversation_is_put_behind_it():
    bank = Bank(4)
    bank.take([tool(conversation="whole")], 0.0)
    bank.take([tool(conversation="part", start=2.0)], 0.0)
    bank.join(("", "part"), ("", "whole"), 0.0)
    assert len(bank) == 1
    (cycle_,) = bank.take([tool(conversation="whole", start=4.0)], 0.0)
    assert (cycle_.rounds, cycle_.same, cycle_.began) == (3, 2, 0.0)
    bank.join(("", "whole"), ("", "renamed"), 0.0)
    bank.join(("", "unknown"), ("", "renamed"), 0.0)
    bank.join(("", "renamed"), ("", "renamed"), 0.0)
    assert [c.rounds for c in bank.take([tool(conversation="renamed", start=6.0)], 0.0)] == [4]
    assert not bank.take([tool(conversation=c) for c in ("whole", "part")], 0.0), "these begin anew"


def test_what_was_said_before_it_was_joined_is_compared_by_its_words():
    bank, texts = Bank(4), ["please try that again now", "try that again now please", "now please try that again"]
    words = [{"asked": i, "about": None, "sketch": sketch(text)} for i, text in enumerate(texts, 1)]
    other = {"asked": 9, "about": None, "sketch": sketch("who wrote this book"), "result": 2}
    bank.take(steps(*({**one, "conversation": "part"} for one in (other, *words[:2]))), 0.0)
    bank.take([tool(conversation="whole", peer="first")], 0.0)
    bank.join(("", "part"), ("", "whole"), 0.0)
    assert [c.rounds for c in bank.take([tool(**words[2], conversation="whole", start=9.0)], 0.0)] == [3]
