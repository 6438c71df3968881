"""Which step of its conversation it was: numbered from 1 by when they began, as far as they are known (pure)."""

from array import array
from collections import OrderedDict
from dataclasses import dataclass, field

from hemostat.signals.loops.order import Conversations
from hemostat.telemetry.steps import Step

MOST_STEPS = 20_000_000
"""8 bytes each."""
MOST_SPANS = 300_000
MOST_PARTS = 300_000
Key = tuple[str, str]
"""Tenant and conversation."""


@dataclass(slots=True)
class Part:
    """What a trace tells of under one name of a conversation."""

    home: Key
    starts: "array[float]" = field(default_factory=lambda: array("d"))


class Numbering:
    """The beginnings of all steps, by conversation; the parts that nothing was added to for longest give way.

    A step that does not name its conversation moves to it, with all others of its trace, when it becomes known.
    """

    def __init__(self, steps: int = MOST_STEPS, parts: int = MOST_PARTS) -> None:
        self._most_steps, self._most_parts = steps, parts
        self._conversations = Conversations()
        self._parts: OrderedDict[tuple[bytes, str], Part] = OrderedDict()
        self._homes: dict[Key, set[tuple[bytes, str]]] = {}
        self._spans: OrderedDict[bytes, None] = OrderedDict()
        self.steps = 0
        """Different ones that were taken in."""
        self._held = 0
        self._gone = 0

    @property
    def conversations(self) -> int:
        """How many there were, those that gave way included."""
        return len(self._homes) + self._gone

    def take(self, step: Step) -> None:
        """Take a step in, open or ended, as it came; one that is told of again counts once."""
        self._conversations.learn(step)
        settled = self._conversations.settle(step)
        key, home = (step.trace, step.conversation), (settled.tenant, settled.conversation)
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = Part(home)
            self._homes.setdefault(home, set()).add(key)
        self._move(key, home)
        under = (step.tenant, step.trace.hex())
        if home != under:
            for other in tuple(self._homes.get(under, ())):
                self._move(other, home)  # until now it was not known where they belong
        if step.span in self._spans:
            return
        self._spans[step.span] = None
        if len(self._spans) > MOST_SPANS:
            self._spans.popitem(last=False)
        self.steps += 1
        self._held += 1
        part.starts.append(step.started)
        self._parts.move_to_end(key)
        while len(self._parts) > self._most_parts or self._held > self._most_steps:
            self._forget()

    def count(self, conversation: Key) -> int:
        """Return how many steps of it are known: the number of the newest."""
        return sum(len(self._parts[key].starts) for key in self._homes.get(conversation, ()))

    def number(self, conversation: Key, began: float) -> int:
        """Return the number of the step that began then, or next to it; 0 if none is known.

        Times of verdicts are exact to some milliseconds only.
        """
        starts = sorted(at for key in self._homes.get(conversation, ()) for at in self._parts[key].starts)
        return 1 + min(range(len(starts)), key=lambda i: abs(starts[i] - began)) if starts else 0

    def _move(self, key: tuple[bytes, str], home: Key) -> None:
        part = self._parts[key]
        if part.home == home:
            return
        self._leave(key, part.home)
        part.home = home
        self._homes.setdefault(home, set()).add(key)

    def _leave(self, key: tuple[bytes, str], home: Key) -> bool:
        """Return whether nothing of the conversation is left."""
        keys = self._homes[home]
        keys.discard(key)
        if not keys:
            del self._homes[home]
        return not keys

    def _forget(self) -> None:
        key, part = self._parts.popitem(last=False)
        self._held -= len(part.starts)
        self._gone += self._leave(key, part.home)
