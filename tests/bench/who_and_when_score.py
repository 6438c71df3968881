"""Are scores higher where the label is yes? Per turn, within runs, per run; thresholds never see the run they judge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Scored:
    """One run: a score and a label for each of its turns."""

    scores: Floats
    labels: Bools


def auroc(scores: Floats, labels: Bools) -> float:
    """Return the chance that a yes has a higher score than a no, ties counted half; NaN without one of both."""
    yes, no = int(labels.sum()), int((~labels).sum())
    if not yes or not no:
        return float("nan")
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2.0)[place]
    return float((ranks[labels].sum() - yes * (yes + 1) / 2.0) / (yes * no))


def balanced_accuracy(told: Bools, labels: Bools) -> float:
    """Return the mean of the shares of yes and of no that were told right."""
    return float((told[labels].mean() + (~told[~labels]).mean()) / 2.0) if 0 < labels.sum() < len(labels) else np.nan


def f1(told: Bools, labels: Bools) -> float:
    """Return the harmonic mean of precision and recall."""
    return float(2.0 * (told & labels).sum() / max(1, told.sum() + labels.sum()))


def best_threshold(scores: Floats, labels: Bools) -> float:
    """Return the threshold of the highest balanced accuracy; a score from it on is a yes."""
    values = np.unique(scores)
    found = [balanced_accuracy(scores >= value, labels) for value in values]
    return float(values[int(np.nanargmax(found))]) if len(values) and not np.all(np.isnan(found)) else float("inf")


def turns(runs: Sequence[Scored]) -> Scored:
    """Return the turns of all runs."""
    return Scored(np.concatenate([r.scores for r in runs]), np.concatenate([r.labels for r in runs]))


def whole(runs: Sequence[Scored], how: str = "max") -> Scored:
    """Return one score (the highest, or the mean) and one label (any) for each run."""
    return Scored(
        np.array([getattr(r.scores, how)() for r in runs]), np.array([bool(r.labels.any()) for r in runs], np.bool_)
    )


def within(runs: Sequence[Scored]) -> float:
    """Return the mean AUROC inside those runs that have turns of both kinds."""
    found = [value for r in runs if not np.isnan(value := auroc(r.scores, r.labels))]
    return float(np.mean(found)) if found else float("nan")


def held_out(runs: Sequence[Scored], fit: Sequence[Scored] | None = None) -> Bools:
    """Return for each turn whether it is told, by a threshold that was chosen on the other runs."""
    told = []
    for number, run in enumerate(runs):
        others = turns([r for at, r in enumerate(fit or runs) if at != number])
        told.append(run.scores >= best_threshold(others.scores, others.labels))
    return np.concatenate(told)


def each_alone(one: Scored) -> list[Scored]:
    """Return the items of a row as runs of their own."""
    return [Scored(one.scores[i : i + 1], one.labels[i : i + 1]) for i in range(len(one.scores))]


def interval(values: Sequence[float]) -> list[float]:
    """Return the 95 % interval of resampled values."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return [round(float(low), 3), round(float(high), 3)]
