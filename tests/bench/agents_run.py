"""Streams of the world of agents through the normaliser and the detectors, as the product would have them."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace

from agents_peers import Alarm, peers
from agents_visible import Shows, shown
from agentworld.case import Case, finish
from agentworld.encode import exports
from agentworld.render import Record
from agentworld.sets import NORMS, SetSpec, groups
from agentworld.truth import Truth
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.verdict import Verdict
from hemostat.telemetry.steps import Step, of_logs, of_traces

WORKERS = max(2, os.cpu_count() or 2)
AFTERWARDS = 30
"""Seconds for which is looked on after the last request."""
Batch = tuple[float, str, bytes]
"""When a request arrives, whether it is of traces or logs, and its bytes."""
Distort = Callable[[list[Record]], list[Record]]


@dataclass(slots=True)
class Told:
    """A conversation, what was told of it when, and what the peers' rules would have said at which tool call."""

    truth: Truth
    verdicts: list[tuple[float, Verdict]] = field(default_factory=list)
    peers: dict[str, Alarm | None] = field(default_factory=dict)
    shows: Shows | None = None
    """What tells the members of its pair apart, as far as it is told; None without a pair."""


def batches(records: Iterable[Record]) -> list[Batch]:
    """Return the requests of records that are sorted by arrival."""
    return [(e.arrival, e.signal, e.body()) for e in exports(records)]


def detector() -> Detector:
    """Return a detector that knows the norms of this estate, as settings would tell it."""
    return Detector(conversations=2_000, turns=NORMS["turns"], windows=NORMS["windows"])


def steps(batch: Batch) -> Iterator[Step]:
    """Return what a request tells of."""
    _, signal, body = batch
    if signal == "traces":
        return of_traces(ExportTraceServiceRequest.FromString(body))
    return of_logs(ExportLogsServiceRequest.FromString(body))


def run(truths: Iterable[Truth], requests: Iterable[Batch]) -> list[Told]:
    """Feed requests, look once a second, and return what was told of each conversation."""
    found = detector()
    told = [Told(truth) for truth in truths]
    names = {name: one for one in told for name in (one.truth.session, *one.truth.traces) if name}
    clock = 0.0

    def note(now: float, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            for name in verdict.conversations or (verdict.conversation,):
                if name in names:
                    names[name].verdicts.append((now, verdict))

    seen: list[Step] = []
    for batch in requests:
        now, some = batch[0], list(steps(batch))
        seen += some
        clock = clock or now
        while clock + 1.0 < now:
            clock += 1.0
            note(clock, found.look(clock))
        note(now, found.take(some, now))
    for second in range(1, AFTERWARDS + 1):
        note(clock + second, found.look(clock + second))
    shows = shown([one.truth for one in told], seen)
    for one in told:
        one.shows = shows.get(one.truth.pair)
    return told


def run_set(spec: SetSpec, distort: Distort | None = None, most: int = 0, *, with_peers: bool = False) -> list[Told]:
    """Run a set, or its first `most` groups, each group with a detector of its own, in several processes."""
    waiting: list[Future[list[Told]]] = []
    told: list[Told] = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for number, group in enumerate(groups(spec), 1):
            records = group.records()
            requests = batches(records if distort is None else distort(records))
            inside = [batches(_inside(case).records()) for case in group.cases] if with_peers else []
            waiting.append(pool.submit(_job, [case.truth for case in group.cases], requests, inside))
            if number == most:
                break
            while len(waiting) > 2 * WORKERS:
                told += waiting.pop(0).result()
        for future in waiting:
            told += future.result()
    return told


def _inside(case: Case) -> Case:
    """Return the conversation as a rule inside the process sees it: all content, nothing lost."""
    return finish(case.truth, case.spans, replace(case.setting, convention="otel", content=True, guard=False))


def _job(truths: list[Truth], requests: list[Batch], inside: list[list[Batch]]) -> list[Told]:
    told = run(truths, requests)
    for one, stream in zip(told, inside, strict=False):
        one.peers = peers(step for batch in stream for step in steps(batch))
    return told
