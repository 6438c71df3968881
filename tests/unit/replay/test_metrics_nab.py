"""The scorer of the benchmark: by hand on a small case, and on the published rows where the data is there."""

import gzip
import importlib.util
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("HEMOSTAT_BENCH_DATA", ROOT.parent / "shared/bench")) / "nab"


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
    sweep = nab.sweep(known, scores, nab.PROFILES["standard"])
    assert nab.best_threshold([sweep]) == 0.7
    assert nab.normalised(-1.0, 1, nab.PROFILES["standard"]) == 0.0
    assert nab.normalised(1.0, 1, nab.PROFILES["standard"]) == 100.0


@pytest.mark.skipif(not DATA.is_dir(), reason="the data of the benchmark is not there")
def test_published_rows_get_their_published_scores(nab):
    series = nab.load(DATA)
    windows = sum(known.windows for known, _ in series)
    for detector, published in (("windowedGaussian", (39.65, 20.87, 47.41)), ("numenta", (70.10, 63.2, 74.3))):
        scores = []
        for known, path in series:
            file = DATA / "reference_results" / detector / Path(known.name).parent / f"{detector}_{path.name}.gz"
            rows = gzip.decompress(file.read_bytes()).decode().splitlines()[1:]
            scores.append(np.array([float(row.split(",")[1]) for row in rows]))
        for name, score in zip(("standard", "low_fp", "low_fn"), published, strict=True):
            profile = nab.PROFILES[name]
            sweeps = [nab.sweep(known, own, profile) for (known, _), own in zip(series, scores, strict=True)]
            threshold = np.array([nab.best_threshold(sweeps)])
            total = sum(float(sweep.at(threshold)[0]) for sweep in sweeps)
            assert nab.normalised(total, windows, profile) == pytest.approx(score, abs=0.05)
