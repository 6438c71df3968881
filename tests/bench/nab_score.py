"""The score of the Numenta Anomaly Benchmark, written from its paper (Lavin and Ahmad 2015, arXiv:1510.03336).

A detection inside a labelled window earns up to 1 for how early it is, only the best of a window counts; every row
that is flagged outside costs up to the false-positive weight, less when it closely follows a window; a missed window
costs the false-negative weight. 0 is the detector that flags nothing, 100 the perfect one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NO_WINDOW = -1


@dataclass(frozen=True)
class Profile:
    """What a false alarm and a missed window cost; a detection at the left edge of its window earns 1."""

    false_positive: float
    false_negative: float


PROFILES = {"standard": Profile(0.11, 1.0), "low_fp": Profile(0.22, 1.0), "low_fn": Profile(0.11, 2.0)}


@dataclass(frozen=True)
class Truth:
    """What flagging each row of one file is worth."""

    name: str
    worth: Floats
    """Per row: in a window 0..1 by how early, outside -1..0 (times the false-positive weight)."""
    window: NDArray[np.int64]
    """Per row: number of its window, or -1."""
    windows: int
    probation: int
    """Rows at the beginning that are not scored."""


def probation_rows(rows: int) -> int:
    """Return how many rows a detector may learn from before it is judged: 15 %, at most 750."""
    return int(min(np.floor(0.15 * rows), 0.15 * 5000))


def truth(name: str, times: Sequence[datetime], windows: Sequence[tuple[datetime, datetime]]) -> Truth:
    """Turn labelled windows into the worth of each row."""
    rows = len(times)
    index = {time: row for row, time in enumerate(times)}
    worth = np.full(rows, -1.0)
    number = np.full(rows, NO_WINDOW)
    for nth, (start, end) in enumerate(windows):
        first, last = index[start], index[end]
        width = last - first + 1
        inside = np.arange(first, last + 1)
        worth[inside] = _sigmoid((inside - last - 1) / width) / _sigmoid(np.array(-1.0))
        number[inside] = nth
        after = np.arange(last + 1, rows)
        worth[after] = _sigmoid((after - last) / (width - 1))
    return Truth(name, worth, number, len(windows), probation_rows(rows))


def load(folder: Path) -> list[tuple[Truth, Path]]:
    """Return the truth and the data file of every series, in a fixed order."""
    labels = json.loads((folder / "labels/combined_windows.json").read_text())
    found = []
    for name in sorted(labels):
        path = folder / "data" / name
        times = [datetime.fromisoformat(line.split(",", 1)[0]) for line in path.read_text().splitlines()[1:]]
        windows = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in labels[name]]
        found.append((truth(name, times, windows), path))
    return found


@dataclass(frozen=True)
class Sweep:
    """The raw points of one file as a step function of the threshold."""

    thresholds: Floats
    """Descending; points[k] is what the file earns when every row with score >= thresholds[k] is flagged."""
    points: Floats
    nothing: float
    """Points when nothing is flagged."""

    def at(self, threshold: Floats) -> Floats:
        """Return the points at each of the given thresholds."""
        position = np.searchsorted(-self.thresholds, -threshold, side="right")
        return np.concatenate(([self.nothing], self.points))[position]


def sweep(known: Truth, scores: Floats, profile: Profile) -> Sweep:
    """Return what the file earns at every threshold that makes a difference."""
    judged = np.arange(known.probation, len(scores))
    order = judged[np.argsort(-scores[judged], kind="stable")]
    nothing = -profile.false_negative * known.windows
    gain = np.where(known.window[order] == NO_WINDOW, known.worth[order] * profile.false_positive, 0.0)
    for nth in range(known.windows):
        rows = np.flatnonzero(known.window[order] == nth)
        if len(rows):
            best = np.maximum.accumulate(known.worth[order[rows]])
            gain[rows] = np.diff(best, prepend=-profile.false_negative)
    total = nothing + np.cumsum(gain)
    ordered = scores[order]
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True)) if len(ordered) else np.array([], dtype=int)
    return Sweep(ordered[last], total[last], nothing)


def normalised(points: float, windows: int, profile: Profile) -> float:
    """Scale raw points so that 0 is the detector that flags nothing and 100 the perfect one."""
    worst = -profile.false_negative * windows
    return 100.0 * (points - worst) / (windows - worst)


@dataclass(frozen=True)
class Board:
    """The raw points of every file at every threshold that makes a difference."""

    profile: Profile
    windows: NDArray[np.int64]
    thresholds: Floats
    points: Floats
    """Shape (files, thresholds)."""

    def tuned(self, weights: Floats) -> tuple[float, float]:
        """Return score and threshold when the threshold is the best for these files, each counted by its weight."""
        total = weights @ self.points
        best = int(np.argmax(total))
        return self._scaled(float(total[best]), weights), float(self.thresholds[best])

    def held_out(self, weights: Floats, half: NDArray[np.bool_]) -> float:
        """Return the score when each half is judged by the best threshold of the other."""
        total = 0.0
        for side in (half, ~half):
            best = int(np.argmax((weights * ~side) @ self.points))
            total += float((weights * side) @ self.points[:, best])
        return self._scaled(total, weights)

    def halves(self, weights: Floats, splits: int, rng: np.random.Generator) -> Floats:
        """Return the held-out score for random halves."""
        files = len(self.windows)
        return np.array([self.held_out(weights, rng.permutation(files) < files // 2) for _ in range(splits)])

    def _scaled(self, points: float, weights: Floats) -> float:
        return normalised(points, int(weights @ self.windows), self.profile)


def board(known: Sequence[Truth], scores: Sequence[Floats], profile: Profile) -> Board:
    """Score every file at every threshold."""
    sweeps = [sweep(one, own, profile) for one, own in zip(known, scores, strict=True)]
    grid = np.unique(np.concatenate([np.array([np.inf]), *(one.thresholds for one in sweeps)]))[::-1]
    return Board(profile, np.array([one.windows for one in known]), grid, np.array([one.at(grid) for one in sweeps]))


def _sigmoid(position: Floats) -> Floats:
    return np.where(position > 3.0, -1.0, 2.0 / (1.0 + np.exp(np.minimum(5.0 * position, 50.0))) - 1.0)
