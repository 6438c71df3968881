"""From what the SDK saw to what leaves the pods: spans when they have ended, events of the guard at once.

A span is exported by its pod's batch processor, after it ended; one that never ends never is. The guard reports what
is open in log events: at the start, every ten seconds while it is open, at the end. Each pod's clock is a little off.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .conventions import CONVENTIONS, Attributes, Shape, Value, wait_shape
from .conventions.shape import ERRORS
from .dice import between, seed_of
from .probe import Span
from .setting import Setting

FLUSH = 5.0
"""Seconds between exports of a batch span processor, the SDK's default."""
HEARTBEAT = 10.0
Pairs = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One span or one event of the guard on its way. Times in ns since 1970 by the pod's clock; `arrival` true seconds.

    `end` is 0 for events. `event` is "" for spans. `resource` belongs to the pod.
    """

    arrival: float
    resource: Pairs
    scope: str
    event: str
    name: str
    kind: str
    trace: bytes
    span: bytes
    parent: bytes
    start: int
    end: int
    attributes: Pairs
    error: str = ""


def render(spans: list[Span], setting: Setting, end: float) -> list[Record]:
    """Return all records of a conversation observed until `end`, in the order of arrival."""
    renderer = _Renderer(spans, setting, end)
    return sorted(renderer.records(), key=lambda record: (record.arrival, record.start, record.span, record.event))


def traces_of(spans: list[Span], setting: Setting) -> tuple[str, ...]:
    """Return the ids of all traces of the conversation, in hex."""
    renderer = _Renderer(spans, setting, 0.0)
    return tuple(sorted({renderer.trace(number).hex() for number in range(len(spans))}))


@dataclass(frozen=True, slots=True)
class _Pod:
    resource: Pairs
    phase: float
    skew: float
    seed: int


class _Renderer:
    def __init__(self, spans: list[Span], setting: Setting, end: float) -> None:
        self.spans, self.setting, self.end = spans, setting, end
        self.convention = CONVENTIONS[setting.convention]
        self._pods: dict[tuple[str, int], _Pod] = {}
        self._heads: dict[int, int] = {}
        self._called: set[int] = set()

    def records(self) -> Iterator[Record]:
        """Every record."""
        for number, span in enumerate(self.spans):
            shapes = self._shapes(span)
            if len(shapes) > 1 and shapes[1].above:
                self._called.add(number)
            for at, shape in enumerate(shapes):
                yield from self._shape(number, span, at, shape)

    def _shapes(self, span: Span) -> list[Shape]:
        if span.operation == "wait":
            return [wait_shape(span, self.setting)] if self.setting.guard else []
        return self.convention(span, self.setting)

    def _shape(self, number: int, span: Span, at: int, shape: Shape) -> Iterator[Record]:
        pod = self._pod(span, shape)
        start = span.start + shape.inside
        end = None if span.end is None else max(span.end - shape.inside, start)
        parent = self._above(number, span, at)
        base = Record(
            0.0,
            pod.resource,
            self._scope(),
            "",
            shape.name,
            shape.kind,
            self.trace(number),
            self._id(number, at),
            parent,
            _ns(start + pod.skew),
            0,
            (),
            "",
        )
        first = shape.first
        if self.setting.guard and span.waits and at == 0 and span.operation == "agent":
            waits: Attributes = {"hemostat.wait.for": span.agent, "hemostat.wait.kind": "agent"}
            first = first | waits | {"hemostat.wait.mode": span.waits}
        if self.setting.guard and at == 0 and span.operation in ("agent", "tool", "chat", "wait"):
            yield from self._events(base, pod, span, first, first | shape.last, start, end)
        if end is not None:
            error = ERRORS[span.failure][1] if span.failure else ""
            yield _with(base, _flush(end, pod), "", _ns(end + pod.skew), tuple((first | shape.last).items()), error)

    def _events(
        self, base: Record, pod: _Pod, span: Span, first: Attributes, full: Attributes, start: float, end: float | None
    ) -> Iterator[Record]:
        own: Attributes = {
            "hemostat.span.name": base.name,
            "hemostat.span.kind": base.kind,
            "hemostat.span.start_time_unix_nano": base.start,
        }
        if base.parent:
            own["hemostat.span.parent_id"] = base.parent.hex()
        yield self._event(base, pod, "start", start, first | own | _holder(span, start))
        known = full if self.setting.convention == "adk" else first
        beat = start + HEARTBEAT
        while beat < (self.end if end is None else end):
            yield self._event(base, pod, "heartbeat", beat, known | own | _holder(span, beat))
            beat += HEARTBEAT
        if end is not None:
            own["hemostat.span.end_time_unix_nano"] = _ns(end + pod.skew)
            own["hemostat.span.status"] = "error" if span.failure else "ok"
            yield self._event(base, pod, "end", end, full | own | _holder(span, end))

    def _event(self, base: Record, pod: _Pod, what: str, at: float, attributes: Attributes) -> Record:
        arrival = math.ceil(at) + 0.02
        stamp = _ns(at + pod.skew)
        return Record(
            arrival,
            pod.resource,
            "hemostat.guard",
            f"hemostat.span.{what}",
            "",
            base.kind,
            base.trace,
            base.span,
            b"",
            stamp,
            0,
            tuple(attributes.items()),
        )

    def _above(self, number: int, span: Span, at: int) -> bytes:
        if number in self._called:
            return self._parent(number, span) if at else self._id(number, 1)
        return self._id(number, at - 1) if at else self._parent(number, span)

    def _scope(self) -> str:
        return f"agents.{self.setting.convention}"

    def _parent(self, number: int, span: Span) -> bytes:
        if span.parent is None or (self._split() and self.head(number) == number):
            return b""
        return self._id(span.parent, 0)

    def _split(self) -> bool:
        return self.setting.identity == "turns"

    def head(self, number: int) -> int:
        """Return the span that begins the trace: the conversation's first, or the turn right below it."""
        if number in self._heads:
            return self._heads[number]
        parent = self.spans[number].parent
        found = number if parent is None or (self._split() and parent == 0) else self.head(parent)
        self._heads[number] = found
        return found

    def trace(self, number: int) -> bytes:
        """Return the trace id of a span."""
        head = self.head(number)
        return _bytes(self.setting.seed, "trace", head) + _bytes(self.setting.seed, "trace low", head)

    def _id(self, number: int, at: int) -> bytes:
        return _bytes(self.setting.seed, "span", number * 4 + at)

    def _pod(self, span: Span, shape: Shape) -> _Pod:
        setting = self.setting
        service = setting.app if setting.together or not span.agent else f"{setting.app}-{span.agent}"
        if shape.remote and not (setting.together and shape.above):
            service = f"{setting.app}-{shape.remote}"
        turn = 0 if setting.together else span.turn
        replica = int(between(0, setting.replicas, setting.seed, 11, turn, len(shape.remote)))
        key = (service, replica)
        if key not in self._pods:
            self._pods[key] = _pod(setting, service, replica)
        return self._pods[key]


def _pod(setting: Setting, service: str, replica: int) -> _Pod:
    seed = seed_of(setting.app, service, replica)
    name = f"{service}-{seed % 0xFFFFF:05x}-{replica}"
    resource: Pairs = (
        ("service.name", service),
        ("service.instance.id", f"{seed:016x}"),
        ("k8s.namespace.name", setting.app),
        ("k8s.pod.name", name),
        ("telemetry.sdk.language", "python"),
    )
    return _Pod(resource, between(0, FLUSH, seed, 1), between(-setting.skew, setting.skew, seed, 2), seed)


def _holder(span: Span, at: float) -> Attributes:
    known = [name for since, name in span.holders if since <= at]
    return {"hemostat.wait.holder": known[-1]} if known else {}


def _flush(end: float, pod: _Pod) -> float:
    tick = math.ceil((end - pod.phase) / FLUSH)
    return tick * FLUSH + pod.phase + between(0.01, 0.2, pod.seed, tick % 1000)


def _with(base: Record, arrival: float, event: str, end: int, attributes: Pairs, error: str) -> Record:
    return Record(
        arrival,
        base.resource,
        base.scope,
        event,
        base.name,
        base.kind,
        base.trace,
        base.span,
        base.parent,
        base.start,
        end,
        attributes,
        error,
    )


def _ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000


def _bytes(seed: int, what: str, number: int) -> bytes:
    return seed_of(seed, what, number).to_bytes(8, "big")
