"""Steps in the order in which they ended, each under the conversation it belongs to (pure; not for several threads).

Pods export what ended every few seconds, each at its own time, so what two agents did in turn arrives pod by pod. A
step is held until all processes that take part in its conversation have told of something that ended later: each tells
of its own in order. One that is silent, for it waits for the others, is waited for as long as it can be late.
"""

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from operator import attrgetter

from hemostat.signals.loops.recent import keep, shed
from hemostat.telemetry.steps import Basis, Operation, Source, Step

DELAY = 6.0
"""Seconds for which a step is held at most: the SDK's batch processor exports every 5 seconds."""
MARGIN = 1.0
"""Seconds by which a process may be later than it was so far."""
_WEIGHT = 0.05
"""Weight of a step that was told quickly in how late its process can be."""
MOST_HELD = 200_000
MOST_TRACES = 200_000
MOST_KNOWN = 300_000
MOST_PARTIES, MOST_SENDERS = 100_000, 20_000
ROUNDING = 1e-6
MOST_LINKS = 64
"""Traces that are followed back, each to the one before."""
Key = tuple[str, str]
_GUARD, _TRACE, _SESSION = Source.GUARD, Basis.TRACE, Basis.SESSION  # looked up for every step: slow until 3.12
_GUARDED = (Operation.CHAT, Operation.TOOL, Operation.AGENT)
_TURNS = (Operation.AGENT, Operation.HANDOFF)
Sender = tuple[str, str, bool]
"""Service, process, and whether it is its guard: spans and events take ways of their own."""
_NOBODY: Sender = ("", "", False)
"""Stands for those who are not known."""


@dataclass(slots=True)
class Heard:
    """What is known of a sender: how late it can be, in seconds, and when what it told of ended last."""

    late: float
    ended: float = 0.0

    def note(self, ended: float, now: float) -> None:
        """It told now of what ended then. Being late is believed at once, and being quick by and by."""
        if ended > self.ended:
            self.ended = ended
        late = now - ended
        self.late = late if late > self.late else self.late + _WEIGHT * (late - self.late)


class Order:
    """Holds ended steps for a while. A step that comes later than that is passed on at once."""

    def __init__(self, delay: float = DELAY, most: int = MOST_HELD) -> None:
        self._delay, self._most = delay, most
        self._held: dict[Key, list[Step]] = {}
        self._n = 0
        self._due: list[tuple[float, Key]] = []
        """When conversations have a step that was held for long enough, as far as `_when` still says so."""
        self._when: dict[Key, float] = {}
        self._heard: set[Key] = set()
        """Conversations that were told of since the last time."""
        self._parties: dict[Key, tuple[Sender, ...]] = {}
        self._senders: dict[Sender, Heard] = {}
        self._known: dict[bytes, None] = {}

    def __len__(self) -> int:
        return self._n

    def put(self, step: Step, now: float, *, part: bool = True) -> None:
        """Take an ended step in. One that came already (the guard's, or sent twice) is passed over.

        :param part: whether its trace is known to be a part of something of which others tell too. A turn or a
            hand-over in it may still turn out to be one.
        """
        ended = step.ended or 0.0
        sender = (step.service, step.instance, step.source is _GUARD)
        heard = self._senders.get(sender)
        if heard is None:
            keep(self._senders, sender, heard := Heard(self._delay), MOST_SENDERS)
        heard.note(ended, now)
        if step.span in self._known:
            return
        self._known[step.span] = None
        if len(self._known) > MOST_KNOWN:
            shed(self._known, MOST_KNOWN)
        key = (step.tenant, step.conversation)
        if step.basis is _TRACE and (part or step.operation in _TURNS):
            sender = _NOBODY
        self._join(key, sender, step.operation)
        held = self._held.get(key)
        if held is None:
            self._held[key] = [step]
            self._wait(key, ended)
        else:
            held.append(step)
        self._n += 1
        self._heard.add(key)

    def ready(self, now: float) -> list[Step]:
        """Return the steps that may be passed on, and those held for longest where they are too many."""
        found: list[Step] = []
        for key in self._heard:
            parties = self._parties.get(key, ())
            known = [self._ended(one) for one in parties if one[1]]
            if len(known) == len(parties):
                found += self._until(key, min(known, default=0.0))
        self._heard.clear()
        while self._due and (self._due[0][0] <= now or self._n > self._most):
            due, key = heappop(self._due)
            if self._when.get(key) != due:
                continue
            found += self._until(key, now - self._hold(key) + ROUNDING if due <= now else math.inf)
            if key in self._held:
                self._wait(key, min(s.ended or 0.0 for s in self._held[key]))
        found.sort(key=_BY_END)
        return found

    def _join(self, key: Key, sender: Sender, operation: Operation) -> None:
        """Note who takes part. What a guard tells of need not be waited for as a span too."""
        parties = self._parties.get(key, ())
        service, instance, guard = sender
        if sender in parties or ((service, instance, True) in parties and operation in _GUARDED):
            return
        others = tuple(one for one in parties if not guard or one != (service, instance, False))
        keep(self._parties, key, (*others, sender), MOST_PARTIES)

    def _until(self, key: Key, end: float) -> list[Step]:
        """Take out what ended until then."""
        held = self._held.get(key, [])
        left = [step for step in held if (step.ended or 0.0) > end]
        if len(left) == len(held):
            return []
        self._n -= len(held) - len(left)
        found = [step for step in held if (step.ended or 0.0) <= end] if left else held
        if left:
            self._held[key] = left
        else:
            self._held.pop(key, None)
            self._when.pop(key, None)
        return found

    def _wait(self, key: Key, ended: float) -> None:
        self._when[key] = due = ended + self._hold(key)
        heappush(self._due, (due, key))

    def _hold(self, key: Key) -> float:
        """Return for how long to wait for those who take part and are silent."""
        hold = 0.0
        for party in self._parties.get(key, (_NOBODY,)):
            heard = self._senders.get(party) if party[1] else None
            hold = max(hold, heard.late + MARGIN if heard is not None else self._delay)
        return min(self._delay, hold)

    def _ended(self, sender: Sender) -> float:
        heard = self._senders.get(sender)
        return heard.ended if heard is not None else 0.0


_BY_END = attrgetter("ended", "started")


class Conversations:
    """Finds the conversation of steps that do not name it: the one that others of their trace name, or a linked one."""

    def __init__(self, most: int = MOST_TRACES) -> None:
        self._most = most
        self._named: dict[bytes, tuple[str, Basis, str]] = {}
        self._alone: dict[bytes, None] = {}
        """Traces of which steps were passed on under their own name."""

    def learn(self, step: Step) -> bool:
        """Remember what the step tells of its trace: its conversation, or the trace that it goes on from.

        :return: whether its trace is known to be a part of one.
        """
        known = self._named.get(step.trace)
        if step.basis is not _TRACE:
            if known is None or (known[1] is not Basis.SESSION and step.basis is Basis.SESSION):
                self._name(step.trace, (step.conversation, step.basis, step.tenant))
        elif known is None and step.links and step.links[0] != step.trace:
            self._name(step.trace, (step.links[0].hex(), Basis.TRACE, step.tenant))
        elif known is None:
            self._alone[step.trace] = None
            if len(self._alone) > self._most:
                shed(self._alone, self._most)
            return False
        return True

    def joins(self, step: Step) -> bool:
        """Tell, once, whether steps of its trace were told of before it was known of what it is a part."""
        return step.trace in self._alone and step.trace in self._named and self._alone.pop(step.trace, True) is None

    def settle(self, step: Step) -> Step:
        """Return the step under its conversation, as far as it is known by now: a session is surer than a task."""
        known = None if step.basis is _SESSION else self._named.get(step.trace)
        if known is None or (step.basis is Basis.TASK and known[1] is not Basis.SESSION):
            return step
        for _ in range(MOST_LINKS):
            before = self._named.get(bytes.fromhex(known[0])) if known[1] is Basis.TRACE else None
            if before is None:
                break
            known = before
        self._named[step.trace] = known  # the way is short the next time
        return step.but(conversation=known[0], basis=known[1], tenant=known[2])

    def _name(self, trace: bytes, conversation: tuple[str, Basis, str]) -> None:
        keep(self._named, trace, conversation, self._most)
