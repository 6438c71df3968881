"""Who waits for whom, from the real lock table and the real calls; what can never move again; a cycle or a knot.

AND waits: a cycle suffices. OR waits: only when everything reachable waits too (a knot), which the fixed point says:
a turn is alive if it can move, if the holder of its lock is alive, if all (AND) or one (OR) of those it called are.
"""

from dataclasses import dataclass
from typing import cast

from .policy import Acquire, Ask
from .world import World


@dataclass(frozen=True, slots=True)
class Wait:
    """One turn waits for another, because of a lock or of an answer."""

    waiter: int
    holder: int
    over: str


def waits(world: World) -> list[Wait]:
    """Return all waits there are now."""
    found = []
    for number, frame in world.frames.items():
        if frame.status == "locked":
            lock = cast("Acquire", frame.action).lock
            found.append(Wait(number, cast("int", world.owner_of(lock)), lock))
        elif frame.status == "waiting":
            found += [Wait(number, child, "") for child in frame.children if child in world.frames]
    return found


def alive(world: World) -> set[int]:
    """Return the turns that can still move, now or after others did."""
    found = set(world.enabled())
    edges = waits(world)
    while True:
        more = {number for number in world.frames if number not in found and _wakes(world, number, edges, found)}
        if not more:
            return found
        found |= more


def _wakes(world: World, number: int, edges: list[Wait], found: set[int]) -> bool:
    holders = [edge.holder in found for edge in edges if edge.waiter == number]
    if not holders:
        return False
    frame = world.frames[number]
    any_will_do = frame.status == "waiting" and cast("Ask", frame.action).mode == "any"
    return any(holders) if any_will_do else all(holders)


def deadlock(world: World) -> list[Wait]:
    """Return the waits within the first cycle or knot of turns that can never move again; none: no deadlock."""
    live = alive(world)
    edges = [edge for edge in waits(world) if edge.waiter not in live and edge.holder not in live]
    reach = _reach(edges)
    for start in sorted(reach):
        ring = {number for number in reach if number in reach[start] and start in reach[number]}
        if start in ring:
            return [edge for edge in edges if edge.waiter in ring and edge.holder in ring]
    return []


def _reach(edges: list[Wait]) -> dict[int, set[int]]:
    reach: dict[int, set[int]] = {}
    for edge in edges:
        reach.setdefault(edge.waiter, set()).add(edge.holder)
    changed = True
    while changed:
        changed = False
        for found in reach.values():
            more = set().union(*(reach.get(number, set()) for number in found)) - found
            found |= more
            changed = changed or bool(more)
    return reach
