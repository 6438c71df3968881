"""Who can never go on: deadlocks in a wait-for graph whose nodes wait for all, or for any, of others (pure).

A node that waits for all is stuck if one of those it waits for is; a node that waits for any, only if all are: for AND
waits a cycle is a deadlock, for OR waits only a knot (Holt, Computing Surveys 1972; Knapp, Computing Surveys 1987).
Both are what is left when every node that can go on has been taken away.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hemostat.telemetry.steps import WaitMode

Node = tuple[bytes, str]
"""An open span, and what else stands for it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A node that does nothing but wait."""

    others: tuple[Node, ...]
    mode: WaitMode
    since: float
    """When the youngest of its waits began, in seconds."""
    guessed: bool = False
    """Whether it may as well wait for others than these."""


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Nodes of which none can ever go on."""

    nodes: tuple[Node, ...]
    """In the order of the cycle: each waits for the next, the last for the first."""
    sure: bool
    """Whether it is one however the nodes wait; otherwise only if they wait for all, and for whom was guessed."""
    since: float
    """When the last of its waits began: before that there was no deadlock."""

    @property
    def edges(self) -> tuple[tuple[Node, Node], ...]:
        """Who waits for whom."""
        return tuple(zip(self.nodes, (*self.nodes[1:], self.nodes[0]), strict=True))


def deadlocks(waiting: Mapping[Node, Waiting]) -> list[Deadlock]:
    """Return every deadlock, the oldest first. Who is not in `waiting` can go on."""
    loose = _stuck(waiting, sure=False)
    if not loose:
        return []
    strict = _stuck(waiting, sure=True)
    found: list[Deadlock] = []
    for stuck, sure in ((strict, True), (loose - strict, False)):
        edges = {n: [o for o in waiting[n].others if o in stuck] for n in sorted(stuck)}
        found += [Deadlock(tuple(c), sure, max(waiting[n].since for n in c)) for c in _cycles(edges)]
    return sorted(found, key=lambda d: (d.since, d.nodes))


def _stuck(waiting: Mapping[Node, Waiting], *, sure: bool) -> set[Node]:
    """Return what is left when every node that can go on was taken away."""
    left = set(waiting)
    above: dict[Node, list[Node]] = {}
    for node, wait in waiting.items():
        for other in wait.others:
            above.setdefault(other, []).append(node)
    open_ = {n: {o for o in w.others if o in left} for n, w in waiting.items()}
    free = [n for n, w in waiting.items() if _goes_on(w, open_[n], sure=sure)]
    while free:
        node = free.pop()
        if node not in left:
            continue
        left.discard(node)
        for one in above.get(node, ()):
            open_[one].discard(node)
            if one in left and _goes_on(waiting[one], open_[one], sure=sure):
                free.append(one)
    return left


def _goes_on(wait: Waiting, stuck: set[Node], *, sure: bool) -> bool:
    if sure and wait.guessed:
        return True
    if wait.mode is WaitMode.ALL or (wait.mode is WaitMode.UNKNOWN and not sure):
        return not stuck
    return len(stuck) < len(set(wait.others)) or not wait.others


def _cycles(edges: Mapping[Node, Sequence[Node]]) -> Iterable[list[Node]]:
    """Yield one shortest cycle of every strongly connected part; who only waits for one is no part of it."""
    seen: set[Node] = set()
    for start in edges:
        if start in seen:
            continue
        cycle = _shortest(edges, start)
        if cycle is not None and not seen & set(cycle):
            seen |= _reachable(edges, start) & _reaching(edges, start)
            yield cycle


def _shortest(edges: Mapping[Node, Sequence[Node]], start: Node) -> list[Node] | None:
    """Return the shortest way from a node back to itself (breadth first)."""
    before: dict[Node, Node] = {}
    todo = [start]
    for node in todo:
        for other in edges.get(node, ()):
            if other == start:
                path = [node]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if other not in before:
                before[other] = node
                todo.append(other)
    return None


def _reachable(edges: Mapping[Node, Sequence[Node]], start: Node) -> set[Node]:
    found, todo = {start}, [start]
    for node in todo:
        new = [o for o in edges.get(node, ()) if o not in found]
        found.update(new)
        todo += new
    return found


def _reaching(edges: Mapping[Node, Sequence[Node]], start: Node) -> set[Node]:
    turned: dict[Node, list[Node]] = {}
    for node, others in edges.items():
        for other in others:
            turned.setdefault(other, []).append(node)
    return _reachable(turned, start)
