"""Steps a second on one core and memory per open conversation, as JSON; `agents.py` runs it in a process of its own."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from agents_run import Batch, batches, steps
from agentworld.sets import SETS, groups

from hemostat.signals.loops.bank import Bank
from hemostat.signals.loops.detect import Detector
from hemostat.telemetry.steps import Basis, Step

COPIES, CONVERSATIONS, EACH = 10, 1_000_000, 3
BATCH, BEGIN_A_SECOND = 512, 1000


def copies(made: list[Step], many: int) -> Iterator[Step]:
    """Yield every step so many times, each time in another conversation: all of them go on side by side.

    Ids that were equal stay so within a copy, and differ between copies.
    """
    for step in made:
        for n in range(many):
            links = tuple(_other(trace, n) for trace in step.links)
            ids = (_other(step.trace, n), _other(step.span, n), step.parent and _other(step.parent, n))
            yield replace(step, conversation=_named(step, n), trace=ids[0], span=ids[1], parent=ids[2], links=links)


def _other(span: bytes, n: int) -> bytes:
    return bytes((n,)) + span[1:]


def _named(step: Step, n: int) -> str:
    """Return the name of a copy's conversation; where the trace names it, the trace's."""
    return _other(step.trace, n).hex() if step.basis is Basis.TRACE else f"{n:x}-{step.conversation}"


def from_steps(made: list[Step]) -> float:
    """Return steps a second of CPU through all detectors."""
    Bank(1).warm()
    found = Detector()
    stream = list(copies(made, COPIES))
    found.take(stream[:BATCH], stream[0].started)
    begun = time.process_time()
    for at in range(BATCH, len(stream), BATCH):
        part = stream[at : at + BATCH]
        now = max(s.ended or s.started for s in part)
        found.take(part, now)
        found.look(now)
    return (len(stream) - BATCH) / (time.process_time() - begun)


def of_the_bank(made: list[Step]) -> float:
    """Return steps a second of CPU through the search for cycles alone."""
    bank = Bank()
    bank.warm()
    stream = [s for s in copies(made, COPIES) if s.ended is not None]
    bank.take(stream[:BATCH], 0.0)
    begun = time.process_time()
    for at in range(BATCH, len(stream), BATCH):
        bank.take(stream[at : at + BATCH], 0.0)
    return (len(stream) - BATCH) / (time.process_time() - begun)


def from_otlp(requests: list[Batch]) -> float:
    """Return steps a second of CPU from the bytes of requests to `Step`s, content and all."""
    begun, n = time.process_time(), 0
    for batch in requests:
        n += sum(1 for _ in steps(batch))
    return n / (time.process_time() - begun)


def memory(made: list[Step]) -> dict[str, float]:
    """Return bytes a conversation, measured as the growth of resident memory, with a million that began in 1000 s."""
    Bank(1).warm()
    ended = [s for s in made if s.ended is not None][:EACH]
    before = _resident()
    found = Detector(conversations=CONVERSATIONS)
    for at in range(0, CONVERSATIONS, BATCH):
        now = ended[-1].started + at / BEGIN_A_SECOND
        some = range(at, min(at + BATCH, CONVERSATIONS))
        found.take([step for n in some for step in _as_other(ended, n, now)], now)
    grown = _resident() - before
    return {
        "conversations": CONVERSATIONS,
        "bytes_each": round(grown / CONVERSATIONS),
        "gb": round(grown / 1e9, 2),
    }


def _as_other(made: list[Step], n: int, now: float) -> Iterator[Step]:
    span = n.to_bytes(8, "big")
    for i, step in enumerate(made):
        ids = {"trace": span * 2, "span": bytes((1 + i,)) + span[1:], "parent": bytes((9,)) + span[1:]}
        yield step.but(conversation=f"{n:016x}", started=now - 1.0, ended=now - 0.5, **ids)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure."""
    requests = [b for group in islice(groups(SETS["tuning"]), 2) for b in batches(group.records())]
    made = [step for batch in requests for step in steps(batch)]
    found = {
        "steps_per_second": round(from_steps(made)),
        "steps_per_second_bank": round(of_the_bank(made)),
        "steps_per_second_otlp": round(from_otlp(requests)),
        "memory": memory(made),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
