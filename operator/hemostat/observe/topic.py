"""A query that is asked for whoever wants to know, and how it stands (pure)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from hemostat.signals.metric import Vector
from hemostat.telemetry.sample import History, Series

EMPTY_SECONDS = 300.0
"""A query that yields nothing and need not is asked less and less, down to this."""
FRESH_INTERVALS = 4
"""An answer older than this many intervals, and than `FRESH_SECONDS`, is no evidence of now."""
FRESH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know."""

    query: str
    every_seconds: float
    look_back_seconds: float = 0.0
    """How much of the past helps; asked for once."""
    expected: bool = True
    """Whether it usually has an answer: one that has none is else asked less often."""
    signals: tuple[str, ...] = ()
    """Names of the signals it is asked for."""


@dataclass(slots=True, eq=False)
class Topic:
    """A query and how it stands. Times are monotonic, in seconds, but for `at`."""

    wanted: dict[Hashable, Question] = field(default_factory=dict)
    series: Sequence[Series] | None = None
    left_out: int = 0
    """Series of the answer that are not kept."""
    size: int = 0
    """Bytes that the series take."""
    number: int = 0
    """Counts the answers."""
    asked: float = 0.0
    """When the last answer was asked for."""
    at: float = 0.0
    """The same in seconds since 1970."""
    past: Sequence[History] = ()
    past_size: int = 0
    past_asked: float | None = None
    problem: tuple[str, str] | None = None
    empty: int = 0
    """Answers in a row that were empty."""
    slow: bool = True
    """Whether it was slow last time; what was never asked may be."""
    failures: int = 0
    """How often in a row it failed while Prometheus was there."""
    due: float | None = None
    """When it should be asked next."""

    @property
    def every(self) -> float:
        """How often it is wanted, in seconds, by the most eager."""
        return min((q.every_seconds for q in self.wanted.values()), default=EMPTY_SECONDS)

    @property
    def seldom(self) -> float:
        """The same, but longer when there is nothing to be told: it need not have an answer, and had none for long."""
        if self.empty < 3 or any(q.expected for q in self.wanted.values()):
            return self.every
        return max(self.every, min(EMPTY_SECONDS, self.every * 2.0 ** min(self.empty - 2, 8)))

    def fresh(self, now: float) -> Vector | None:
        """Return the answer, unless it is too old."""
        if self.series is None or now - self.asked > max(FRESH_SECONDS, FRESH_INTERVALS * self.every):
            return None
        return Vector(self.series, self.number, self.at, self.past, self.left_out)
