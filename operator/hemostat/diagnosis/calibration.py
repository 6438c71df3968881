"""Is confidence worth what it says? Calibrated on outcomes, judged on labelled cases (pure).

Scores fall into bins, and each bin's share of right answers is a Beta posterior over a uniform prior (histogram binning
with Laplace's rule). Neighbours are pooled until a higher score is never right less often: isotonic regression by
pooling adjacent violators (Ayer et al., Ann. Math. Statist. 26, 1955; as a calibrator: Zadrozny and Elkan, KDD
2002). A bin of few outcomes says nothing: it is uncalibrated, and whoever asks must do without.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

EDGES = (0, 25, 50, 75, 100)
"""Where the bins begin, in percent: the last is that every symptom was found."""
LEAST_OUTCOMES = 10
"""Outcomes that a bin, pooled with its neighbours, must rest on: the posterior's deviation is 0.15 then, or less."""


class Judged(NamedTuple):
    """An answer, and whether it was right."""

    percent: int
    """Confidence, 0 to 100; 0 is an answer that was not given (it abstained)."""
    right: bool


class Worth(NamedTuple):
    """What a confidence is worth."""

    percent: int | None
    """How often answers of such a confidence were right, in percent; None while too few outcomes are known."""
    outcomes: int
    """On how many outcomes that rests."""

    def __str__(self) -> str:
        """`calibrated: n=23`, or `uncalibrated: n=3 of 10`."""
        if self.percent is None:
            return f"uncalibrated: n={self.outcomes} of {LEAST_OUTCOMES}"
        return f"calibrated: n={self.outcomes}"


@dataclass(frozen=True, slots=True)
class _Pool:
    bins: tuple[int, ...]
    right: int
    number: int

    @property
    def mean(self) -> float:
        """The mean of Beta(right + 1, wrong + 1)."""
        return (self.right + 1) / (self.number + 2)

    def with_(self, other: "_Pool") -> "_Pool":
        return _Pool((*self.bins, *other.bins), self.right + other.right, self.number + other.number)


class Curve:
    """From a confidence to what it is worth, for one source of answers: another's scores mean something else."""

    def __init__(self, seen: Mapping[Judged, int] | Iterable[Judged]) -> None:
        """Fit.

        :param seen: answers with their outcomes, or how often each of them was seen.
        """
        counted = seen.items() if isinstance(seen, Mapping) else ((judged, 1) for judged in seen)
        right, number = [0] * len(EDGES), [0] * len(EDGES)
        for judged, count in counted:
            place = _bin(judged.percent)
            number[place] += count
            right[place] += count * judged.right
        self._pools = _pooled(_Pool((i,), right[i], number[i]) for i in range(len(EDGES)) if number[i])

    def worth(self, percent: int) -> Worth:
        """Return what this confidence is worth."""
        pool = next((p for p in self._pools if _bin(percent) in p.bins), None)
        if pool is None or pool.number < LEAST_OUTCOMES:
            return Worth(None, pool.number if pool is not None else 0)
        return Worth(round(100 * pool.mean), pool.number)


def least(*worths: Worth) -> Worth:
    """Return the lowest of several opinions on the same answer; uncalibrated if one of them is."""
    return min(worths, key=lambda w: (w.percent is not None, w.percent, w.outcomes))


def lowered(pooled: Worth, right: int, number: int) -> Worth:
    """Return what a confidence is worth of one of those that were pooled, by its own outcomes: never more than of all.

    The posterior's mean over a prior of the pool's, as strong as LEAST_OUTCOMES outcomes: with none of its own the
    pool speaks for it, and each that was wrong lowers it at once (beta-binomial shrinkage; Efron and Morris, J. Am.
    Stat. Assoc. 70, 1975).
    """
    if pooled.percent is None:
        return pooled
    own = (LEAST_OUTCOMES * pooled.percent + 100 * right) / (LEAST_OUTCOMES + number)
    return pooled._replace(percent=min(pooled.percent, round(own)))


def _bin(percent: int) -> int:
    return bisect_right(EDGES, percent) - 1


def _pooled(bins: Iterable[_Pool]) -> list[_Pool]:
    """Pool neighbours until means rise."""
    pools: list[_Pool] = []
    for pool in bins:
        while pools and pools[-1].mean > pool.mean:
            pool = pools.pop().with_(pool)
        pools.append(pool)
    return pools


def brier(judged: Sequence[Judged]) -> float:
    """Return the mean squared difference of confidence and truth, 0 (best) to 1 (Brier, Monthly Weather Review, 1950).

    Raises `ValueError` if there is nothing to judge.
    """
    if not judged:
        raise ValueError("nothing was answered")
    return sum((j.percent / 100 - j.right) ** 2 for j in judged) / len(judged)


class Point(NamedTuple):
    """What would have come of answering only from some confidence on."""

    least_percent: int
    """The confidence."""
    coverage: float
    """Share of all cases that are answered, 0 to 1."""
    risk: float
    """Share of those answers that are wrong, 0 to 1."""


def risk_coverage(judged: Sequence[Judged]) -> tuple[Point, ...]:
    """Return the risk-coverage curve, the most confident first (El-Yaniv and Wiener, JMLR 11, 2010).

    One point for each confidence that occurs; what abstained (0 percent) counts among all cases and is never answered.
    """
    points = []
    for threshold in sorted({j.percent for j in judged if j.percent > 0}, reverse=True):
        answered = [j.right for j in judged if j.percent >= threshold]
        wrong = answered.count(False)
        points.append(Point(threshold, len(answered) / len(judged), wrong / len(answered)))
    return tuple(points)
