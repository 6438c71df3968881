"""The planner's own record of its conversations, and when it begins the next one by itself (pure)."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hemostat_chaos.agents.kinds import KINDS

MAX_KEPT = 500


class State(StrEnum):
    """How a conversation is."""

    RUNNING = "running"
    DONE = "done"
    CUT = "cut"
    """The guard refused a call; the task is parked and can be begun again."""
    HALTED = "halted"
    """The guard stopped it; the task is parked, and begun again when the halt ends."""
    FAILED = "failed"


class AlreadyRunning(Exception):
    """The conversation goes on already."""


@dataclass(slots=True)
class Entry:
    """One conversation."""

    kind: str
    state: State
    began: float
    """Unix seconds."""
    ended: float | None = None
    said: str = ""


class Board:
    """The last conversations, and counts of all."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._counts: Counter[tuple[str, State]] = Counter()

    def __getitem__(self, conversation: str) -> Entry:
        return self._entries[conversation]

    def begin(self, conversation: str, kind: str, now: float) -> None:
        """Note that a conversation begins, or begins again."""
        entry = self._entries.get(conversation)
        if entry is not None and entry.state is State.RUNNING:
            raise AlreadyRunning(f"{conversation} is running")
        self._entries[conversation] = Entry(kind, State.RUNNING, now)
        self._entries.move_to_end(conversation)
        while len(self._entries) > MAX_KEPT:
            self._entries.popitem(last=False)

    def end(self, conversation: str, state: State, said: str, now: float) -> bool:
        """Note how a running conversation ended; return whether that is news."""
        entry = self._entries.get(conversation)
        if entry is None or entry.state is not State.RUNNING:
            return False
        entry.state, entry.said, entry.ended = state, said[:500], now
        self._counts[entry.kind, state] += 1
        return True

    @property
    def running(self) -> int:
        """How many conversations go on."""
        return sum(entry.state is State.RUNNING for entry in self._entries.values())

    def as_json(self) -> dict[str, Any]:
        """Return how many conversations of each kind ended how, and those that are remembered."""
        counts: dict[str, dict[str, int]] = {}
        for (kind, state), count in sorted(self._counts.items()):
            counts.setdefault(kind, {})[state] = count
        return {"counts": counts, "conversations": {name: asdict(entry) for name, entry in self._entries.items()}}


def pauses(seed: int, per_minute: float) -> Iterator[tuple[float, str]]:
    """Yield for ever how many seconds to wait, and which kind of work to begin then."""
    dice = random.Random(seed)  # noqa: S311 - reproducible on purpose
    while True:
        yield 60 / per_minute * dice.uniform(0.5, 1.5), dice.choice(list(KINDS))
