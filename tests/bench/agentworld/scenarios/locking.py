"""Agents that wait for locks and for each other: cycles, knots, time-outs, re-entrancy, long calls, persons."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..dice import draw, pick, whole
from ..plan import Plan
from ..policy import Acquire, Action, Ask, AskPerson, CallTool, Errand, Finish, Plain, Policy, Release, Rest, Seen
from ..tools import Shelf
from .family import Family, busy, everyday
from .names import agents, locks, topic


@dataclass(frozen=True)
class Script(Plain):
    """Works through a list of actions; a time-out makes it give everything back, rest and start over."""

    actions: tuple[Action, ...]

    def begin(self, task: str, notes: Hashable) -> Any:
        """At the first action."""
        return (0, False)

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """The next action on the list."""
        at, backing_out = memory
        if seen.what == "timeout":
            held = [one.lock for one in self.actions[: at - 1] if isinstance(one, Acquire)]
            return (0, True), Release(held[0]) if held else Rest(20.0)
        if backing_out:
            return (0, False), Rest(20.0)
        if at >= len(self.actions):
            return memory, Finish("done=true")
        return (at + 1, False), self.actions[at]


@dataclass(frozen=True)
class Crew(Plain):
    """Sends colleagues out, all at once, and waits for all of them."""

    errands: tuple[Errand, ...]

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Ask, then finish."""
        if seen.what == "answers":
            return memory, Finish("all=back")
        return memory, Ask(self.errands)


def _work(tool: str, seed: int, at: int) -> CallTool:
    return CallTool(tool, f"record={whole(100, 999, seed, 40, at)}")


def _crew(seed: int, scripts: dict[str, Script], fact: str, variant: str = "", slow: float = 6.0) -> Plan:
    lead = next(name for name in agents(12, seed) if name not in scripts)
    policies: dict[str, Policy] = {lead: busy(Crew(tuple(Errand(name, "part=own") for name in scripts)), seed, 3)}
    policies.update(scripts)
    tools = everyday(update_record=Shelf(), long_import=Shelf())
    root = Errand(lead, f"topic={topic(seed)}")
    times = {"update_record": slow, "long_import": 150.0}
    return Plan(policies, tools, root, fact, variant, slow=times, watch=float(whole(60, 240, seed, 62)))


def philosophers(seed: int, flipped: bool) -> Plan:
    """N agents each need two of N locks; the last takes its own first like the others, or the other one first."""
    size = whole(2, 5, seed, 1)
    names, needed = agents(size, seed), locks(size, seed)
    scripts = {}
    for at, name in enumerate(names):
        own, other = needed[at], needed[(at + 1) % size]
        if at == size - 1 and not flipped:
            own, other = other, own
        scripts[name] = _taker(own, other, seed, at, None)
    fact = "last takes in a circle" if flipped else "last takes in order"
    return _crew(seed, scripts, fact, f"ring of {size}")


def _taker(own: str, other: str, seed: int, at: int, timeout: float | None) -> Script:
    work = _work("update_record", seed, at)
    return Script((Acquire(own, timeout), work, Acquire(other, timeout), work, Release(other), Release(own)))


def phantom(seed: int, flipped: bool) -> Plan:
    """Two agents take two locks crosswise; one gives up after a time-out and frees its lock, or waits for ever."""
    names, needed = agents(2, seed), locks(2, seed)
    timeout = None if flipped else float(whole(2, 8, seed, 1))
    scripts = {
        names[0]: _taker(needed[0], needed[1], seed, 0, None),
        names[1]: _taker(needed[1], needed[0], seed, 1, timeout),
    }
    return _crew(seed, scripts, f"time-out {timeout}")


def long_call(seed: int, flipped: bool) -> Plan:
    """Others wait for a lock whose holder is in a long call, or in line for a lock one of them holds."""
    names, needed = agents(2, seed), locks(2, seed)
    inner: tuple[Action, ...] = (_work("long_import", seed, 1),)
    if flipped:
        inner = (Acquire(needed[1]), _work("update_record", seed, 1), Release(needed[1]))
    scripts = {
        names[0]: Script(
            (Acquire(needed[1]), _work("update_record", seed, 0), Acquire(needed[0]), _work("update_record", seed, 2))
        ),
        names[1]: Script((Acquire(needed[0]), _work("update_record", seed, 3), *inner, Release(needed[0]))),
    }
    return _crew(seed, scripts, "holder waits too" if flipped else "holder is in a long call")


def reentrant(seed: int, flipped: bool) -> Plan:
    """A asks B, B needs A's lock (B may be A again): the lock knows the session, or only the caller."""
    first, second = agents(2, seed)
    lock = locks(1, seed)[0]
    deep = draw(seed, 1) < 0.5
    work = _work("update_record", seed, 1)
    inner: tuple[Action, ...] = (Acquire(lock), work, Release(lock))
    lead = Script((_work("update_record", seed, 0), Acquire(lock), Ask((Errand(second, "part=own"),)), Release(lock)))
    if deep:
        third = agents(3, seed)[2]
        policies: dict[str, Policy] = {
            first: busy(lead, seed, 3),
            second: Script((work, Ask((Errand(third, "part=own"),)))),
            third: Script(inner),
        }
    else:
        policies = {first: busy(lead, seed, 3), second: Script(inner)}
    tools = everyday(update_record=Shelf())
    known = frozenset() if flipped else frozenset({lock})
    fact = "lock knows the caller only" if flipped else "lock knows the session"
    root = Errand(first, f"topic={topic(seed)}")
    variant = "three agents" if deep else "two agents"
    return Plan(policies, tools, root, fact, variant, reentrant=known, watch=float(whole(60, 240, seed, 62)))


def any_of(seed: int, flipped: bool) -> Plan:
    """A holds a lock and waits for the first of its helpers; all of them need the lock, or all but one."""
    size = whole(2, 3, seed, 1)
    first, *helpers = agents(size + 1, seed)
    lock = locks(1, seed)[0]
    free = -1 if flipped else whole(0, size - 1, seed, 2)
    policies: dict[str, Policy] = {}
    for at, name in enumerate(helpers):
        work = _work("update_record", seed, at)
        policies[name] = Script((work, work) if at == free else (work, Acquire(lock), work, Release(lock)))
    ask = Ask(tuple(Errand(name, "part=own") for name in helpers), "any")
    policies[first] = busy(Script((Acquire(lock), ask, Release(lock))), seed, 3)
    tools = everyday(update_record=Shelf())
    fact = f"helper {free} needs no lock"
    root = Errand(first, f"topic={topic(seed)}")
    slow = {"update_record": pick((5.0, 20.0, 60.0), seed, 3)}
    return Plan(policies, tools, root, fact, f"{size} helpers", slow=slow, watch=float(whole(60, 240, seed, 62)))


@dataclass(frozen=True)
class Clerk(Plain):
    """Needs a person's word in the middle of its work."""

    def begin(self, task: str, notes: Hashable) -> Any:
        """Not asked."""
        return 0

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Ask, work, finish."""
        if memory == 0:
            return 1, AskPerson("question=may I send the offer")
        if memory == 1:
            return 2, CallTool("send_offer", "customer=4711")
        return memory, Finish("offer=sent")


def person(seed: int, flipped: bool) -> Plan:
    """The person answers within minutes, or is away."""
    name = agents(1, seed)[0]
    return Plan(
        {name: busy(Clerk(), seed)},
        everyday(send_offer=Shelf()),
        Errand(name, f"topic={topic(seed)}"),
        "person is away" if flipped else "person is there",
        person_present=not flipped,
        watch=float(whole(900, 1800, seed, 62)),
    )


FAMILIES = (
    Family("philosophers", philosophers, guarded=0.85),
    Family("phantom", phantom, guarded=0.85),
    Family("long_call", long_call, guarded=0.85),
    Family("reentrant", reentrant, guarded=0.85),
    Family("any_of", any_of, guarded=0.85),
    Family("person", person, guarded=0.85),
)
