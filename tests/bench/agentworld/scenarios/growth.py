"""What grows: recursion, fan-out, drafts that get longer, contexts that fill a window."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..dice import pick, whole
from ..plan import Plan
from ..policy import Action, Ask, CallTool, Compact, Errand, Finish, Plain, Policy, Seen, Think, fields
from ..tools import Pages, Rubric, Shelf
from .family import Family, busy, everyday
from .names import agents, topic


@dataclass(frozen=True)
class Splitter(Plain):
    """Splits a task into parts for the next kind of agent; parts are smaller, or as large as the whole."""

    helper: str
    parts: int
    shrinks: bool

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Do what is small, split what is not."""
        size = int(fields(memory)["size"])
        if seen.what in ("answers", "result"):
            return memory, Finish("part=done")
        if size <= 1:
            return memory, CallTool("solve_part", memory)
        smaller = size - 1 if self.shrinks else size
        return memory, Ask(
            tuple(Errand(self.helper, f"{_path(memory, at)};size={smaller}") for at in range(self.parts))
        )

    def begin(self, task: str, notes: Hashable) -> Any:
        """The task; where in the tree it is matters only while parts shrink."""
        return task if self.shrinks else f"size={fields(task)['size']}"


def _path(task: str, at: int) -> str:
    return f"part={fields(task).get('part', '0')}.{at}"


def _split(seed: int, parts: int, size: int, *, shrinks: bool) -> Plan:
    names = agents(whole(1, 3, seed, 3), seed)
    policies: dict[str, Policy] = {
        name: Splitter(names[(at + 1) % len(names)], parts, shrinks) for at, name in enumerate(names)
    }
    lead = next(name for name in agents(12, seed) if name not in names)
    policies[lead] = busy(_Starter(names[0], size), seed, 3)
    fact = "parts shrink" if shrinks else "parts are as large as the whole"
    root = Errand(lead, f"topic={topic(seed)}")
    tools = everyday(solve_part=Shelf())
    return Plan(policies, tools, root, fact, f"{parts} parts", passes=whole(4, 8, seed, 61))


@dataclass(frozen=True)
class _Starter(Plain):
    """Gives the whole task to the first splitter."""

    helper: str
    size: int

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Ask, then finish."""
        if seen.what == "answers":
            return memory, Finish("all=done")
        return memory, Ask((Errand(self.helper, f"part=0;size={self.size}"),))


def recursion(seed: int, flipped: bool) -> Plan:
    """An agent that calls agents that call agents, one each: the task shrinks on the way down, or not."""
    return _split(seed, 1, whole(3, 6, seed, 1), shrinks=not flipped)


def fan_out(seed: int, flipped: bool) -> Plan:
    """The same with several parts each."""
    parts = whole(2, 4, seed, 1)
    return _split(seed, parts, 3 if parts < 4 else 2, shrinks=not flipped)


def map_reduce(seed: int, flipped: bool) -> Plan:
    """One wide fan-out and its collection; there is nothing to flip."""
    return _split(seed, whole(6, 16, seed, 1), 2, shrinks=True)


@dataclass(frozen=True)
class Drafter(Plain):
    """Thinks again, at more length, until it is convinced."""

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """One more draft."""
        if seen.text == "verdict=accepted":
            return memory, Finish("draft=final")
        return memory, Think("rubric", "draft=next")


def drafts(seed: int, flipped: bool) -> Plan:
    """The third or fourth draft convinces, or none does."""
    name = agents(1, seed)[0]
    accepts = 0 if flipped else whole(2, 4, seed, 1)
    tools = everyday(rubric=Rubric(accepts))
    root = Errand(name, f"topic={topic(seed)}")
    fact = f"draft {accepts} is accepted"
    return Plan(
        {name: busy(Drafter(), seed)}, tools, root, fact, swell=pick((1.4, 1.6), seed, 2), passes=10, room=400_000
    )


@dataclass(frozen=True)
class Archivist(Plain):
    """Reads long pages; shortens its context when it is nearly full, or never."""

    tool: str
    compacts: bool

    def begin(self, task: str, notes: Hashable) -> Any:
        """At the first page."""
        return "0"

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Read on, shorten if need be."""
        cursor = fields(seen.text).get("next", "0") if seen.what == "result" else memory
        if cursor == "end":
            return cursor, Finish("archive=read")
        if seen.full and self.compacts:
            return cursor, Compact()
        return cursor, CallTool(self.tool, f"cursor={cursor};limit=20")


def archive(seed: int, flipped: bool) -> Plan:
    """Pages that together are longer than the model's window: the agent shortens its context in time, or not."""
    name = agents(1, seed)[0]
    window = pick((32_000, 128_000), seed, 1)
    pages = whole(14, 26, seed, 2)
    size = int(window * 1.35 / pages)
    tool = pick(("read_archive", "read_thread"), seed, 3)
    return Plan(
        {name: busy(Archivist(tool, compacts=not flipped), seed)},
        everyday(**{tool: Pages(pages, None, size)}),
        Errand(name, f"topic={topic(seed)}"),
        "never compacts" if flipped else "compacts",
        window=window,
    )


def planned(seed: int, flipped: bool) -> Plan:
    """Large but planned use of tokens: long pages, each of which brings something; there is nothing to flip."""
    name = agents(1, seed)[0]
    tool = pick(("read_archive", "read_thread"), seed, 3)
    pages = whole(6, 14, seed, 2)
    return Plan(
        {name: busy(Archivist(tool, compacts=True), seed)},
        everyday(**{tool: Pages(pages, None, whole(4_000, 7_000, seed, 4))}),
        Errand(name, f"topic={topic(seed)}"),
        "nothing to flip",
        window=128_000,
    )


FAMILIES = (
    Family("recursion", recursion),
    Family("fan_out", fan_out),
    Family("drafts", drafts),
    Family("archive", archive),
    Family("planned", planned),
    Family("map_reduce", map_reduce),
)
