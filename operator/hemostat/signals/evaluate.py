"""One look of a Watch: all its signals, judged and debounced (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hemostat.api.incident import SignalSource, SignalState, SignalStatus
from hemostat.api.watch import WatchSpec, effective_signals
from hemostat.signals import metric, trace, workload
from hemostat.signals.base import Debounced, Observation, Timing, publish, step
from hemostat.signals.workload import Scene
from hemostat.telemetry.sample import Series
from hemostat.telemetry.window import EdgeStats

MAX_TRACKED = 256
"""Signals one Watch may track; edges beyond it are not judged and counted as dropped."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the shell fetched for one look."""

    vectors: Mapping[str, Sequence[Series] | None]
    """Per metric signal; None where the query failed."""
    edges: Mapping[str, Sequence[EdgeStats]]
    """Per trace signal."""
    scene: Scene
    """The target and what it depends on."""

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


@dataclass(frozen=True, slots=True)
class Look:
    """The outcome of one look."""

    state: WatchState
    signals: tuple[SignalStatus, ...]
    """Every signal, whatever its state."""
    notes: Mapping[str, str]
    """More for a person, per signal key."""
    dropped: int
    """Signals not judged because there were too many."""

    @property
    def firing(self) -> tuple[SignalStatus, ...]:
        """The signals that fire."""
        return tuple(s for s in self.signals if s.state is SignalState.FIRING)

    @property
    def fresh(self) -> bool:
        """Whether any signal rests on data."""
        return any(s.state is not SignalState.NO_DATA and s.samples > 0 for s in self.signals)


def look(spec: WatchSpec, inputs: Inputs, old: WatchState, now: datetime) -> Look:
    """Judge every signal of the Watch once."""
    judged, normal = _judge(spec, inputs, old, now)
    seen = {observation.key for observation, _ in judged}
    for key, (tracked, last) in old.signals.items():
        if key not in seen and tracked.state is not SignalState.CLEAR:
            # an edge that vanished is silent, not well
            judged.append((replace(last, wrong=None, samples=0), Timing(0, 0)))
    # calls can be made up by anybody: they must crowd out neither what the API server says nor edges long known
    judged.sort(key=lambda j: _rank(j[0], old, seen))
    states: dict[str, tuple[Debounced, Observation]] = {}
    published = []
    for observation, timing in judged[:MAX_TRACKED]:
        before, _ = old.signals.get(observation.key, (Debounced(), observation))
        after = step(timing, before, observation, now)
        states[observation.key] = after, observation
        published.append(publish(observation, after, now))
    return Look(
        state=WatchState(states, _bounded(normal)),
        signals=tuple(published),
        notes={o.key: o.note for o, _ in judged[:MAX_TRACKED] if o.note},
        dropped=max(0, len(judged) - MAX_TRACKED),
    )


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


def _judge(
    spec: WatchSpec, inputs: Inputs, old: WatchState, now: datetime
) -> tuple[list[tuple[Observation, Timing]], Mapping[str, trace.Normal]]:
    judged: list[tuple[Observation, Timing]] = []
    normal = dict(old.normal)
    for signal in effective_signals(spec):
        if signal.metric is not None:
            observation = metric.judge(signal.name, signal.metric, inputs.vectors.get(signal.name))
            judged.append((observation, metric.timing(signal.metric)))
        elif signal.trace is not None:
            edges = inputs.edges.get(signal.name, ())
            observations, normal = trace.judge(signal.name, signal.trace, edges, normal, now)
            judged += [(observation, trace.TIMING) for observation in observations]
        elif signal.workload is not None:
            timing = workload.timing(signal.workload)
            judged += [(o, timing) for o in workload.judge(signal.name, inputs.scene, now)]
    return judged, normal
