"""Asks Prometheus what the Watches want to know: each distinct query once per interval, whoever wants it (shell).

A look never waits for Prometheus: it reads the last answer, however old. A slow Prometheus makes answers rarer and
nothing else; a slow query makes its own answers rarer, and nobody else's: it has a queue and workers of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.metrics import QUERIES, QUERY_LATE_SECONDS, QUERY_SECONDS
from hemostat.observe.kept import Room, size_of, size_of_past
from hemostat.observe.pace import SLOW_SECONDS, pause
from hemostat.observe.topic import Question, Topic
from hemostat.signals.metric import Vector
from hemostat.telemetry.answer import QueryFailed
from hemostat.telemetry.sample import Answer, History
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger(__name__)
MAX_QUERIES = 5_000
"""Distinct queries in all; the last ones to come are not asked and say so."""
BAD_QUERY = "BadQuery"
"""Reason of a problem that only another query mends."""
REFUSED_SECONDS = 60.0
"""A query that is wrong is asked so often: it may name what is yet to be recorded."""
PAST_POINTS = 1440
"""Points per series when the past is asked for, once."""
MAX_PAST = 100
"""Series whose past is used; more are learned as they come."""
PAST_KEPT = 60.0
"""Seconds that a past is kept for those who want it."""


class Source(Protocol):
    """What can be asked."""

    def instant(self, query: str) -> Answer:
        """Evaluate now."""
        ...

    def between(self, query: str, start: datetime, end: datetime, step_seconds: int) -> list[History]:
        """Evaluate over a past time."""
        ...


_SHORT = 100
"""Characters of a query that are told with its problem."""


class Poller:
    """Knows who wants what, asks for it in time, and keeps the last answers."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic, room: Room | None = None) -> None:
        self._source = source
        self._clock = clock
        self._topics: dict[str, Topic] = {}
        self._owners: dict[Hashable, tuple[Question, ...]] = {}
        self._lock = threading.Lock()
        self._room = room or Room()
        self.quick: WorkQueue[str] = WorkQueue("queries", lambda query: self._turn(self.quick, query))
        """Queries that were answered at once last time."""
        self.slow: WorkQueue[str] = WorkQueue("slow-queries", lambda query: self._turn(self.slow, query))
        """The others, those that were never asked before all: for half as many workers."""

    def want(self, owner: Hashable, questions: Sequence[Question]) -> None:
        """Have these asked from now on for `owner`, and no others."""
        wanted = tuple(questions)
        with self._lock:
            if self._owners.get(owner) == wanted:
                return
            self._drop(owner)
            self._owners[owner] = wanted
            new = [(q.query, self._queue(q.query)) for q in wanted if self._join(owner, q)]
        for query, queue in new:
            queue.add(query, first=queue is self.slow)

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
                vectors[question.query] = topic.fresh(now)
                if topic.problem is not None:
                    problems[_whose(topic.problem, question)] = None
        return vectors, list(problems)

    def bad(self, owner: Hashable) -> dict[str, str]:
        """Return the signals of `owner` whose query Prometheus will never answer, and why."""
        with self._lock:
            return {
                name: topic.problem[1]
                for question in self._owners.get(owner, ())
                if (topic := self._topics.get(question.query)) and topic.problem and topic.problem[0] == BAD_QUERY
                for name in question.signals
            }

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
        took = self._clock() - began
        QUERY_SECONDS.observe(took)
        with self._lock:
            topic.due = began + wait
        return max(0.01, wait - took)

    def _turn(self, queue: WorkQueue[str], query: str) -> float | None:
        """Ask, if it is still this queue's, and pass it on if it is not any more."""
        with self._lock:
            if self._queue(query) is not queue:
                return None
        wait = self.ask(query)
        if wait is None:
            return None
        with self._lock:
            next_ = self._queue(query)
        if next_ is queue:
            return wait
        next_.add(query, wait)
        return None

    def _queue(self, query: str) -> WorkQueue[str]:
        topic = self._topics.get(query)
        return self.slow if topic is None or topic.slow else self.quick

    def _ask(self, query: str, topic: Topic, past: Sequence[History] | None) -> float:
        asked, at = self._clock(), datetime.now(UTC).timestamp()
        try:
            answer = self._source.instant(query)
        except HemostatError as error:
            return self._failed(query, topic, error, self._clock() - asked)
        QUERIES.labels("ok" if answer.series else "empty").inc()
        with self._lock:
            self._keep(query, topic, answer)
            topic.asked, topic.at = asked, at
            topic.number += 1
            topic.empty = 0 if answer.series else topic.empty + 1
            if past is not None:
                self._keep_past(query, topic, past)
            elif topic.past and topic.past_asked is not None and asked - topic.past_asked > PAST_KEPT:
                self._keep_past(query, topic, ())
            return self._paced(topic, self._clock() - asked, failures=0, every=topic.seldom)

    def _failed(self, query: str, topic: Topic, error: HemostatError, took: float) -> float:
        refused = isinstance(error, Refused)
        QUERIES.labels("refused" if refused else "failed").inc()
        reason = BAD_QUERY if refused else "QueryFailed" if isinstance(error, QueryFailed) else "PrometheusUnavailable"
        with self._lock:
            about = "" if reason == "PrometheusUnavailable" else f": {_short(query)}"
            topic.problem = (reason, str(error)[:1000] + about)
            if isinstance(error, QueryFailed):
                return self._paced(topic, took, failures=topic.failures + 1, every=topic.every)
            if isinstance(error, Retry):  # not the query's fault
                return max(topic.every, error.delay_seconds)
            topic.series, topic.size = None, self._room.fit(topic.size, ())[1]
            return max(REFUSED_SECONDS, self._paced(topic, took, failures=0, every=topic.every))

    def _paced(self, topic: Topic, took: float, *, failures: int, every: float) -> float:
        topic.failures = failures
        topic.slow = failures > 0 or took > SLOW_SECONDS
        return pause(every, took, failures)

    def _keep(self, query: str, topic: Topic, answer: Answer) -> None:
        """Keep what there is room for, and say what is missing."""
        if self._topics.get(query) is not topic:
            return  # nobody wants it any more
        count, topic.size = self._room.fit(topic.size, map(size_of, answer.series))
        topic.series = answer.series[:count]
        topic.left_out = answer.left_out + len(answer.series) - count
        said = list(answer.warnings)
        if topic.left_out:
            said.append(f"only {count:,} of {count + topic.left_out:,} series are kept; have the query aggregate")
        topic.problem = ("PartialData", f"{'; '.join(said)}: {_short(query)}") if said else None

    def _keep_past(self, query: str, topic: Topic, past: Sequence[History]) -> None:
        if self._topics.get(query) is not topic:
            return
        sizes = [size_of_past(past)] if past else []
        count, topic.past_size = self._room.fit(topic.past_size, sizes)
        topic.past = past if count else ()

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
            topic = self._topics[question.query] = Topic()
        sooner = not topic.wanted or question.every_seconds < topic.every
        topic.wanted[owner] = question
        return sooner

    def _drop(self, owner: Hashable) -> None:
        for question in self._owners.get(owner, ()):
            topic = self._topics.get(question.query)
            if topic is not None:
                topic.wanted.pop(owner, None)
                if not topic.wanted:
                    self._room.fit(topic.size + topic.past_size, ())
                    topic.size = topic.past_size = 0
                    del self._topics[question.query]


def _whose(problem: tuple[str, str], question: Question) -> tuple[str, str]:
    """Say which signals a bad query is of: it is they who must be mended."""
    reason, message = problem
    if reason != BAD_QUERY or not question.signals:
        return problem
    return reason, f"signal {', '.join(question.signals)}: {message}"


def _short(query: str) -> str:
    """Return enough of a query for a person to know which one it is."""
    line = " ".join(query.split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"
