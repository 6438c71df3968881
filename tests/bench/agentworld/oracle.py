"""The truth, from the hidden state alone: forks of it are continued and its graph of states explored.

Trouble is that nothing more can be gained: no fact learnt, no goal reached, on any path from here (that is: from the
moment after the last gain). What cannot be settled within the budget is undecidable and left out. Standstill is a
cycle (AND) or knot (OR) of turns in the real lock table and call tree. Cuts are tried, not reasoned: an edge is refused
in a fork, and frees the others if the fork then comes to an end or gains something.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from .plan import Plan
from .policy import SILENT, Action, Ask, AskPerson, CallTool, Rest, Think
from .run import Did, Record
from .truth import Cut
from .waits import Wait, deadlock
from .world import World, peers_of

BUDGET = 4000
"""States explored before a conversation counts as undecidable."""
TURNS = 40
"""Turns of agents a conversation may take in this estate (a published norm, see NORMS in `sets`)."""
LONGEST_PERIOD = 10
LOCAL = (CallTool, Think, Rest, AskPerson, Ask)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say: see `truth.Truth`."""

    kind: str = ""
    agents: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()
    started: float = 0.0
    repetitions: tuple[float, ...] = ()
    deadline: float = 0.0
    period: int = 0


def judge(world: World, record: Record) -> Verdict:
    """Return the truth about a run that has ended or is no longer watched."""
    if record.stuck:
        return _standstill(record)
    if world.over:
        return _overflow(world, record)
    future = explore(record.calm)
    if future != "nothing":
        return Verdict() if future == "progress" else Verdict("?")
    return _no_progress(world, record)


def explore(start: World) -> Literal["progress", "nothing", "unknown"]:
    """Return whether anything can still be gained on any path from `start` (every order of moves is tried)."""
    first = start.fork()
    first.prune = True
    before, todo, known = first.progress(), [first], {first.key()}
    while todo:
        world = todo.pop()
        for number in _choices(world):
            following = world.fork()
            following.move(number)
            if following.progress() != before:
                return "progress"
            key = following.key()
            if key not in known:
                known.add(key)
                todo.append(following)
        if len(known) > BUDGET:
            return "unknown"
    return "nothing"


def _choices(world: World) -> list[int]:
    """Return the turns whose moves must be tried in every order; one alone when its move touches nothing shared.

    Beginning a call, a rest or errands changes only the turn itself (partial-order reduction): completing them, locks,
    hand-overs and endings are tried in every order. Sound while no agent that keeps notes runs two turns at once.
    """
    movable = world.enabled()
    for number in movable:
        if world.frames[number].status == "ready" and isinstance(world.next_action(number), LOCAL):
            return [number]
    return movable


def _overflow(world: World, record: Record) -> Verdict:
    if not record.overflow_at:
        return Verdict()
    agents, edges = _who(record.did)
    return Verdict("ContextGrowth", agents, _single(edges), record.half_full_at, (), record.overflow_at)


def _no_progress(world: World, record: Record) -> Verdict:
    if any(frame.status == "acting" and not world.can_move(frame) for frame in world.frames.values()):
        waiting = tuple(sorted(one.agent for one in world.frames.values() if one.status == "acting"))
        return Verdict("WaitingForPerson", waiting, (), record.did[-1].at if record.did else record.calm_at)
    if record.descents:
        return _descent(record)
    return _loop(world.plan, record)


def _descent(record: Record) -> Verdict:
    agents = tuple(sorted(record.descending))
    edges = {(did.agent, peer) for did in record.did for peer in peers_of(did.action) if peer in record.descending}
    cuts = tuple((edge,) for edge in sorted(edges) if frees(record.calm, (edge,)))
    return Verdict("Recursion", agents, cuts, record.calm_at, tuple(record.descents))


def _loop(plan: Plan, record: Record) -> Verdict:
    again = [times for times in record.visits.values() if len(times) > 1]
    if not again:
        return Verdict("?")
    times = min(again, key=lambda times: times[0])
    lap = [did for did in record.did if times[0] < did.at <= times[1] and not isinstance(did.action, SILENT)]
    lap = [did for did in lap if not (isinstance(did.action, CallTool) and did.action.side)]
    agents, edges = _who(lap)
    cuts = tuple((edge,) for edge in edges if frees(record.calm, (edge,)))
    kind = _shape(plan, agents, [did.action for did in lap])
    deadline = record.turns[TURNS] if kind == "TurnBudget" and len(record.turns) > TURNS else 0.0
    return Verdict(kind, agents, cuts, record.calm_at, tuple(times[1:]), deadline, len(lap))


def _shape(plan: Plan, agents: tuple[str, ...], lap: list[Action]) -> str:
    if any(isinstance(action, Think) for action in lap):
        return "TokenBurn" if plan.swell > 1 else "RepeatedStep"
    if len(lap) > LONGEST_PERIOD:
        return "TurnBudget"
    if len(agents) > 1:
        return "Cycle"
    if any(getattr(action, "reworded", False) for action in lap):
        return "ParaphraseLoop"
    return "RepeatedStep" if len(lap) == 1 else "Cycle"


def _who(lap: list[Did]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    agents = tuple(sorted({did.agent for did in lap}))
    edges = sorted({(did.agent, peer) for did in lap for peer in peers_of(did.action)})
    return agents, edges


def _single(edges: list[tuple[str, str]]) -> tuple[Cut, ...]:
    return tuple((edge,) for edge in edges)


def frees(start: World, cut: Cut) -> bool:
    """Whether the others come to an end or gain something once these edges refuse (a fork is continued)."""
    world = start.fork()
    world.cut = frozenset(cut)
    before, known = world.progress(), set()
    for _ in range(BUDGET):
        movable = world.enabled()
        if world.over or world.progress() != before:
            return True
        key = world.key()
        if not movable or key in known:
            return False
        known.add(key)
        world.move(movable[0])
    return False


def _standstill(record: Record) -> Verdict:
    world = record.stuck_world
    assert world is not None
    named = {edge: _edge(world, edge) for edge in record.stuck}
    agents = tuple(sorted({world.frames[edge.waiter].agent for edge in record.stuck}))
    cuts: set[Cut] = set()
    for size in range(1, 4):
        ways = [chosen for chosen in combinations(record.stuck, size) if _unlocks(world, chosen)]
        cuts = {tuple(sorted({named[edge] for edge in chosen})) for chosen in ways}
        if cuts:
            break
    return Verdict("Deadlock", agents, tuple(sorted(cuts)), record.stuck_at)


def _edge(world: World, edge: Wait) -> tuple[str, str]:
    return world.frames[edge.waiter].agent, world.frames[edge.holder].agent


def _unlocks(world: World, chosen: tuple[Wait, ...]) -> bool:
    """Whether nobody is stuck once these waits end in an error: waiters for locks, callees of calls give up."""
    after = world.fork()
    for edge in chosen:
        victim = edge.waiter if edge.over else edge.holder
        if victim in after.frames:
            after.abort(victim)
    return not deadlock(after)
