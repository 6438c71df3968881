"""The scorer of the benchmark by hand on a small case; `make bench` holds it against the published rows."""

import importlib.util
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def nab():
    spec = importlib.util.spec_from_file_location("nab_score", ROOT / "tests/bench/nab_score.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def known(nab):
    times = [datetime(2026, 1, 1) + timedelta(minutes=n) for n in range(100)]  # noqa: DTZ001 - as the labels are
    return nab.truth("a", times, [(times[50], times[59])])


def points(nab, known, flagged, profile="standard"):
    scores = np.zeros(100)
    scores[flagged] = 1.0
    return float(nab.sweep(known, scores, nab.PROFILES[profile]).at(np.array([0.5]))[0])


def test_early_in_the_window_earns_most_and_only_the_best_counts(nab, known):
    assert points(nab, known, [50]) == pytest.approx(1.0)
    assert points(nab, known, [50, 55, 59]) == pytest.approx(1.0)
    assert points(nab, known, [59]) == pytest.approx(0.2479, abs=1e-3)


def test_a_missed_window_and_each_false_row_cost(nab, known):
    assert points(nab, known, []) == -1.0
    assert points(nab, known, [], "low_fn") == -2.0
    assert points(nab, known, [20, 21]) == pytest.approx(-1.22)
    assert points(nab, known, [20], "low_fp") == pytest.approx(-1.22)
    assert -1.11 < points(nab, known, [62]) < -1.0
    assert points(nab, known, [95]) == pytest.approx(-1.11)


def test_the_probation_is_not_scored(nab, known):
    assert points(nab, known, [3, 14]) == -1.0


def test_the_best_threshold_is_found(nab, known):
    scores = np.zeros(100)
    scores[[50, 30, 31]] = [0.7, 0.9, 0.3]
    board = nab.board([known, known], [scores, scores / 2], nab.PROFILES["standard"])
    assert board.tuned(np.array([1, 0]))[1] == 0.7
    assert board.tuned(np.array([0, 1]))[1] == 0.35
    assert board.held_out(np.ones(2), np.array([True, False])) < board.tuned(np.ones(2))[0]
    assert nab.normalised(-1.0, 1, nab.PROFILES["standard"]) == 0.0
    assert nab.normalised(1.0, 1, nab.PROFILES["standard"]) == 100.0
