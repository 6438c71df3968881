"""The Numenta Anomaly Benchmark of the default detector, through the code of `hemostat replay metrics`.

Run as `.venv/bin/python tests/bench/nab.py`; writes build/bench/nab.json. Data: HEMOSTAT_BENCH_DATA (../shared/bench).
The detector is told of a file nothing but its probation length. The headline is held out: the threshold for one half
of the files is the best of the other half, both ways, and the median over random halves. With the threshold tuned on
all labels, as published scores are, it is reported apart; the range of a file, which published detectors were told in
advance, is of no use to this one.
"""

import gzip
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from nab_score import PROFILES, Floats, Truth, board, load, normalised

from hemostat.replay.metrics import default_probation, judge, read

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HEMOSTAT_BENCH_DATA", ROOT.parent / "shared/bench")) / "nab"
OUT = ROOT / "build/bench/nab.json"
SPLITS = 51
RESAMPLES = 500
CONFIGURATIONS_TRIED = 524
"""Settings of the detector that were scored on these labels while it was developed; counted by hand."""
PUBLISHED = {
    "windowedGaussian": {"standard": 39.65, "low_fp": 20.87, "low_fn": 47.41},
    "numenta": {"standard": 70.10, "low_fp": 63.2, "low_fn": 74.3},
}
"""What the shipped rows must score."""


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def detect(path: Path) -> Floats:
    """Return the scores of a file as the command writes them."""
    return np.array([one.score for one in judge(read(path), default_probation(path))])


def shipped(name: str, detector: str) -> Floats:
    """Return the shipped scores of a published detector."""
    file = DATA / "reference_results" / detector / Path(name).parent / f"{detector}_{Path(name).name}.gz"
    return np.array(
        [float(line.split(",")[1]) for line in gzip.decompress(file.read_bytes()).decode().splitlines()[1:]]
    )


def check_scorer(known: Sequence[Truth]) -> dict[str, dict[str, float]]:
    """Score the shipped rows; raises SystemExit if the scorer is wrong."""
    found = {}
    for detector, expected in PUBLISHED.items():
        scores = [shipped(one.name, detector) for one in known]
        found[detector] = {
            name: round(board(known, scores, profile).tuned(np.ones(len(known)))[0], 2)
            for name, profile in PROFILES.items()
        }
        if any(abs(found[detector][name] - value) > 0.05 for name, value in expected.items()):
            raise SystemExit(f"the scorer is wrong: {detector} gives {found[detector]}, published are {expected}")
    return found


def main() -> None:
    """Measure and write."""
    if not DATA.is_dir():
        say(f"NAB: skipped, no data in {DATA} (HEMOSTAT_BENCH_DATA)")
        return
    series = load(DATA)
    known = [one for one, _ in series]
    with ProcessPoolExecutor(2) as pool:
        scores = list(pool.map(detect, [path for _, path in series], chunksize=4))
    rng = np.random.default_rng(20261121)
    ones = np.ones(len(known))
    headline, tuned, spread = {}, {}, {}
    for name, profile in PROFILES.items():
        boarded = board(known, scores, profile)
        halves = boarded.halves(ones, SPLITS, rng)
        headline[name] = round(float(np.median(halves)), 2)
        spread[name] = [round(float(v), 2) for v in np.percentile(halves, [5, 95])]
        best, threshold = boarded.tuned(ones)
        tuned[name] = {"score": round(best, 2), "threshold": round(threshold, 4)}
    standard = board(known, scores, PROFILES["standard"])
    at_alarm = standard.points[:, int(np.searchsorted(-standard.thresholds, -0.5, side="right")) - 1]
    resampled = []
    for _ in range(RESAMPLES):
        weights = rng.multinomial(len(known), ones / len(known)).astype(float)
        resampled.append(float(standard.halves(weights, 1, rng)[0]))
    result = {
        "nab": headline,
        "held_out_5_95_percent_over_halves": spread,
        "tuned_on_all_labels": tuned,
        "as_shipped_medium_sensitivity": round(
            normalised(float(at_alarm.sum()), int(standard.windows.sum()), PROFILES["standard"]), 2
        ),
        "bootstrap_over_files_95_percent": [round(float(v), 1) for v in np.percentile(resampled, [2.5, 97.5])],
        "configurations_tried": CONFIGURATIONS_TRIED,
        "series": len(known),
        "rows": int(sum(len(one) for one in scores)),
        "scorer_on_shipped_rows": check_scorer(known),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    say(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
