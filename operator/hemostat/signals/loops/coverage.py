"""How much of what agents do arrives: sampled, truncated, or told with open spans and content (pure; one thread).

Head samplers (`traceidratio`) keep a trace by its id, which is random: Python's and Go's keep low values of the last
64 bits, Java's those near to zero as signed numbers, consistent sampling (threshold `th`) high values of the last 56.
Ids of which none is beyond a share of the range were sampled by that share, or by chance: share ** traces. Others
(JavaScript's, which folds the id; tail sampling) leave no such trace.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hemostat.signals.loops.cells import Cells
from hemostat.telemetry.steps import Identity, Step

MOST_SERVICES, MOST_TRACES, MOST_SPANS, LAST_TRACES = 500, 1_000, 256, 256
LEAST_TRACES, CHANCE = 20, 1e-10
EVEN = 4.0
"""Standard deviations by which the mean of ids may be off the middle."""
SETTLE_SECONDS = 15.0
"""After a trace's root arrived, for the rest of it."""
LEAST_SPANS, LEAST_MISSING = 100, 0.05
TOLD_SECONDS = 600.0
"""Open spans or content that came so lately come."""
_SERVER, _CONSUMER = 2, 5
"""Their parents are in other services, and may be nobody's who sends them here."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of a service's telemetry."""

    share: float | None = None
    """Of traces, those that arrive; None: nothing shows that any are missing."""
    missing: float = 0.0
    """Share of spans whose parent is missing though their trace is over; 0 where it is too small to tell."""
    opened: bool = False
    """Whether open spans are told of."""
    displaced: bool = False
    """Whether there were more open spans than can be kept, of all senders together."""
    content: bool = False
    """Whether content is sent."""
    inferences: int = 0
    """Told of by spans within ten minutes."""
    metered: float | None = None
    """The same by GenAI metrics, where there are some."""


@dataclass(slots=True)
class _Service:
    ids: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    checked: Cells = field(default_factory=lambda: Cells(60.0, 61))
    missing: Cells = field(default_factory=lambda: Cells(60.0, 61))
    opened: float = float("-inf")
    content: float = float("-inf")


@dataclass(slots=True)
class _Trace:
    spans: set[bytes] = field(default_factory=set)
    inner: list[tuple[str, bytes]] = field(default_factory=list)
    """Service and parent of spans whose parent is in the same process."""
    root: str = ""
    ended: float | None = None
    """When the root arrived."""


class Coverages:
    """What is known of the services that told of something last."""

    def __init__(self) -> None:
        self._services: OrderedDict[str, _Service] = OrderedDict()
        self._traces: OrderedDict[bytes, _Trace] = OrderedDict()

    def spans(self, spans: Sequence[Identity], now: float) -> None:
        """Take ended spans, steps of agents or not."""
        for one in spans:
            ids = self._service(one.service).ids
            ids[one.trace] = None
            ids.move_to_end(one.trace)
            if len(ids) > LAST_TRACES:
                ids.popitem(last=False)
            self._put(one, now)
        self._settle(now)

    def step(self, step: Step, now: float) -> None:
        """Take a step, open or ended."""
        service = self._service(step.service)
        if step.ended is None:
            service.opened = now
        if step.arguments is not None:
            service.content = now

    def of(self, name: str, now: float) -> Coverage:
        """Return what is known of a service."""
        service = self._services.get(name)
        if service is None:
            return Coverage()
        checked = sum(service.checked.last(3600, now))
        missing = sum(service.missing.last(3600, now)) / checked if checked >= LEAST_SPANS else 0.0
        return Coverage(
            share=sampled(list(service.ids)),
            missing=missing if missing >= LEAST_MISSING else 0.0,
            opened=now - service.opened <= TOLD_SECONDS,
            content=now - service.content <= TOLD_SECONDS,
        )

    def _put(self, one: Identity, now: float) -> None:
        trace = self._traces.setdefault(one.trace, _Trace())
        if len(self._traces) > MOST_TRACES:
            self._traces.popitem(last=False)
        if len(trace.spans) >= MOST_SPANS:
            return
        trace.spans.add(one.span)
        if not one.parent:
            trace.root, trace.ended = one.service, now
            self._traces.move_to_end(one.trace)
        elif one.kind not in (_SERVER, _CONSUMER):
            trace.inner.append((one.service, one.parent))

    def _settle(self, now: float) -> None:
        over = [
            t for t, trace in self._traces.items() if trace.ended is not None and now - trace.ended > SETTLE_SECONDS
        ]
        for key in over:
            trace = self._traces.pop(key)
            if len(trace.spans) >= MOST_SPANS:
                continue
            inner = [parent for service, parent in trace.inner if service == trace.root]
            service = self._service(trace.root)
            service.checked.add(len(inner), now)
            service.missing.add(sum(parent not in trace.spans for parent in inner), now)

    def _service(self, name: str) -> _Service:
        service = self._services.get(name)
        if service is None:
            service = self._services[name] = _Service()
            if len(self._services) > MOST_SERVICES:
                self._services.popitem(last=False)
        else:
            self._services.move_to_end(name)
        return service


def sampled(ids: Sequence[bytes]) -> float | None:
    """Return the share of traces that a head sampler kept, estimated from their ids; None if none shows."""
    if len(ids) < LEAST_TRACES:
        return None
    for place in _PLACES:
        found = [place(trace) for trace in ids]
        most, n = max(found), len(found)
        # Even below the share: ids that are no random numbers in full (UUIDs) are not, nor those of two samplers.
        even = abs(sum(found) / n - most / 2) < EVEN * most / (12 * n) ** 0.5
        if even and most**n < CHANCE:
            return min(1.0, most * (n + 1) / n)
    return None


def _low(trace: bytes) -> float:
    return int.from_bytes(trace[-8:], "big") / 2.0**64


def _near_zero(trace: bytes) -> float:
    low = _low(trace)
    return 2 * min(low, 1 - low)


def _high(trace: bytes) -> float:
    return 1 - int.from_bytes(trace[-7:], "big") / 2.0**56


_PLACES: tuple[Callable[[bytes], float], ...] = (_low, _near_zero, _high)
"""Where an id is in its range, from the end that a sampler keeps."""
