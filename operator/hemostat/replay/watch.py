"""What a Watch would have said of a past that Prometheus kept: the code that judges live, fed step by step.

Nothing is looked ahead: every step sees what a live look would have seen, and what it had learned by then.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hemostat.api.incident import SignalState, SignalStatus
from hemostat.api.watch import Watch, effective_signals
from hemostat.errors import Refused
from hemostat.replay.tracks import Tracks
from hemostat.signals import slo
from hemostat.signals.evaluate import Inputs, WatchState, look
from hemostat.signals.metric import Vector, look_back
from hemostat.signals.presets import Target, missing, rules_of
from hemostat.signals.rules import Rule, paced
from hemostat.telemetry.sample import History, Series

CHUNK_POINTS = 2_000
"""Points per series that are fetched at once."""
PAST_POINTS = 1440
MAX_STEPS = 200_000
MAX_ALARMS = 10_000


class Recorded(Protocol):
    """Where the past is kept."""

    def between(self, query: str, start: datetime, end: datetime, step_seconds: int) -> list[History]:
        """Evaluate over a past time."""
        ...


@dataclass(slots=True)
class Alarm:
    """A signal that would have fired."""

    name: str
    """Name of the signal in the Watch."""
    key: str
    subject: str
    began: datetime
    ended: datetime | None = None
    """None: it still fired at the end."""
    worst: float | None = None
    threshold: float | None = None
    """The bound, or the end of the usual band, at the worst moment."""
    unit: str = ""
    note: str = ""
    """What a person would have been told at the worst moment."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is replayed."""

    start: datetime
    end: datetime
    step_seconds: int

    @property
    def steps(self) -> int:
        """How many looks there are."""
        return int((self.end - self.start).total_seconds()) // self.step_seconds + 1


@dataclass(slots=True)
class Replayed:
    """What would have been."""

    span: Span
    alarms: list[Alarm] = field(default_factory=list)
    dropped_alarms: int = 0
    series: dict[str, int] = field(default_factory=dict)
    """Per rule (its key) the most series it ever judged; 0: Prometheus knows none."""
    dropped_series: dict[str, int] = field(default_factory=dict)
    """Per rule the most series that were left out at once, because there were too many."""
    silent: list[str] = field(default_factory=list)
    """What Prometheus has no series for; of presets, which may ask in several ways, what none of them found."""
    problems: dict[str, str] = field(default_factory=dict)
    """Per rule why it could not be asked."""
    left_out: list[str] = field(default_factory=list)
    """Signals that Prometheus cannot replay, and why."""
    tracks: Tracks = field(default_factory=lambda: Tracks(0.0, 1.0))


def replay(
    watch: Watch, source: Recorded, span: Span, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Replayed:
    """Play a past through a Watch. Raises `Refused` when there is nothing to play, `Retry` when nobody answers."""
    if span.end <= span.start:
        raise Refused("BadTime", "--from must be before --to")
    if span.steps > MAX_STEPS:
        raise Refused("TooLong", f"{span.steps:,} steps are too many; at most {MAX_STEPS:,}: use a longer --step")
    target = Target(watch.metadata.namespace or "default", watch.spec.target)
    rules = [paced(rule, float(span.step_seconds)) for rule in rules_of(watch.spec, target)]
    objectives = [(s.name, s.slo) for s in effective_signals(watch.spec) if s.slo is not None]
    if not rules and not objectives:
        raise Refused("NothingToReplay", "no signal of this Watch comes from Prometheus")
    result = Replayed(span, tracks=Tracks(span.start.timestamp(), span.end.timestamp()))
    result.left_out = list(_left_out(watch))
    result.series = {rule.key: 0 for rule in rules} | {f"{name}/slo": 0 for name, _ in objectives}
    queries = dict.fromkeys([r.query for r in rules] + [q for _, o in objectives for q in slo.queries(o)])
    _Run(watch, source, rules, list(queries), result, progress).play()
    answered = {key for key, count in result.series.items() if count} | result.problems.keys()
    result.silent = missing(rules, answered) + [k for k in (f"{n}/slo" for n, _ in objectives) if k not in answered]
    return result


class _Run:
    """One replay under way."""

    def __init__(
        self,
        watch: Watch,
        source: Recorded,
        rules: Sequence[Rule],
        queries: Sequence[str],
        result: Replayed,
        progress: Callable[[int, int], None],
    ) -> None:
        self._watch = watch
        self._source = source
        self._rules = rules
        self._queries = list(queries)
        self._result = result
        self._progress = progress
        self._open: dict[str, Alarm] = {}
        self._state = WatchState()

    def play(self) -> None:
        """Go through the time, chunk by chunk."""
        past = {query: found for query in self._queries if (found := self._past(query))}
        number = 0
        for chunk in self._chunks():
            answers = {query: self._fetch(query, chunk) for query in self._queries}
            for time, vectors in _vectors(answers, chunk, number):
                if number == 0:
                    vectors = {q: _with_past(v, past.get(q, ())) for q, v in vectors.items()}
                self._look(time, vectors)
                number += 1
            self._progress(number, self._result.span.steps)

    def _chunks(self) -> Iterator[Span]:
        span, start = self._result.span, self._result.span.start
        length = timedelta(seconds=span.step_seconds * (CHUNK_POINTS - 1))
        while start <= span.end:
            end = min(span.end, start + length)
            yield Span(start, end, span.step_seconds)
            start = end + timedelta(seconds=span.step_seconds)

    def _past(self, query: str) -> Sequence[History]:
        """Return what a live process would have learned before it began."""
        back = max((look_back(rule) for rule in self._rules if rule.query == query), default=0.0)
        if not back:
            return ()
        start, step = self._result.span.start, max(1, round(back / PAST_POINTS))
        return self._fetch(query, Span(start - timedelta(seconds=back), start - timedelta(seconds=step), step))

    def _fetch(self, query: str, span: Span) -> Sequence[History]:
        """Return what Prometheus has; a query that it refuses is a problem of its rules, and of no other."""
        if any(rule.key in self._result.problems for rule in self._rules if rule.query == query):
            return ()
        try:
            return self._source.between(query, span.start, span.end, span.step_seconds)
        except Refused as error:
            asking = [r.key for r in self._rules if r.query == query] or [self._objective(query)]
            self._result.problems |= dict.fromkeys(asking, str(error))
            return ()

    def _objective(self, query: str) -> str:
        signals = effective_signals(self._watch.spec)
        return next(f"{s.name}/slo" for s in signals if s.slo is not None and query in slo.queries(s.slo))

    def _look(self, time: float, vectors: Mapping[str, Vector | None]) -> None:
        now = datetime.fromtimestamp(time, UTC)
        seen = look(self._watch.spec, Inputs(vectors=vectors, rules=self._rules), self._state, now)
        self._state = seen.state
        for rule, judge in seen.state.judges.items():
            if judge.said is not None:
                self._result.series[rule.key] = max(self._result.series[rule.key], len(judge.said[0]))
                self._result.tracks.add(rule, judge.said, time)
            if judge.dropped:
                dropped = self._result.dropped_series
                dropped[rule.key] = max(dropped.get(rule.key, 0), judge.dropped)
        for status in seen.signals:
            if status.key.endswith("/slo") and status.value is not None:
                self._result.series[status.key] = max(self._result.series.get(status.key, 0), status.samples)
                self._result.tracks.add_value(status, time)
        self._alarms(seen.signals, seen.notes, now)

    def _alarms(self, signals: Sequence[SignalStatus], notes: Mapping[str, str], now: datetime) -> None:
        firing = {s.key: s for s in signals if s.state is SignalState.FIRING}
        for key in [k for k in self._open if k not in firing]:
            self._open.pop(key).ended = now
        for key, status in firing.items():
            if key not in self._open:
                if len(self._result.alarms) >= MAX_ALARMS:
                    self._result.dropped_alarms += 1
                    continue
                self._open[key] = Alarm(status.name, key, status.subject, now, unit=status.unit)
                self._result.alarms.append(self._open[key])
            _worsen(self._open[key], status, notes.get(key, ""))


def _worsen(alarm: Alarm, status: SignalStatus, note: str) -> None:
    if status.value is None:
        return
    value = float(status.value)
    bound = float(status.threshold) if status.threshold is not None else None
    beyond = abs(value - bound) if bound is not None else abs(value)
    before = abs(alarm.worst - (alarm.threshold or 0.0)) if alarm.worst is not None else -1.0
    if beyond > before:
        alarm.worst, alarm.threshold, alarm.note = value, bound, note


def _vectors(
    found: Mapping[str, Sequence[History]], span: Span, number: int
) -> Iterator[tuple[float, dict[str, Vector | None]]]:
    """Yield (time, vector per query) step by step."""
    times = [span.start.timestamp() + i * span.step_seconds for i in range(span.steps)]
    cells: dict[str, list[list[Series]]] = {query: [[] for _ in times] for query in found}
    for query, histories in found.items():
        for history in histories:
            for at, value in history.points:
                index = round((at - times[0]) / span.step_seconds)
                if 0 <= index < len(times):
                    cells[query][index].append(Series(history.labels, value))
    for index, time in enumerate(times):
        yield time, {q: Vector(rows[index], number + index, time) if rows[index] else None for q, rows in cells.items()}


def _with_past(vector: Vector | None, past: Sequence[History]) -> Vector | None:
    return vector and Vector(vector.series, vector.number, vector.time, past)


def _left_out(watch: Watch) -> Iterator[str]:
    for signal in effective_signals(watch.spec):
        if signal.trace is not None or signal.agent is not None:
            yield f"{signal.name}: traces are not in Prometheus"
        elif signal.workload is not None:
            yield f"{signal.name}: the API server keeps no past"
        elif signal.alert is not None:
            yield f"{signal.name}: alerts come from the Alertmanager"
        elif signal.standard is not None:
            yield f"{signal.name}: of its checks, volumes and certificates: what the pods mounted is not known"
