"""How many expected facts were stated, over all cases, and how sure that is (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_Z = 1.959964
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One expected fact, and whether it was stated."""

    fact: str
    stated: bool | None
    """None: the judge failed, which says nothing of the diagnosis."""
    quote: str = ""
    failure: str = ""
    """Why the judge failed: a reason and a sentence."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share, with the interval that holds the true one with 95 % confidence."""

    hits: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share; None where there is nothing to divide by."""
        return self.hits / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Score:
    """What a judge found in all cases together."""

    cases: int
    """Those with at least one fact that could be judged."""
    facts: Share
    """Facts that were stated, of those that could be judged."""
    whole: Share
    """Cases all of whose facts were stated, of those that could be judged whole."""
    unjudged: int
    """Facts that the judge failed at: they are in no share."""


def score(judged: Mapping[str, Sequence[Judged]]) -> Score:
    """Return the score of judged cases, by their names."""
    told = {name: [j.stated for j in of if j.stated is not None] for name, of in judged.items()}
    cases = sum(1 for t in told.values() if t)
    whole = [all(told[name]) for name, of in judged.items() if of and len(told[name]) == len(of)]
    return Score(
        cases=cases,
        facts=_share(sum(map(sum, told.values())), sum(map(len, told.values())), cases),
        whole=_share(sum(whole), len(whole), len(whole)),
        unjudged=sum(len(of) - len(told[name]) for name, of in judged.items()),
    )


def _share(hits: int, of: int, drawn: int) -> Share:
    """Return a share with the interval of Wilson (JASA 1927), which is wide also where all or none are hits.

    :param drawn: how many independent draws it rests on. Facts of one case stand and fall together: there it is the
        number of cases, which is the least that it can be.
    """
    if not of:
        return Share(hits, of, 0.0, 1.0)
    share, square = hits / of, _Z * _Z / drawn
    half = math.sqrt(square * (share * (1 - share) + square / 4))
    low, high = ((share + square / 2 + sign * half) / (1 + square) for sign in (-1, 1))
    return Share(hits, of, max(0.0, low), min(1.0, high))
