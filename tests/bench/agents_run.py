"""Streams of the world of agents through the normaliser and the detectors, as the product would have them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from agentworld.encode import exports
from agentworld.render import Record
from agentworld.sets import NORMS, Group
from agentworld.truth import Truth
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.verdict import Verdict
from hemostat.telemetry.steps import Step, of_logs, of_traces

Batch = tuple[float, str, bytes]
"""When a request arrives, whether it is of traces or logs, and its bytes."""
Distort = Callable[[list[Record]], list[Record]]


@dataclass(slots=True)
class Told:
    """A conversation, and what was told of it when."""

    truth: Truth
    verdicts: list[tuple[float, Verdict]] = field(default_factory=list)


def batches(group: Group, distort: Distort | None = None) -> list[Batch]:
    """Return a group's requests in the order of arrival."""
    records = group.records()
    return [(e.arrival, e.signal, e.body()) for e in exports(records if distort is None else distort(records))]


def detector() -> Detector:
    """Return a detector that knows the norms of this estate, as settings would tell it."""
    return Detector(conversations=5_000, turns=NORMS["turns"], windows=NORMS["windows"])


def steps(batch: Batch) -> Iterator[Step]:
    """Return what a request tells of."""
    _, signal, body = batch
    if signal == "traces":
        return of_traces(ExportTraceServiceRequest.FromString(body))
    return of_logs(ExportLogsServiceRequest.FromString(body))


def run(truths: Iterable[Truth], requests: Iterable[Batch], found: Detector) -> list[Told]:
    """Feed requests, look once a second, and return what was told of each conversation."""
    told = [Told(truth) for truth in truths]
    names = {name: one for one in told for name in (one.truth.session, *one.truth.traces) if name}
    clock = 0.0

    def note(now: float, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            for name in verdict.conversations or (verdict.conversation,):
                if name in names:
                    names[name].verdicts.append((now, verdict))

    for batch in requests:
        now = batch[0]
        clock = clock or now
        while clock + 1.0 < now:
            clock += 1.0
            note(clock, found.look(clock))
        note(now, found.take(steps(batch), now))
    for second in range(1, 31):
        note(clock + second, found.look(clock + second))
    return told
