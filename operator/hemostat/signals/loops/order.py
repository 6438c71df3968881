"""Steps in the order in which they ended, each under the conversation it belongs to (pure; not for several threads).

Pods export what ended every few seconds, each at its own time, so what two agents did in turn arrives pod by pod. A
step is held until all pods can have told of what ended before it.
"""

from collections import OrderedDict
from dataclasses import replace
from operator import attrgetter

from hemostat.telemetry.steps import Basis, Step

DELAY = 6.0
"""Seconds for which a step is held: the SDK's batch processor exports every 5 seconds."""
MOST_HELD = 200_000
MOST_TRACES = 200_000
MOST_KNOWN = 300_000
MOST_LINKS = 64
"""Traces that are followed back, each to the one before."""


class Order:
    """Holds ended steps for a while. A step that comes later than that is passed on at once."""

    def __init__(self, delay: float = DELAY, most: int = MOST_HELD) -> None:
        self._delay, self._most = delay, most
        self._held: list[Step] = []
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, step: Step) -> None:
        """Take an ended step in. One that came already (the guard's, or sent twice) is passed over."""
        if step.span in self._known:
            return
        self._known[step.span] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self._held.append(step)

    def ready(self, now: float) -> list[Step]:
        """Return the steps that ended `delay` seconds ago, and the oldest of those that are too many to hold."""
        self._held.sort(key=_BY_END)
        n = len(self._held)
        while n > 0 and (self._held[n - 1].ended or 0.0) > now - self._delay:
            n -= 1
        n = max(n, len(self._held) - self._most)
        found, self._held = self._held[:n], self._held[n:]
        return found


_BY_END = attrgetter("ended", "started")


class Conversations:
    """Finds the conversation of steps that do not name it: the one that others of their trace name, or a linked one."""

    def __init__(self, most: int = MOST_TRACES) -> None:
        self._most = most
        self._named: OrderedDict[bytes, tuple[str, Basis, str]] = OrderedDict()

    def learn(self, step: Step) -> None:
        """Remember what the step tells of its trace: its conversation, or the trace that it goes on from."""
        known = self._named.get(step.trace)
        if step.basis is not Basis.TRACE:
            if known is None or (known[1] is not Basis.SESSION and step.basis is Basis.SESSION):
                self._name(step.trace, (step.conversation, step.basis, step.tenant))
        elif known is None and step.links and step.links[0] != step.trace:
            self._name(step.trace, (step.links[0].hex(), Basis.TRACE, step.tenant))

    def settle(self, step: Step) -> Step:
        """Return the step under its conversation, as far as it is known by now."""
        known = self._named.get(step.trace) if step.basis is Basis.TRACE else None
        if known is None:
            return step
        for _ in range(MOST_LINKS):
            before = self._named.get(bytes.fromhex(known[0])) if known[1] is Basis.TRACE else None
            if before is None:
                break
            known = before
        self._named[step.trace] = known  # the way is short the next time
        return replace(step, conversation=known[0], basis=known[1], tenant=known[2])

    def _name(self, trace: bytes, conversation: tuple[str, Basis, str]) -> None:
        self._named[trace] = conversation
        self._named.move_to_end(trace)
        if len(self._named) > self._most:
            self._named.popitem(last=False)
