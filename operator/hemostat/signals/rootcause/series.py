"""Recorded time series -> the quantities in which trouble shows (pure).

A recorded metric is one already, with two that are made of pairs: what an edge takes beyond what its callee reports
(the network), and how often a service calls another per call of its own (it gives up half-way, or retries).
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hemostat.signals.rootcause.evidence import Edge, Sign
from hemostat.signals.rootcause.meaning import Direction, Meaning, Side, meaning, stem

Floats = NDArray[np.float64]
MOST = 1e100
"""Larger values are taken as this: differences and ratios must stay finite."""
LEAST = 1e-9
"""Fewer calls than this are none."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One series of a recording."""

    metric: str
    service: str
    """Of an edge, the caller."""
    peer: str
    """Of an edge, the callee; empty for a service's own metric."""
    pod: str
    times: Floats
    """Seconds since the epoch, shape (n,), ascending."""
    values: Floats
    """Shape (n,), finite."""
    meant: Meaning | None = None
    """What it says, where that is known better than from its name."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that has a usual range and may leave it."""

    sign: Sign
    direction: Direction
    service: str
    """Whom it is about; of an edge, the callee."""
    caller: str
    label: str
    """For people: what it is and whose."""
    kind: str
    """Quantities of one kind are measured alike: a move that is small beside their highest level matters little."""
    times: Floats
    values: Floats
    seconds_per_unit: float | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """All that is known of a system: quantities, the call graph, its services, and metrics nobody understood."""

    quantities: tuple[Quantity, ...]
    edges: frozenset[Edge]
    services: frozenset[str]
    unused: tuple[str, ...] = field(default=())
    """Names of metrics that were not used."""


def recording(series: Sequence[Recorded]) -> Recording:
    """Work out the quantities and the call graph of recorded series."""
    tamed = [replace(s, values=np.clip(s.values, -MOST, MOST)) for s in series]
    known = [(s, m) for s in tamed if (m := s.meant or meaning(s.metric)) is not None]
    edges = frozenset((s.service, s.peer) for s in series if s.peer)
    quantities = [*_plain(known), *_network(known), *_per_call(known, edges)]
    used = {s.metric for s, _ in known}
    return Recording(
        quantities=tuple(sorted(quantities, key=lambda q: (q.sign, q.service, q.caller, q.label))),
        edges=edges,
        services=frozenset(name for s in series for name in (s.service, s.peer) if name),
        unused=tuple(sorted({s.metric for s in series} - used)),
    )


def _plain(known: Sequence[tuple[Recorded, Meaning]]) -> Iterable[Quantity]:
    """Yield the metrics that speak for themselves.

    What a caller measured of an edge holds the network and the callee: it is used only where the callee's own
    measure is missing. What a service measured of all its own calls to others is about those others.
    """
    measured = {(s.service, s.peer) for s, m in known if _latency(m) and m.side is Side.CALLEE}
    pods = Counter((s.metric, s.service, s.peer) for s, _ in known)
    for s, m in known:
        if _latency(m) and m.side is Side.CALLER and (not s.peer or (s.service, s.peer) in measured):
            continue
        about = f"{s.service} -> {s.peer}" if s.peer else s.service
        pod = f" (pod {s.pod})" if pods[s.metric, s.service, s.peer] > 1 else ""
        caller = s.service if s.peer else ""
        yield Quantity(
            m.sign,
            m.direction,
            s.peer or s.service,
            caller,
            f"{s.metric} of {about}{pod}",
            "share" if s.meant else s.metric,
            s.times,
            s.values,
            m.seconds_per_unit,
        )


def _network(known: Sequence[tuple[Recorded, Meaning]]) -> Iterable[Quantity]:
    """Yield for each edge measured at both ends what it takes beyond its callee."""
    sides: dict[tuple[str, Edge], dict[Side, tuple[Recorded, Meaning]]] = {}
    for s, m in known:
        if s.peer and _latency(m):
            sides.setdefault((stem(s.metric), (s.service, s.peer)), {}).setdefault(m.side, (s, m))
    for (_, (caller, callee)), by in sides.items():
        if Side.CALLER not in by or Side.CALLEE not in by:
            continue
        (outer, m), (inner, other) = by[Side.CALLER], by[Side.CALLEE]
        scale = (other.seconds_per_unit or 1.0) / (m.seconds_per_unit or 1.0)
        times, a, b = paired(outer, inner)
        beyond = np.maximum(a - b * scale, 0.0)  # two quantiles: the difference of their noise may be negative
        label = f"network of {caller} -> {callee} (beyond what {callee} itself reports)"
        yield Quantity(
            Sign.NETWORK, Direction.UP, callee, caller, label, inner.metric, times, beyond, m.seconds_per_unit
        )


def _per_call(known: Sequence[tuple[Recorded, Meaning]], edges: frozenset[Edge]) -> Iterable[Quantity]:
    """Yield how often a caller calls per call of its own: by the edge's traffic, else that of a callee it has alone."""
    traffic: dict[tuple[str, Edge], Recorded] = {}
    for s, m in known:
        if m.sign is Sign.TRAFFIC:
            traffic.setdefault((s.metric, (s.service, s.peer)), s)
    metrics = sorted({metric for metric, _ in traffic})
    for (caller, callee), metric in itertools.product(sorted(edges), metrics):
        alone = sum(1 for _, other in edges if other == callee) == 1
        made = traffic.get((metric, (caller, callee))) or (traffic.get((metric, (callee, ""))) if alone else None)
        got = traffic.get((metric, (caller, "")))
        if made is None or got is None:
            continue
        times, a, b = paired(made, got)
        label = f"{callee} calls per call of {caller}"
        busy = b > LEAST
        yield Quantity(Sign.COURSE, Direction.DOWN, caller, "", label, "", times[busy], a[busy] / b[busy])


def paired(one: Recorded, other: Recorded) -> tuple[Floats, Floats, Floats]:
    """Return times of `one`, its values and the nearest values of `other`, where both have a sample close in time."""
    empty = np.empty(0)
    if not len(one.times) or not len(other.times):
        return empty, empty, empty
    right = np.clip(np.searchsorted(other.times, one.times), 1, max(1, len(other.times) - 1))
    right = np.minimum(right, len(other.times) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(np.abs(other.times[left] - one.times) <= np.abs(other.times[right] - one.times), left, right)
    close = np.abs(other.times[nearer] - one.times) <= step_of(one.times) / 2
    return one.times[close], one.values[close], other.values[nearer[close]]


def step_of(times: Floats) -> float:
    """Return the usual distance of samples in seconds, never 0; 60 where there are too few to say."""
    return max(1e-3, float(np.median(np.diff(times)))) if len(times) > 2 else 60.0


def _latency(m: Meaning) -> bool:
    return m.sign is Sign.LATENCY
