"""The scorer by hand, and that no score knows its label, the orchestrator's thoughts or what comes later."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parents[2] / "bench"


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


runs, score = load("who_and_when_runs"), load("who_and_when_score")
bench = load("who_and_when")


def message(role, content):
    return {"role": role, "content": content}


def led(*requests, answers=None):
    """A run in which an orchestrator thinks, asks the surfer, and gets an answer."""
    history = [message("human", "find it")]
    for number, request in enumerate(requests):
        history += [message("Orchestrator (thought)", "Updated Ledger: is_in_loop true"), message(TO, request)]
        answer = f"page {number} of another book by author {number}" if answers is None else answers[number]
        history += [message("WebSurfer", answer)] if answer else []
    return [*history, message("Orchestrator (thought)", "secret")]


TO = "Orchestrator (-> WebSurfer)"
AGAIN = "Please search for the opening hours of the museum in Vienna"
FRESH = ("Look for the list of winners", "Open the third result", "What does its second table say of Ghent?", "Sum it")


def run_of(history):
    turns = tuple(i for i, m in enumerate(history) if m["role"] == "Orchestrator (thought)")
    return runs.Run("r", len(history), tuple(runs.instructions(history, turns)), turns, (False,) * len(turns))


def test_auroc_counts_ties_half_and_says_nothing_of_one_kind():
    labels = np.array([False, False, True, True])
    assert score.auroc(np.array([1.0, 2.0, 3.0, 4.0]), labels) == 1.0
    assert score.auroc(np.array([4.0, 3.0, 2.0, 1.0]), labels) == 0.0
    assert score.auroc(np.array([1.0, 3.0, 3.0, 4.0]), labels) == pytest.approx(0.875)
    assert score.auroc(np.zeros(4), labels) == 0.5
    assert np.isnan(score.auroc(np.zeros(4), np.zeros(4, np.bool_)))


def test_balanced_accuracy_and_f1_by_hand():
    told, labels = np.array([True, True, False, False, False]), np.array([True, False, True, False, False])
    assert score.balanced_accuracy(told, labels) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert score.f1(told, labels) == pytest.approx(0.5)


def test_within_looks_inside_runs_only():
    low = score.Scored(np.array([0.0, 1.0]), np.array([False, True]))
    high = score.Scored(np.array([5.0, 4.0]), np.array([False, True]))
    one_kind = score.Scored(np.array([9.0, 9.0]), np.array([True, True]))
    assert score.within([low, one_kind]) == 1.0
    assert score.within([low, high, one_kind]) == 0.5


def test_a_held_out_threshold_never_saw_the_run_it_judges():
    others = [score.Scored(np.array([0.0, 10.0]), np.array([False, True]))] * 2
    odd = score.Scored(np.array([3.0, 4.0]), np.array([False, True]))
    assert score.held_out([*others, odd])[-2:].tolist() == [False, False]
    swapped = replace(odd, labels=~odd.labels)
    assert score.held_out([*others, swapped])[-2:].tolist() == [False, False]


def test_an_exchange_is_known_after_its_answer_and_thoughts_are_not_read():
    history = led(*FRESH[:2])
    first, second = run_of(history).exchanges
    assert (first.at, first.until, first.caller, first.callee) == (2, 4, "Orchestrator", "WebSurfer")
    assert (first.asked, first.answered) == (FRESH[0], "page 0 of another book by author 0")
    assert (second.at, second.until) == (5, 7)
    told = [e.asked + e.answered for e in run_of(history).exchanges]
    assert not any("secret" in text or "Ledger" in text for text in told)


def test_a_call_without_an_answer_is_over_when_somebody_else_has_his_say():
    history = led(AGAIN, AGAIN, answers=["", "closed"])
    assert [(e.at, e.until, e.answered) for e in run_of(history).exchanges] == [(2, 3, ""), (4, 6, "closed")]


@pytest.mark.parametrize("name", ["verdict", "asked", "asked_in_vain", "words_in_common", "turn_index"])
def test_a_score_never_depends_on_what_comes_later_nor_on_labels(name):
    scored = (bench.SCORES | bench.BASELINES)[name]
    history = led(*FRESH, *[AGAIN] * 5, answers=["a", "b", "c", "d", *["closed on Mondays"] * 5])
    whole = run_of(history)
    expected = scored(whole)
    assert len(set(expected)) > 1
    for turn, value in zip(whole.turns, expected, strict=True):
        assert scored(run_of(history[: turn + 1]))[-1] == value
    assert scored(replace(whole, labels=(True,) * len(whole.labels))) == expected


def test_requests_that_come_again_in_vain_score_higher_and_the_third_is_told():
    fresh = run_of(led(*FRESH))
    loop = run_of(led(*[AGAIN] * 5, answers=["closed on Mondays"] * 5))
    progress = run_of(
        led(*[AGAIN] * 3, answers=["closed on Mondays", "The tram leaves at six", "Entry is twelve euro"])
    )
    assert max(bench.asked(fresh)) < bench.SAME
    assert bench.asked(loop) == bench.asked_in_vain(loop) == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert bench.asked(progress)[-1] == 1.0
    assert bench.asked_in_vain(progress)[-1] < bench.SAME
    assert [bool(v) for v in bench.verdict(loop)] == [False, False, False, True, True, True]
    assert not any(bench.verdict(progress))
    assert [v.kind.value for v in bench._verdicts(loop)][:1] == ["Cycle"]


def test_in_a_group_chat_each_message_goes_to_the_next_speaker():
    said = [{"role": "user", "name": n, "content": c} for n, c in (("A", "go"), ("B", "done"), ("A", "thanks"))]
    assert [(e.caller, e.callee, e.asked, e.answered) for e in runs.chat(said)] == [
        ("A", "B", "go", "done"),
        ("B", "A", "done", "thanks"),
    ]
