"""The figures about the recorded Incidents say what they seem to: abstaining is right or wrong as the label says, and a
confidence is judged by what came true.
"""

import pytest
from tests.bench.bounds import wilson
from tests.bench.incidents.recorded import ABSTAIN, HELD_OUT, INSUFFICIENT, SEEN, Label, Recorded
from tests.bench.incidents.score import Answered, figures
from tests.unit.builders import incident


def answered(kind, split, accept, answer=None, percent=0):
    label = Label(split, frozenset(accept))
    return Answered(Recorded(kind, 1, "", None, label, incident()), answer, percent)


RIGHT = answered("slow", SEEN, ["rollback"], "rollback", 80)
WRONG = answered("full", SEEN, ["grow"], "rollback", 60)
ABSTAINED = answered("node", HELD_OUT, [ABSTAIN])
MISSED = answered("slow", HELD_OUT, ["rollback"])
ACTED = answered("blip", INSUFFICIENT, [ABSTAIN], "rollback", 100)
EITHER = answered("most", HELD_OUT, [ABSTAIN, "grow"], "grow", 50)
ALL = [RIGHT, WRONG, ABSTAINED, MISSED, ACTED, EITHER]


@pytest.mark.parametrize(
    ("one", "right"),
    [(RIGHT, True), (WRONG, False), (ABSTAINED, True), (MISSED, False), (ACTED, False), (EITHER, True)],
)
def test_right_is_what_the_label_accepts(one, right):
    assert one.right is right


def test_shares_are_of_their_side_of_the_split_and_of_what_has_an_answer():
    found = figures(ALL, wilson)
    assert found["matcher_top1"] == 0.5
    assert found["matcher_top1_held_out"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["matcher_top1_answerable_held_out"] == 0.0
    assert found["matcher_abstains_on_insufficient"] == 0.0
    assert found["incidents"] == {"seen": 2, "held_out": 3, "insufficient": 1}
    low, high = found["wilson_95"]["matcher_top1"]
    assert 0 < low < 0.5 < high < 1


def test_brier_judges_answers_by_whether_they_are_right_and_abstaining_by_whether_a_runbook_fitted():
    found = figures(ALL, wilson)
    squares = [0.2**2, 0.6**2, 0.0, 1.0, 0.5**2]  # right at 80, wrong at 60, rightly none, wrongly none, right at 50
    assert found["brier"] == pytest.approx(sum(squares) / 5, abs=1e-4)
    assert found["brier_of_answers"] == pytest.approx((0.2**2 + 0.6**2 + 1.0 + 0.5**2) / 4, abs=1e-4)


def test_risk_rises_as_less_sure_answers_are_given():
    curve = figures(ALL, wilson)["risk_coverage"]
    assert [p["least_percent"] for p in curve] == [100, 80, 60, 50]
    assert [round(p["coverage"], 2) for p in curve] == [0.17, 0.33, 0.5, 0.67]
    assert [round(p["risk"], 2) for p in curve] == [1.0, 0.5, 0.67, 0.5]


def test_a_confidence_is_worth_nothing_before_enough_outcomes_are_known():
    assert figures(ALL, wilson)["brier_of_answers_held_out_calibrated_on_seen"] is None
    found = figures([*[RIGHT] * 20, EITHER, answered("slow", HELD_OUT, ["rollback"], "rollback", 90)], wilson)
    worth = 100 * 21 / 22  # of twenty that were right at 80 %, by Laplace's rule; 50 % lies in another bin
    assert found["brier_of_answers_held_out_calibrated_on_seen"] == pytest.approx(
        (1 - round(worth) / 100) ** 2, abs=1e-4
    )


def test_each_kind_tells_what_was_answered():
    assert figures(ALL, wilson)["by_kind"]["node"] == {
        "split": HELD_OUT,
        "accept": [ABSTAIN],
        "right": 1,
        "n": 1,
        "answers": [ABSTAIN],
    }
