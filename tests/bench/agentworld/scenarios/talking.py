"""Several agents that talk: reviews, rings, quarrels, group chats, questions asked again."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..dice import draw, whole
from ..plan import Plan
from ..policy import Action, Ask, CallTool, Errand, Finish, HandOver, Plain, Policy, Rest, Seen, fields
from ..tools import Checker, Shelf
from .family import Family, busy, everyday, passes
from .habits import Noisy
from .names import agents, topic


@dataclass(frozen=True)
class Writer(Plain):
    """Improves its draft by one each time it is criticised, up to what it is capable of, and hands it over."""

    critic: str
    skill: int
    reworded: bool

    def begin(self, task: str, notes: Hashable) -> Any:
        """The last draft is kept."""
        return (notes if isinstance(notes, int) else 0, task)

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Revise and hand over."""
        quality, task = memory
        quality = min(quality + 1, self.skill)
        text = f"draft={topic_of(task)};revision={quality}"
        return (quality, task), HandOver(self.critic, text, self.reworded)

    def keep(self, memory: Any) -> Hashable:
        """The draft."""
        kept: int = memory[0]
        return kept


@dataclass(frozen=True)
class Critic(Plain):
    """Accepts a draft of its standard, otherwise sends it back with the first thing it misses."""

    writer: str
    standard: int
    reworded: bool

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Accept or send back."""
        quality = int(fields(memory)["revision"])
        if quality >= self.standard:
            return memory, Finish("review=accepted")
        return memory, HandOver(self.writer, f"draft={topic_of(memory)};missing=point {quality + 1}", self.reworded)


def topic_of(text: str) -> str:
    """Return what a message is about."""
    found = fields(text)
    return found.get("topic") or found.get("draft") or "report"


@dataclass(frozen=True)
class Link(Plain):
    """One of a ring: works on the case if it is its own (told by the `laps`-th time it sees it), else hands it on."""

    following: str
    owner: bool
    laps: int
    tool: str

    def begin(self, task: str, notes: Hashable) -> Any:
        """How often it has seen the case."""
        return (min((notes if isinstance(notes, int) else 0) + 1, self.laps), task)

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Solve it or hand it on."""
        count, task = memory
        if seen.what == "result":
            return memory, Finish("case=solved")
        if self.owner and count >= self.laps:
            return memory, CallTool(self.tool, task)
        return memory, HandOver(self.following, task)

    def keep(self, memory: Any) -> Hashable:
        """How often it has seen the case."""
        kept: int = memory[0]
        return kept


@dataclass(frozen=True)
class Author(Plain):
    """Sends its text to be checked; after "cannot be checked" it waits, after an objection it insists."""

    checker: str
    pause: float

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Wait if the check was not available, then send the same text."""
        if fields(memory).get("check") == "unavailable" and seen.what != "rested":
            return memory, Rest(self.pause)
        return memory, HandOver(self.checker, "text=final;claim=holds")


@dataclass(frozen=True)
class Verifier(Plain):
    """Checks a text with a tool and answers what the tool said."""

    author: str
    tool: str

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Check, then answer."""
        if seen.what != "result":
            return memory, CallTool(self.tool, "text=final")
        if seen.failure:
            return memory, HandOver(self.author, "check=unavailable")
        if fields(seen.text)["score"] == "pass":
            return memory, Finish("check=pass")
        return memory, HandOver(self.author, "check=failed;claim=does not hold")


@dataclass(frozen=True)
class Boss(Plain):
    """Asks a colleague until the answer satisfies; in other words each time if it is that way inclined."""

    colleague: str
    reworded: bool

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Ask, or finish."""
        if "verdict=yes" in seen.text:
            return memory, Finish("answered=true")
        return memory, Ask((Errand(self.colleague, f"topic={topic_of(memory)}"),), reworded=self.reworded)


@dataclass(frozen=True)
class Colleague(Plain):
    """Looks a thing up and answers; finds it the `knows`-th time it is asked (an index is being built), or never."""

    tool: str
    knows: int

    def begin(self, task: str, notes: Hashable) -> Any:
        """How often it was asked, as far as that matters."""
        return (min((notes if isinstance(notes, int) else 0) + 1, self.knows), task)

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Look up, then answer."""
        count, task = memory
        if seen.what != "result":
            return memory, CallTool(self.tool, f"{task};part={count}")
        return memory, Finish("verdict=yes" if 0 < self.knows == count else "verdict=not found")

    def keep(self, memory: Any) -> Hashable:
        """How often it was asked."""
        kept: int = memory[0]
        return kept


@dataclass(frozen=True)
class Member(Plain):
    """Speaks in a group chat and names who speaks next, by an agenda; the meeting decides at `decides`, or never."""

    name: str
    agenda: tuple[str, ...]
    decides: int

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Say something and pass the word."""
        at = int(fields(memory)["item"])
        if at == self.decides:
            return memory, Finish("decision=made")
        following = (at + 1) % len(self.agenda)
        return memory, HandOver(self.agenda[following], f"item={following}")


def review(seed: int, flipped: bool) -> Plan:
    """The writer can reach the critic's standard, or not; every round is a hand-over."""
    writer, critic = agents(2, seed)
    standard = whole(2, 5, seed, 1)
    skill = whole(1, standard - 1, seed, 2) if flipped else standard
    reworded = draw(seed, 3) < 0.4
    write: Policy = Writer(critic, skill, reworded)
    if draw(seed, 4) < 0.25:
        write = Noisy(write, whole(3, 5, seed, 5), seed)
    policies: dict[str, Policy] = {writer: busy(write, seed, 3), critic: Critic(writer, standard, reworded)}
    variant = "reworded" if reworded else ""
    root = Errand(writer, f"topic={topic(seed)}")
    return Plan(policies, everyday(), root, f"skill {skill} of {standard}", variant, passes=passes(seed, 8, 14))


def ring(seed: int, flipped: bool) -> Plan:
    """One of a ring of 3 to 6 agents holds the case to be its own on the second lap, or none does."""
    size = whole(3, 6, seed, 1)
    names, laps = agents(size, seed), whole(1, 2, seed, 3)
    owner = -1 if flipped else whole(0, size - 1, seed, 2)
    links: dict[str, Policy] = {
        name: Link(names[(at + 1) % size], at == owner, laps, "close_case") for at, name in enumerate(names)
    }
    links[names[0]] = busy(links[names[0]], seed, 3)
    root = Errand(names[0], f"case={seed % 9000}")
    return Plan(
        links, everyday(close_case=Shelf()), root, f"owner {owner}", f"ring of {size}", passes=passes(seed, 5, 8)
    )


def quarrel(seed: int, flipped: bool) -> Plan:
    """The checking tool is down for a while, so they try again; then it passes the text, or rejects it: they argue."""
    author, checker = agents(2, seed)
    tool = Checker(whole(2, 5, seed, 1), "low" if flipped else "pass")
    policies: dict[str, Policy] = {
        author: busy(Author(checker, 10.0), seed, 3),
        checker: Verifier(author, "check_facts"),
    }
    root = Errand(author, f"topic={topic(seed)}")
    fact = "tool rejects" if flipped else "tool passes"
    return Plan(policies, everyday(check_facts=tool), root, fact, passes=passes(seed, 8, 14))


def asking(seed: int, flipped: bool) -> Plan:
    """The colleague finds the answer after some tries, or never; the boss asks again, in its own words."""
    boss, colleague = agents(2, seed)
    knows, reworded = 0 if flipped else whole(2, 3, seed, 1), draw(seed, 2) < 0.5
    policies: dict[str, Policy] = {
        boss: busy(Boss(colleague, reworded), seed, 3),
        colleague: Colleague("lookup_index", knows),
    }
    root = Errand(boss, f"topic={topic(seed)}")
    variant = "reworded" if reworded else ""
    tools = everyday(lookup_index=Checker(0, "none"))
    return Plan(policies, tools, root, f"knows at try {knows}", variant, passes=passes(seed))


def meeting(seed: int, flipped: bool) -> Plan:
    """A group chat with a long agenda that comes to a decision, or starts over and over."""
    size = whole(4, 6, seed, 1)
    names, length = agents(size, seed), whole(13, 23, seed, 2)
    agenda = [names[0]]
    for at in range(1, length):
        others = [name for name in names if name != agenda[-1]]
        agenda.append(others[int(draw(seed, 3, at) * len(others))])
    decides = -1 if flipped else whole(6, length - 1, seed, 4)
    policies: dict[str, Policy] = {name: Member(name, tuple(agenda), decides) for name in names}
    return Plan(policies, everyday(), Errand(names[0], "item=0"), f"decides at {decides}", passes=4)


FAMILIES = (
    Family("review", review),
    Family("ring", ring),
    Family("quarrel", quarrel),
    Family("asking", asking),
    Family("meeting", meeting),
)
