"""Conversations of AI agents: steps in from telemetry, troubles out to the Watches of who takes part (thread-safe).

A trouble is told by one Watch: that of the side where its edge would be cut, or else of the next who is watched.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hemostat.api.watch import ConversationSignal
from hemostat.metrics import AGENT_COST, AGENT_LEGITIMATE, AGENT_UNPRICED, AGENT_VERDICTS
from hemostat.signals.conversation import Talk, Trouble
from hemostat.signals.covered import METERED_SECONDS
from hemostat.signals.loops.coverage import Coverages
from hemostat.signals.loops.detect import Detector
from hemostat.signals.loops.trail import Trail
from hemostat.signals.loops.verdict import Verdict
from hemostat.telemetry.steps import Identity, Step

Key = tuple[str, str]
HEARD_SECONDS = 60
"""Agents that told of a step so lately are there."""
LOOK_SECONDS = 1.0
MAX_SERVICES = 10_000


class Talks:
    """The detectors of the process, and who watches which service.

    :param clock: seconds since 1970, which is what spans are timed by.
    """

    def __init__(self, detector: Detector | None = None, clock: Callable[[], float] = time.time) -> None:
        self._detector = detector or Detector()
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = 0.0
        self._counted = (0.0, 0)
        """Money, and inferences without a price, that the metrics have."""
        self._watches: dict[Key, str] = {}
        self._coverages = Coverages()
        self._words: dict[Key, set[tuple[str, str, str]]] = {}
        """What each Watch says is legitimate: kind, caller, callee."""
        self._heard: OrderedDict[str, OrderedDict[int, int]] = OrderedDict()
        """Steps by service and ten seconds of arrival."""

    def take(self, steps: Sequence[Step], spans: Sequence[Identity], arrived: float) -> None:
        """Take steps in, as they came, and with them all spans of their requests."""
        with self._lock:
            for step in steps:
                self._note(step.service, int(arrived) // 10)
                self._coverages.step(step, arrived)
            self._coverages.spans(spans, arrived)
            _count(self._detector.take(steps, arrived))
            self._count_money()

    def about(self, key: Key, service: str, signals: Sequence[ConversationSignal] = ()) -> Talk:
        """Return what a Watch shall tell of its service's conversations, and how its budgets stand."""
        now = self._clock()
        with self._lock:
            self._watches[key] = service
            self._look(now)
            watched = set(self._watches.values())
            troubles = [
                Trouble(told.verdict, told.goes_on(now), datetime.fromtimestamp(told.first, UTC))
                for told in self._detector.troubles(now)
                if next((s for s in told.verdict.services if s in watched), None) == service
            ]
            counts = self._heard.get(service)
            budgets = dict.fromkeys(b for signal in signals for b in signal.budgets)
            standings = {b: self._detector.spend.against(service, b, now) for b in budgets}
            self._count_words(key, signals)
            inferences = self._detector.spend.inferences(service, METERED_SECONDS, now)
            seen = self._coverages.of(service, now)
            coverage = replace(seen, inferences=inferences, displaced=self._detector.overflows(now))
        since = (int(now) - HEARD_SECONDS) // 10
        recent = sum(n for tens, n in counts.items() if tens > since) if counts is not None else 0
        return Talk(troubles, recent, counts is not None, standings, coverage)

    def heard(self, service: str) -> bool:
        """Tell whether any agent of the service ever told of a step."""
        with self._lock:
            return service in self._heard

    def trails(self, service: str, conversations: Collection[str]) -> list[Trail]:
        """Return the last steps of conversations in which the service is in trouble."""
        with self._lock:
            return list(self._detector.trails(service, conversations, self._clock()))

    def forget(self, key: Key) -> None:
        """A Watch was deleted."""
        with self._lock:
            self._watches.pop(key, None)
            self._words.pop(key, None)

    def _look(self, now: float) -> None:
        if abs(now - self._looked) >= LOOK_SECONDS:
            self._looked = now
            _count(self._detector.look(now))
            self._count_money()

    def _count_words(self, key: Key, signals: Sequence[ConversationSignal]) -> None:
        """Count what people say is legitimate, once; what a Watch said when it was first looked at was said before."""
        words = {(w.kind.value, w.caller, w.callee) for signal in signals for w in signal.legitimate}
        for kind, _, _ in words - self._words.get(key, words):
            AGENT_LEGITIMATE.labels(kind).inc()
        self._words[key] = words

    def _count_money(self) -> None:
        spend = self._detector.spend
        AGENT_COST.inc(spend.usd - self._counted[0])
        AGENT_UNPRICED.inc(spend.unpriced - self._counted[1])
        self._counted = (spend.usd, spend.unpriced)

    def _note(self, service: str, tens: int) -> None:
        counts = self._heard.setdefault(service, OrderedDict())
        self._heard.move_to_end(service)
        if len(self._heard) > MAX_SERVICES:
            self._heard.popitem(last=False)
        counts[tens] = counts.get(tens, 0) + 1
        if len(counts) > 1 + HEARD_SECONDS // 10:
            counts.popitem(last=False)


def _count(verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        AGENT_VERDICTS.labels(verdict.kind.value, verdict.advice.value).inc()
