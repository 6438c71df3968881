"""Storms at a provider, tokens beyond the usual, turns and contexts: told when they are, and not before."""

import random

import pytest
from tests.unit.signals.loops.talks import tool

from hemostat.signals.loops.burn import LEARNED_ALL, Burn
from hemostat.signals.loops.ledger import GROWN, Ledger
from hemostat.signals.loops.storm import DOZEN, IN_A_ROW, Storms
from hemostat.signals.loops.verdict import Advice, Kind
from hemostat.telemetry.steps import Failure, Operation

CHAT, AGENT, HANDOFF = Operation.CHAT, Operation.AGENT, Operation.HANDOFF


def refused(conversation="c", start=0.0, failed=Failure.RATE_LIMITED, peer="m"):
    return tool(operation=CHAT, peer=peer, conversation=conversation, start=start, took=0.1, failed=failed)


def test_who_tries_again_without_waiting_longer_makes_a_storm_and_it_is_the_provider_s():
    storms = Storms()
    told = [storms.take(refused(c, 3.0 * i)) for i in range(IN_A_ROW) for c in "xyz"]
    assert not any(told[:-3])
    last = told[-1]
    assert (last.kind, last.edge, last.conversation) == (Kind.RETRY_STORM, ("*", "m"), "")
    assert (set(last.conversations), last.advice) == (set("xyz"), Advice.CUT)


def test_one_conversation_alone_is_told_of_and_nobody_s_rate_is_cut():
    storms = Storms()
    assert [storms.take(refused(start=3.0 * i)) for i in range(IN_A_ROW)][-1].advice is Advice.NOTIFY


def test_who_tries_again_at_once_and_is_slowed_by_its_machine_does_not_back_off():
    storms = Storms()
    starts = [0.2 * i if i < 3 else 0.4 + 0.6 * (i - 2) for i in range(DOZEN)]
    told = [storms.take(refused(start=start)) for start in starts]
    assert [bool(one) for one in told] == [False] * (DOZEN - 1) + [True]


@pytest.mark.parametrize("first", [0.05, 0.5])
def test_short_pauses_that_double_are_back_off(first):
    storms = Storms()
    assert not any(storms.take(refused(start=first * 2.0**i)) for i in range(2 * DOZEN))


@pytest.mark.parametrize(
    "steps",
    [
        [refused(start=2.0**i) for i in range(12)],
        [refused(start=3.0 * i, failed=Failure.NONE if i % 3 == 2 else Failure.TIMEOUT) for i in range(30)],
        [refused(start=3.0 * i, failed=Failure.INVALID) for i in range(30)],
        [refused(start=60.0 * i) for i in range(30)],
    ],
    ids=["back-off", "successes between", "its own fault", "seldom"],
)
def test_what_is_no_storm(steps):
    storms = Storms()
    assert not any(storms.take(step) for step in steps)


def wrote(n, i=0, conversation="c"):
    return tool(operation=CHAT, peer="m", conversation=conversation, start=float(i), tokens_out=n)


def learned(seed, alpha=1e-6):
    rng, burn = random.Random(seed), Burn(alpha)
    for i in range(2 * LEARNED_ALL):
        assert burn.take(wrote(int(rng.lognormvariate(4, 0.5)) + 1, i, f"c{i // 10}")) is None
    return rng, burn


def test_far_more_tokens_than_usual_are_told_after_several_inferences_never_after_one():
    _, burn = learned(1)
    told = [burn.take(wrote(900, i, "new")) for i in range(12)]
    assert told[0] is None
    assert told[1] is None
    assert any(told)


def test_one_long_answer_among_usual_ones_is_none():
    rng, burn = learned(2)
    steps = [wrote(5000 if i % 12 == 0 else int(rng.lognormvariate(4, 0.5)) + 1, i, "new") for i in range(120)]
    assert not any(burn.take(step) for step in steps)


def test_false_alarms_stay_below_alpha_however_often_one_looks():
    """Ville's bound, with alpha large enough to see: 400 conversations of 40 inferences, as usual."""
    rng, burn = learned(3, alpha=0.05)
    alarmed = set()
    for c in range(400):
        for i in range(40):
            if burn.take(wrote(int(rng.lognormvariate(4, 0.5)) + 1, i, f"later{c}")):
                alarmed.add(c)
    assert len(alarmed) <= 0.05 * 400


def test_nothing_is_told_before_anything_is_learned():
    burn = Burn()
    assert not any(burn.take(wrote(10**6, i)) for i in range(50))


@pytest.mark.parametrize("operation", [AGENT, HANDOFF])
def test_every_turn_beyond_the_budget_is_too_many(operation):
    ledger = Ledger(turns=5)
    told = [ledger.take(tool(operation=operation, start=float(i))) for i in range(9)]
    assert [t is not None for t in told] == [False] * 5 + [True] * 4
    assert (told[5].kind, told[5].advice, told[5].rounds) == (Kind.TURN_BUDGET, Advice.NOTIFY, 6)


def test_a_turn_and_its_hand_over_are_one():
    ledger = Ledger(turns=5)
    made = [tool(operation=o, start=float(i)) for i in range(5) for o in (AGENT, HANDOFF)]
    assert not any(ledger.take(step) for step in made)


def context(*tokens, window=1000):
    ledger = Ledger(windows={"m": window})
    made = [tool(operation=CHAT, peer="m", tokens=n, start=float(i), parent=b"activity") for i, n in enumerate(tokens)]
    return [v.kind for step in made if (v := ledger.take(step))]


def test_a_context_that_only_grows_is_told_before_it_is_full():
    assert context(*range(100, 1000, 100))[0] is Kind.CONTEXT_GROWTH
    assert context(100, 300, 500, 700, 780, 100, 300, 500, 700) == []
    assert context(*[900] * 20) == [], "large, and it does not grow"
    assert context(*range(100, 1000, 100), window=0) == [], "nobody told how large the window is"
    assert GROWN > 1


def test_pages_are_bounded():
    ledger = Ledger(turns=1, most=2)
    for name in ("a", "b", "c"):
        ledger.take(tool(operation=AGENT, conversation=name))
    assert ledger.take(tool(operation=AGENT, conversation="a")) is None, "it begins anew"
    assert ledger.take(tool(operation=AGENT, conversation="c"))


def test_a_context_is_an_activation_s_whatever_the_conversation_is_called():
    """Where traces are joined by links, a turn learns in its midst to which conversation it belongs."""
    ledger = Ledger(windows={"m": 1000})
    made = [
        tool(
            operation=CHAT, peer="m", tokens=n, start=float(n), parent=b"activity", conversation="a" if n < 800 else "b"
        )
        for n in range(100, 1000, 100)
    ]
    assert [v.conversation for step in made if (v := ledger.take(step))] == ["b", "b"]
    few = Ledger(windows={"m": 1000}, most=1)
    for n in range(100, 1000, 100):
        for parent in (b"one", b"other"):
            assert few.take(tool(operation=CHAT, peer="m", tokens=n, start=float(n), parent=parent)) is None
