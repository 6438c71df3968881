"""One look of a Watch: all its signals, judged and debounced (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hemostat.api.incident import SignalSource, SignalState, SignalStatus
from hemostat.api.watch import WatchSignal, WatchSpec, effective_signals
from hemostat.signals import agent, alert, conversation, slo, trace, workload
from hemostat.signals.base import Debounced, Observation, Timing, publish, step
from hemostat.signals.course import Course, Courses
from hemostat.signals.metric import MAX_SHOWN, MetricJudge, Vector, series_key, timing
from hemostat.signals.rules import Rule
from hemostat.signals.severity import grade
from hemostat.signals.workload import Scene
from hemostat.telemetry.graph import AgentStats, EdgeStats

MAX_TRACKED = 256
"""Signals one Watch may track; edges beyond it are not judged and counted as dropped."""
GONE_SECONDS = 120.0
"""A series that is missing for so long from answers that have others is gone, as a pod that was replaced."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the shell fetched for one look."""

    vectors: Mapping[str, Vector | None] = field(default_factory=dict)
    """Per query; None, or missing, where it has no fresh answer."""
    edges: Mapping[str, Sequence[EdgeStats]] = field(default_factory=dict)
    """Per trace signal."""
    scene: Scene = field(default_factory=Scene)
    """The target and what it depends on."""
    rules: Sequence[Rule] = ()
    """What the Watch asks of Prometheus."""
    agents: Mapping[str, Sequence[AgentStats]] = field(default_factory=dict)
    """Per agent signal."""
    alerts: Mapping[str, Sequence[alert.Told]] = field(default_factory=dict)
    """Per alert signal: what the Alertmanager says of the target."""
    talk: conversation.Talk = field(default_factory=conversation.Talk)
    """What is known of conversations of the target's agents."""
    refused: str = ""
    """Which telemetry of what the Watch asks for was lately refused, and why, in words."""
    bad_queries: Mapping[str, str] = field(default_factory=dict)
    """Signals whose query Prometheus will never answer, and why."""

    @property
    def deployment(self) -> Mapping[str, Any] | None:
        """The target, whatever its kind; None if it does not exist."""
        return self.scene.target

    @property
    def pods(self) -> Sequence[Mapping[str, Any]]:
        """The target's pods."""
        return self.scene.pods


@dataclass(frozen=True, slots=True)
class WatchState:
    """What a Watch remembers between looks."""

    signals: Mapping[str, tuple[Debounced, Observation]] = field(default_factory=dict)
    """Per signal key: where it stands, and the last observation."""
    normal: Mapping[str, trace.Normal] = field(default_factory=dict)
    judges: Mapping[Rule, MetricJudge] = field(default_factory=dict)
    """Per rule: what was learned of its series."""
    courses: Courses = field(default_factory=Courses)
    """How the values went until now."""


@dataclass(frozen=True, slots=True)
class Look:
    """The outcome of one look."""

    state: WatchState
    signals: tuple[SignalStatus, ...]
    """Every signal, whatever its state."""
    notes: Mapping[str, str]
    """For a person, per signal key: what is wrong, in a sentence."""
    dropped: int
    """Signals and series not judged because there were too many."""
    traces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids of traces that show it, per signal key."""
    courses: Mapping[str, Course] = field(default_factory=dict)
    """How the value went until now, of each signal that fires, by its key."""
    lasts: bool = True
    """Whether any signal that fires was wrong in this very look, and not only a short while ago."""

    @property
    def firing(self) -> tuple[SignalStatus, ...]:
        """The signals that fire."""
        return tuple(s for s in self.signals if s.state is SignalState.FIRING)

    @property
    def fresh(self) -> bool:
        """Whether any signal rests on data."""
        return any(s.state is not SignalState.NO_DATA and s.samples > 0 for s in self.signals)


Judged = tuple[Observation, Timing]


def look(spec: WatchSpec, inputs: Inputs, old: WatchState, now: datetime) -> Look:
    """Judge every signal of the Watch once."""
    judges = {rule: old.judges.get(rule) or MetricJudge(rule) for rule in inputs.rules}
    normal = dict(old.normal)
    judged = list(_metrics(inputs, judges, old))
    for signal in effective_signals(spec):
        judged += _of(signal, inputs, normal, now)
    seen = {observation.key for observation, _ in judged}
    answered = {rule.key for rule in inputs.rules if (vector := inputs.vectors.get(rule.query)) and vector.series}
    for key, (tracked, last) in old.signals.items():
        if key not in seen and tracked.state is not SignalState.CLEAR:
            judged.append(_vanished(tracked, last, answered, now))
    # calls can be made up by anybody: they must crowd out neither what the API server says nor edges long known
    judged.sort(key=lambda j: _rank(j[0], old, seen))
    states: dict[str, tuple[Debounced, Observation]] = {}
    published = []
    for observation, how_long in judged[:MAX_TRACKED]:
        before, _ = old.signals.get(observation.key, (Debounced(), observation))
        after = step(how_long, before, observation, now)
        states[observation.key] = after, observation
        shown = after.shown(observation)
        published.append(publish(shown, after, now, grade(shown)))
    _note(old.courses, inputs, [o for o, _ in judged[:MAX_TRACKED]], now)
    return Look(
        state=WatchState(states, _bounded(normal), judges, old.courses),
        signals=tuple(published),
        notes={o.key: o.note for o, _ in judged[:MAX_TRACKED] if o.note},
        traces={o.key: o.traces for o, _ in judged[:MAX_TRACKED] if o.traces},
        courses={k: _course(old.courses, o, now) for k, (d, o) in states.items() if d.state is SignalState.FIRING},
        dropped=max(0, len(judged) - MAX_TRACKED) + sum(judge.dropped for judge in judges.values()),
        lasts=any(d.state is SignalState.FIRING and d.right_since is None for d, _ in states.values()),
    )


def _metrics(inputs: Inputs, judges: Mapping[Rule, MetricJudge], old: WatchState) -> Iterator[Judged]:
    tracked = {k for k, (d, _) in old.signals.items() if d.state is not SignalState.CLEAR or d.wrong_since is not None}
    for rule, judge in judges.items():
        for observation in judge.judge(inputs.vectors.get(rule.query), tracked):
            silent = observation.wrong is None and observation.samples == 0
            if rule.expected or not silent or observation.key in tracked:
                yield observation, timing(rule)


def _of(signal: WatchSignal, inputs: Inputs, normal: dict[str, trace.Normal], now: datetime) -> Iterator[Judged]:
    """Judge what does not come as the vector of a rule; `normal` learns."""
    if signal.trace is not None:
        observations, learned = trace.judge(signal.name, signal.trace, inputs.edges.get(signal.name, ()), normal, now)
        normal |= learned
        yield from ((observation, trace.timing(observation)) for observation in observations)
    elif signal.workload is not None:
        how_long = workload.timing(signal.workload)
        yield from ((o, how_long) for o in workload.judge(signal.name, inputs.scene, now))
    elif signal.slo is not None:
        yield slo.observe(signal.name, signal.slo, inputs.vectors), slo.TIMING
    elif signal.alert is not None:
        yield from ((o, alert.TIMING) for o in alert.judge(signal.name, inputs.alerts.get(signal.name, ())))
    elif signal.agent is not None:
        observations, learned = agent.judge(signal.name, signal.agent, inputs.agents.get(signal.name, ()), normal, now)
        normal |= learned
        yield from ((observation, agent.TIMING) for observation in observations)
    elif signal.conversation is not None:
        found = conversation.judge(signal.name, signal.conversation, inputs.talk, now)
        yield from ((observation, conversation.TIMING) for observation in found)


def _note(courses: Courses, inputs: Inputs, seen: Sequence[Observation], now: datetime) -> None:
    """Note the values of what was judged, and of series before they are wrong: then each has a key of its own."""
    time = now.timestamp()
    for observation in seen:
        if observation.wrong is not None and observation.value is not None:
            courses.note(observation.key, time, observation.value)
    for rule in inputs.rules:
        vector = inputs.vectors.get(rule.query)
        if vector is not None and len(vector.series) <= MAX_SHOWN and courses.anew(rule.key, vector.number):
            for one in vector.series:
                courses.note(series_key(rule, one), time, one.value)


def _course(courses: Courses, of: Observation, now: datetime) -> Course:
    low, high = of.usual
    if of.usual == (None, None) and of.threshold is not None and of.value is not None:
        low, high = (None, of.threshold) if of.value >= of.threshold else (of.threshold, None)
    return Course(courses.of(of.key, now.timestamp()), low, high, of.unit)


def _vanished(tracked: Debounced, last: Observation, answered: set[str], now: datetime) -> Judged:
    """What is no longer there is silent, not well; but a series that Prometheus no longer has is gone for good."""
    silent = tracked.silent_since is not None and now - tracked.silent_since >= timedelta(seconds=GONE_SECONDS)
    gone = silent and last.key.split("{", 1)[0] in answered
    return replace(last, wrong=False if gone else None, samples=0), Timing(0, 0)


def _rank(observation: Observation, old: WatchState, seen: set[str]) -> int:
    if observation.source is not SignalSource.TRACES:
        return 0
    if observation.key not in seen:
        return 3
    return 1 if observation.key in old.signals else 2


def _bounded(normal: Mapping[str, trace.Normal]) -> Mapping[str, trace.Normal]:
    """Keep what was learned last, and longest."""
    if len(normal) <= MAX_TRACKED:
        return normal
    return dict(sorted(normal.items(), key=lambda item: (item[1].observed_time, item[1].looks))[-MAX_TRACKED:])
