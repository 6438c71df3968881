"""What would have been told of agents in recorded telemetry: the detectors that judge live, fed line by line.

Nothing is looked ahead: time goes on as the records say, with a look every second between them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from hemostat.replay.numbering import Key, Numbering
from hemostat.replay.requests import Request
from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.order import DELAY
from hemostat.signals.loops.verdict import Advice, Verdict
from hemostat.telemetry.steps import Step

QUIET_SECONDS = 1_000.0
"""After so long without a record nothing is open any more, and time may jump to the next."""
MAX_TROUBLES = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was."""

    time: float
    """Seconds since 1970."""
    step: int
    """Number of the step within its conversation, from 1 on; 0 for a provider's trouble: it is no conversation's."""


@dataclass(slots=True)
class Trouble:
    """A verdict, and when."""

    verdict: Verdict
    """As it was told last."""
    first: Moment
    """When it began."""
    alarm: Moment
    """When it was told first. Its step is the newest that had arrived."""
    cut: Moment | None = None
    """When it was told that it may be cut."""


@dataclass(slots=True)
class Replayed:
    """What would have been told."""

    began: float = 0.0
    ended: float = 0.0
    records: int = 0
    """Spans and log records."""
    steps: int = 0
    late: int = 0
    """Steps that ended so long before their line arrived that they could not be put in order any more."""
    conversations: int = 0
    troubled: set[str] = field(default_factory=set)
    """Conversations with a verdict."""
    troubles: list[Trouble] = field(default_factory=list)
    dropped: int = 0
    """Troubles that are not listed, because they are too many."""

    @property
    def silent(self) -> int:
        """How many conversations have no verdict."""
        return max(0, self.conversations - len(self.troubled))


def replay(requests: Iterable[Request], detector: Detector | None = None) -> Replayed:
    """Play requests through the detectors, in their order.

    After the last one time goes on until what is held to be put in order has been judged, and no further: that nothing
    happens after the end of a recording says nothing.
    """
    run = _Run(detector or Detector())
    for request in requests:
        run.take(request)
    return run.finish()


class _Run:
    """One replay under way."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._numbering = Numbering()
        self._found = Replayed()
        self._last: dict[tuple[str, str, str], Trouble] = {}
        self._clock = math.nan

    def take(self, request: Request) -> None:
        found = self._found
        found.records += request.records
        if not request.records or not request.time:
            return
        if math.isnan(self._clock):
            self._clock = found.began = request.time
        self._look_until(request.time)
        found.ended = request.time
        found.late += sum(_late(step, request.time) for step in request.steps)
        for step in request.steps:
            self._numbering.take(step)
        self._note(request.time, self._detector.take(request.steps, request.time))

    def finish(self) -> Replayed:
        found = self._found
        if not math.isnan(self._clock):
            self._look_until(found.ended + DELAY + 1.0)
        found.steps, found.conversations = self._numbering.steps, self._numbering.conversations
        return found

    def _look_until(self, time: float) -> None:
        """Look once a second, at fixed seconds whatever arrives between them."""
        while self._clock + 1.0 <= time:
            if self._clock - self._found.ended > QUIET_SECONDS:
                self._clock += math.floor(time - self._clock - 1.0)
            self._clock += 1.0
            self._note(self._clock, self._detector.look(self._clock))

    def _note(self, now: float, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            self._found.troubled.update(verdict.conversations or (verdict.conversation,))
            before = self._last.get(verdict.key)
            if before is not None and _goes_on(before.verdict, verdict):
                before.verdict = verdict
                before.cut = before.cut or self._cut(verdict, now)
            elif len(self._found.troubles) < MAX_TROUBLES:
                trouble = Trouble(
                    verdict, self._moment(verdict, verdict.began), self._now(verdict, now), self._cut(verdict, now)
                )
                self._last[verdict.key] = trouble
                self._found.troubles.append(trouble)
            else:
                self._found.dropped += 1

    def _cut(self, verdict: Verdict, now: float) -> Moment | None:
        return self._now(verdict, now) if verdict.advice is Advice.CUT else None

    def _now(self, verdict: Verdict, now: float) -> Moment:
        return Moment(now, self._numbering.count(_key(verdict)) if verdict.conversation else 0)

    def _moment(self, verdict: Verdict, time: float) -> Moment:
        return Moment(time, self._numbering.number(_key(verdict), time) if verdict.conversation else 0)


def _key(verdict: Verdict) -> Key:
    return (verdict.tenant, verdict.conversation)


def _goes_on(before: Verdict, now: Verdict) -> bool:
    """Tell whether it is the same trouble, told again because there is more to it, and none that came back."""
    worse = (before.advice, now.advice) == (Advice.NOTIFY, Advice.CUT)
    return worse or not set(before.conversations).issuperset(now.conversations)


def _late(step: Step, now: float) -> bool:
    return step.ended is not None and step.ended < now - DELAY
