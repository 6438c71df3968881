"""The last steps of one conversation, for who wants to know what goes round (pure values).

No content is in them, for none is kept: what was asked and what came of it are numbers, equal where the content was.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hemostat.signals.loops.kernel.ring import FAILED, STEPS
from hemostat.signals.loops.opensteps import Open
from hemostat.signals.loops.symbols import Symbol
from hemostat.telemetry.steps import Operation

MAX_OPEN = 8


@dataclass(frozen=True, slots=True)
class Did:
    """One step that ended. Times are seconds since 1970 by the senders' clocks."""

    agent: str
    """The service, where nothing names the agent."""
    operation: Operation
    peer: str
    sort: int
    """The same for steps that did the same to the same and asked the same, be it in other words."""
    asked: int
    """Equal where the same was asked; 0: not sent."""
    result: int
    """Equal where the same came of it; 0: not sent."""
    ended: float
    took: float
    tokens: int
    failed: bool


@dataclass(frozen=True, slots=True)
class Waits:
    """One step that is open."""

    agent: str
    operation: Operation
    peer: str
    """What or whom it waits for."""
    holder: str
    """Who holds that, if the guard knows."""
    since: float


@dataclass(frozen=True, slots=True)
class Trail:
    """What is known of a conversation."""

    conversation: str
    done: tuple[Did, ...] = ()
    """Oldest first; of more than 40 the newest."""
    open: tuple[Waits, ...] = ()
    """Longest open first."""


Name = Callable[[str], str]
"""Gives the agent of a service that is one agent's alone."""


def did(talk: Any, symbol: Callable[[int], Symbol | None], name: Name) -> tuple[Did, ...]:
    """Return what a row of `ring.CONVERSATION` remembers.

    :param symbol: says what the number of a symbol stands for.
    """
    count, origin = int(talk["count"]), float(talk["origin"])
    found = []
    for at in range(max(0, count - STEPS), count):
        step = talk["steps"][at % STEPS]
        what = symbol(int(step["symbol"]))
        if what is None:
            continue
        took = float(step["took"])
        found.append(
            Did(
                agent=what.agent or name(what.service),
                operation=what.operation,
                peer=name(what.peer),
                sort=int(step["class_"]),
                asked=int(step["asked"]),
                result=int(step["result"]),
                ended=origin + float(step["start"]) + took,
                took=took,
                tokens=int(step["tokens"]),
                failed=bool(step["flags"] & FAILED),
            )
        )
    return tuple(found)


def waits(opened: Iterable[Open], name: Name) -> tuple[Waits, ...]:
    """Return the open steps, those that are open for longest; at most 8."""
    oldest = sorted(opened, key=lambda one: one.since)[:MAX_OPEN]
    return tuple(
        Waits(
            agent=one.step.agent or name(one.step.service),
            operation=one.step.operation,
            peer=name(one.step.peer),
            holder=one.step.holder,
            since=one.since,
        )
        for one in oldest
    )
