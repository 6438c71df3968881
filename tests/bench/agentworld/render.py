"""From what the SDK saw to what leaves the pods: spans when they have ended, events of the guard at once.

A span is exported by its pod's batch processor, after it ended; one that never ends never is. The guard reports what
is open in log events: at the start, every five seconds while it is open, at the end. Each pod's clock is a little off.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .conventions import CONVENTIONS, Attributes, Shape, Value, call_shape, wait_shape
from .conventions.shape import ERRORS
from .dice import between, seed_of
from .probe import Span
from .setting import SESSIONS, SPLIT, Setting

FLUSH = 5.0
"""Seconds between exports of a batch span processor, the SDK's default."""
HEARTBEAT = 5.0
"""Seconds between two events about a span that stays open."""
Pairs = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One span or one event of the guard on its way. Times in ns since 1970 by the pod's clock; `arrival` true seconds.

    `end` is 0 for events. `event` is "" for spans. `resource` belongs to the pod. `links`: turns before.
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
    links: tuple[tuple[bytes, bytes], ...] = ()


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
        self._own: dict[int, bytes] = {}

    def records(self) -> Iterator[Record]:
        """Every record."""
        for number, span in enumerate(self.spans):
            shapes = self._shapes(span)
            above = [at for at, shape in enumerate(shapes) if shape.above]
            own = [at for at, shape in enumerate(shapes) if not shape.above]
            self._own[number] = self._id(number, own[0]) if own else b""
            parent = self._parent(number, span)
            for at in above + own:
                yield from self._shape(number, span, at, shapes[at], parent)
                parent = self._id(number, at)

    def _shapes(self, span: Span) -> list[Shape]:
        if span.operation == "wait":
            return [wait_shape(span, self.setting)] if self.setting.guard else []
        shapes = self.convention(span, self.setting)
        if self.setting.guard and span.waits:
            shapes.insert(0, call_shape(span, self.setting))
        return shapes

    def _shape(self, number: int, span: Span, at: int, shape: Shape, parent: bytes) -> Iterator[Record]:
        pod = self._pod(span, shape)
        start = span.start + shape.inside
        end = None if span.end is None else max(span.end - shape.inside, start)
        full = shape.first | shape.last
        waits = "hemostat.wait.for" in full
        scope = "hemostat.guard" if waits else f"agents.{self.setting.convention}"
        base = Record(
            arrival=0.0,
            resource=pod.resource,
            scope=scope,
            event="",
            name=shape.name,
            kind=shape.kind,
            trace=self.trace(number),
            span=self._id(number, at),
            parent=parent,
            start=_ns(start + pod.skew),
            end=0,
            attributes=(),
        )
        if self.setting.guard and not shape.remote and (waits or _watched(full)):
            yield from self._events(base, pod, span, shape, start, end)
        if end is not None:
            error = ERRORS[span.failure][1] if span.failure else ""
            attributes = tuple((full | self._holder(span, end)).items())
            arrival, stamp = _flush(end, pod), _ns(end + pod.skew)
            links = self._links(number) if parent == b"" else ()
            yield replace(base, arrival=arrival, end=stamp, attributes=attributes, error=error, links=links)

    def _events(
        self, base: Record, pod: _Pod, span: Span, shape: Shape, start: float, end: float | None
    ) -> Iterator[Record]:
        own: Attributes = {
            "hemostat.span.name": base.name,
            "hemostat.span.kind": base.kind,
            "hemostat.span.start_time_unix_nano": base.start,
        }
        if base.parent:
            own["hemostat.span.parent_id"] = base.parent.hex()
        yield self._event(base, pod, "start", start, shape.first | own | self._holder(span, start))
        late = shape.last if self.setting.convention == "adk" else {}
        beat = start + HEARTBEAT
        while beat < (self.end if end is None else end):
            yield self._event(base, pod, "heartbeat", beat, shape.first | late | own | self._holder(span, beat))
            beat += HEARTBEAT
        if end is not None:
            own["hemostat.span.end_time_unix_nano"] = _ns(end + pod.skew)
            own["hemostat.span.status"] = "error" if span.failure else "ok"
            yield self._event(base, pod, "end", end, shape.first | shape.last | own | self._holder(span, end))

    def _event(self, base: Record, pod: _Pod, what: str, at: float, attributes: Attributes) -> Record:
        return replace(
            base,
            arrival=math.ceil(at + 0.1) + 0.02,
            scope="hemostat.guard",
            event=f"hemostat.span.{what}",
            name="",
            parent=b"",
            start=_ns(at + pod.skew),
            attributes=tuple(attributes.items()),
        )

    def _holder(self, span: Span, at: float) -> Attributes:
        known = [name for since, name in span.holders if since <= at]
        if not known:
            return {}
        found: Attributes = {"hemostat.wait.holder": known[-1]}
        if self.setting.identity in SESSIONS:
            found["hemostat.wait.holder_conversation"] = self.setting.session if known[-1] else ""
        return found

    def _parent(self, number: int, span: Span) -> bytes:
        if span.parent is None or (self._split() and self.head(number) == number):
            return b""
        return self._own[span.parent]

    def _links(self, number: int) -> tuple[tuple[bytes, bytes], ...]:
        if self.setting.identity != "links" or not number:
            return ()
        earlier = max(head for head in range(number) if self.head(head) == head)
        return ((self.trace(earlier), self._own[earlier]),)

    def _split(self) -> bool:
        return self.setting.identity in SPLIT

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
        if shape.above and span.parent is not None:
            span = self.spans[span.parent]
        service = setting.app if setting.together or not span.agent else f"{setting.app}-{span.agent}"
        if shape.remote:
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


def _watched(attributes: Attributes) -> bool:
    """Whether the guard tells of such a span: one of an agent, a tool or a model, by any convention."""
    return (
        "gen_ai.operation.name" in attributes
        or attributes.get("openinference.span.kind") in ("AGENT", "TOOL", "LLM")
        or attributes.get("traceloop.span.kind") in ("agent", "tool", "workflow")
    )


def _flush(end: float, pod: _Pod) -> float:
    tick = math.ceil((end - pod.phase) / FLUSH)
    return tick * FLUSH + pod.phase + between(0.01, 0.2, pod.seed, tick % 1000)


def _ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000


def _bytes(seed: int, what: str, number: int) -> bytes:
    return seed_of(seed, what, number).to_bytes(8, "big")
