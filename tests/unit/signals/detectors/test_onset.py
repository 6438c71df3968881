"""One alarm per episode."""

from hemostat.signals.detectors import Onset


def test_what_goes_on_is_not_told_again_until_it_was_quiet_or_gets_worse():
    onset = Onset(quiet_seconds=10, margin=0.5)
    scores = [(0, 0.0), (1, 2.0), (2, 2.0), (3, 2.3), (4, 3.5), (12, 3.0), (15, 3.0), (30, 2.0)]
    assert [onset.step(score, now) for now, score in scores] == [0, 2.0, 0, 0, 3.5, 0, 3.0, 2.0]


def test_a_clock_that_was_set_back_does_not_silence_it():
    onset = Onset(10, 0.5)
    assert onset.step(2.0, 1e9) == 2.0
    assert onset.step(2.0, 5) == 2.0
