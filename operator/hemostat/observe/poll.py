"""Asks Prometheus what the Watches want to know: each distinct query once per interval, whoever wants it (shell).

A look never waits for Prometheus: it reads the last answer, however old. A slow Prometheus makes answers rarer and
nothing else.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import QUERIES, QUERY_LATE_SECONDS, QUERY_SECONDS
from hemostat.signals.metric import Vector
from hemostat.telemetry.sample import History, Series
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger(__name__)
MAX_QUERIES = 5_000
"""Distinct queries in all; the last ones to come are not asked and say so."""
REFUSED_SECONDS = 60.0
"""A query that is wrong is asked so often: it may name what is yet to be recorded."""
EMPTY_SECONDS = 300.0
"""A query that yields nothing and need not is asked less and less, down to this."""
FRESH_INTERVALS = 4
"""An answer older than this many intervals, and than `FRESH_SECONDS`, is no evidence of now."""
FRESH_SECONDS = 20.0
PAST_POINTS = 1440
"""Points per series when the past is asked for, once."""
MAX_PAST = 100
"""Series whose past is used; more are learned as they come."""
PAST_KEPT = 60.0
"""Seconds that a past is kept for those who want it."""


class Source(Protocol):
    """What can be asked."""

    def instant(self, query: str) -> list[Series]:
        """Evaluate now."""
        ...

    def between(self, query: str, start: datetime, end: datetime, step_seconds: int) -> list[History]:
        """Evaluate over a past time."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know."""

    query: str
    every_seconds: float
    look_back_seconds: float = 0.0
    """How much of the past helps; asked for once."""
    expected: bool = True
    """Whether it usually has an answer: one that has none is else asked less often."""


@dataclass(slots=True)
class _Topic:
    """A query and how it stands."""

    wanted: dict[Hashable, Question] = field(default_factory=dict)
    series: Sequence[Series] | None = None
    number: int = 0
    asked: float = 0.0
    """Monotonic time of the last answer."""
    at: float = 0.0
    """Its time in seconds since 1970."""
    past: Sequence[History] = ()
    past_asked: float | None = None
    problem: tuple[str, str] | None = None
    empty: int = 0
    """Answers in a row that were empty."""
    due: float | None = None
    """Monotonic time at which it should be asked next."""

    @property
    def every(self) -> float:
        return min((q.every_seconds for q in self.wanted.values()), default=EMPTY_SECONDS)


class Poller:
    """Knows who wants what, asks for it in time, and keeps the last answers."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._topics: dict[str, _Topic] = {}
        self._owners: dict[Hashable, tuple[Question, ...]] = {}
        self._lock = threading.Lock()
        self.queue: WorkQueue[str] = WorkQueue("queries", self.ask)

    def want(self, owner: Hashable, questions: Sequence[Question]) -> None:
        """Have these asked from now on for `owner`, and no others."""
        wanted = tuple(questions)
        with self._lock:
            if self._owners.get(owner) == wanted:
                return
            self._drop(owner)
            self._owners[owner] = wanted
            new = [q.query for q in wanted if self._join(owner, q)]
        for query in new:
            self.queue.add(query)

    def forget(self, owner: Hashable) -> None:
        """Ask nothing more for `owner`."""
        with self._lock:
            self._drop(owner)
            self._owners.pop(owner, None)

    def read(self, owner: Hashable) -> tuple[Mapping[str, Vector | None], list[tuple[str, str]]]:
        """Return the fresh answers to what `owner` wants, None where there is none, and the problems with them."""
        vectors: dict[str, Vector | None] = {}
        problems: dict[tuple[str, str], None] = {}
        with self._lock:
            now = self._clock()
            for question in self._owners.get(owner, ()):
                topic = self._topics.get(question.query)
                if topic is None:
                    problems["TooManyQueries", f"more than {MAX_QUERIES} distinct queries are watched"] = None
                    continue
                vectors[question.query] = _fresh(topic, now)
                if topic.problem is not None:
                    problems[topic.problem] = None
        return vectors, list(problems)

    def ask(self, query: str) -> float | None:
        """Ask once; return the seconds until the next time, or None when nobody wants to know any more."""
        with self._lock:
            topic = self._topics.get(query)
            if topic is None:
                return None
            began = self._clock()
            if topic.due is not None:
                QUERY_LATE_SECONDS.observe(max(0.0, began - topic.due))
            back = max(q.look_back_seconds for q in topic.wanted.values())
            first = back > 0 and topic.past_asked is None
            if first:
                topic.past_asked = began
        past = self._past(query, back) if first else None
        wait = self._ask(query, topic, past)
        QUERY_SECONDS.observe(self._clock() - began)
        with self._lock:
            topic.due = began + wait
        return max(0.01, wait - (self._clock() - began))

    def _ask(self, query: str, topic: _Topic, past: Sequence[History] | None) -> float:
        asked, at = self._clock(), datetime.now(UTC).timestamp()
        try:
            series = self._source.instant(query)
        except HemostatError as error:
            refused = isinstance(error, Refused)
            QUERIES.labels("refused" if refused else "failed").inc()
            with self._lock:
                topic.problem = ("BadQuery" if refused else "PrometheusUnavailable", str(error)[:1000])
                if refused:
                    topic.series = None
            wait = error.delay_seconds if isinstance(error, Retry) else REFUSED_SECONDS
            return max(topic.every, wait)
        QUERIES.labels("ok" if series else "empty").inc()
        with self._lock:
            topic.problem, topic.series, topic.asked, topic.at = None, series, asked, at
            topic.number += 1
            topic.empty = 0 if series else topic.empty + 1
            if past is not None:
                topic.past = past
            elif topic.past and topic.past_asked is not None and asked - topic.past_asked > PAST_KEPT:
                topic.past = ()
            return self._pause(topic)

    def _pause(self, topic: _Topic) -> float:
        if topic.empty < 3 or any(q.expected for q in topic.wanted.values()):
            return topic.every
        return max(topic.every, min(EMPTY_SECONDS, topic.every * math.pow(2, min(topic.empty - 2, 8))))

    def _past(self, query: str, back: float) -> Sequence[History]:
        """Return what was before; without it, learning begins now."""
        end = datetime.now(UTC)
        step = max(1, round(back / PAST_POINTS))
        try:
            found = self._source.between(query, end - timedelta(seconds=back), end - timedelta(seconds=step), step)
        except HemostatError as error:
            LOG.info("the past of %s is not known: %s", query[:100], error)
            return ()
        return found if len(found) <= MAX_PAST else ()

    def _join(self, owner: Hashable, question: Question) -> bool:
        """Add to a topic; tell whether it must be asked anew."""
        topic = self._topics.get(question.query)
        if topic is None:
            if len(self._topics) >= MAX_QUERIES:
                return False
            topic = self._topics[question.query] = _Topic()
        sooner = not topic.wanted or question.every_seconds < topic.every
        topic.wanted[owner] = question
        return sooner

    def _drop(self, owner: Hashable) -> None:
        for question in self._owners.get(owner, ()):
            topic = self._topics.get(question.query)
            if topic is not None:
                topic.wanted.pop(owner, None)
                if not topic.wanted:
                    del self._topics[question.query]


def _fresh(topic: _Topic, now: float) -> Vector | None:
    if topic.series is None or now - topic.asked > max(FRESH_SECONDS, FRESH_INTERVALS * topic.every):
        return None
    return Vector(topic.series, topic.number, topic.at, topic.past)
