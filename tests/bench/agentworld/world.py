"""The hidden state of one conversation and its moves: what the oracle explores and what the run performs in time.

A move is: a ready agent decides; an acting one gets its result; a wait for a lock runs out. The world knows no time and
no chance, so a fork of it continues exactly as the original would.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from .plan import Plan
from .policy import (
    SILENT,
    Acquire,
    Action,
    Ask,
    AskPerson,
    CallTool,
    Compact,
    Failure,
    Finish,
    HandOver,
    Release,
    Rest,
    Seen,
    Think,
)

Edge = tuple[str, str]
"""Who calls, and whom: an agent, a tool, a lock, a person or `model`."""
BASE_CONTEXT = 600
START = Seen("start")


class Happened(NamedTuple):
    """Something an SDK inside the process could notice."""

    what: str
    frame: int
    text: str = ""
    failure: Failure = ""


@dataclass(slots=True)
class Frame:
    """One turn of one agent. `status`: ready, acting, locked, waiting, descends or done."""

    agent: str
    memory: Any
    parent: int | None
    task: str
    origin: Hashable
    status: str = "ready"
    seen: Seen = START
    action: Action | None = None
    children: tuple[int, ...] = ()
    answers: tuple[tuple[int, str], ...] = ()
    rest: float = 0.0
    context: int = BASE_CONTEXT
    version: int = 0


@dataclass(slots=True)
class Lock:
    """Who holds it and who stands in line."""

    owner: int
    line: tuple[int, ...] = ()


class World:
    """See the module. `cut`: edges that refuse; `prune`: leave out turns that begin like an ancestor."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.kinds = list(dict.fromkeys(plan.tools.values()))
        self.states: list[Hashable] = [tool.first() for tool in self.kinds]
        self.frames: dict[int, Frame] = {}
        self.locks: dict[str, Lock] = {}
        self.notes: dict[str, Hashable] = {}
        self.facts: frozenset[str] = frozenset()
        self.cut: frozenset[Edge] = frozenset()
        self.prune = False
        self.over = self.solved = False
        self.spawned = 0
        self.log: list[Happened] = []
        self._spawn(plan.root.agent, plan.root.task, None)

    def fork(self) -> World:
        """Return an independent copy."""
        twin = object.__new__(World)
        twin.__dict__.update(self.__dict__)
        twin.states, twin.notes, twin.log = list(self.states), dict(self.notes), []
        twin.frames = {number: replace(frame) for number, frame in self.frames.items()}
        twin.locks = {name: replace(lock) for name, lock in self.locks.items()}
        return twin

    def enabled(self) -> list[int]:
        """Return the turns that can move."""
        return [number for number, frame in self.frames.items() if self.can_move(frame)]

    def can_move(self, frame: Frame) -> bool:
        """Whether the turn can move by itself: now, after its call returns or after its time-out."""
        if frame.status == "acting":
            return self.plan.person_present or not isinstance(frame.action, AskPerson)
        if frame.status == "locked":
            return cast("Acquire", frame.action).timeout is not None
        return frame.status == "ready"

    def next_action(self, number: int) -> Action:
        """Return what a ready turn is about to do; changes nothing."""
        frame = self.frames[number]
        return self.plan.agents[frame.agent].decide(frame.memory, frame.seen)[1]

    def move(self, number: int) -> None:
        """Make one move of one turn."""
        frame = self.frames[number]
        frame.version += 1
        if frame.status == "acting":
            self._complete(number, frame)
        elif frame.status == "locked":
            self._time_out(number, frame)
        else:
            self._decide(number, frame)

    def abort(self, number: int, failure: Failure = "refused") -> None:
        """End a turn by force: its locks are freed, whoever asked for it gets an error."""
        self._end(number, "error=stopped", failure)

    def progress(self) -> tuple[int, bool]:
        """Return what only ever grows: facts gained, and whether the goal is reached."""
        return len(self.facts), self.over and self.solved

    def key(self, *, core: bool = False) -> Hashable:
        """Return the whole state as a value; with `core`, without the counters that space out side calls."""
        order: dict[int, int] = {}
        roots = tuple(self._tree(number, order, core) for number, frame in self.frames.items() if frame.parent is None)
        locks = tuple(
            (name, order.get(lock.owner), tuple(order.get(one) for one in lock.line))
            for name, lock in sorted(self.locks.items())
        )
        return (roots, locks, self.shared(), self.over)

    def shared(self) -> Hashable:
        """Return what all turns share, without the locks."""
        return (tuple(self.states), self.facts, frozenset(self.notes.items()))

    def owner_of(self, lock: str) -> int | None:
        """Return the turn that holds a lock."""
        held = self.locks.get(lock)
        return None if held is None else held.owner

    def _tree(self, number: int, order: dict[int, int], core: bool) -> Hashable:
        order[number] = len(order)
        frame = self.frames[number]
        memory = self.plan.agents[frame.agent].core(frame.memory) if core else frame.memory
        below = tuple(self._tree(child, order, core) for child in frame.children if child in self.frames)
        context = frame.context if self.plan.window else 0
        answers = tuple(text for _, text in frame.answers)
        return (frame.agent, memory, frame.status, frame.action, frame.seen, answers, frame.rest, context, below)

    def _spawn(self, agent: str, task: str, parent: int | None) -> int:
        self.spawned += 1
        number = self.spawned
        memory = self.plan.agents[agent].begin(task, self.notes.get(agent))
        origin = (agent, memory, self.shared())
        frame = Frame(agent, memory, parent, task, origin)
        repeats = self._repeats_ancestor(origin, parent)
        if repeats and self.prune:
            frame.status = "descends"
        self.frames[number] = frame
        self._tell("spawn", number, "again" if repeats else "")
        return number

    def _repeats_ancestor(self, origin: Hashable, parent: int | None) -> bool:
        while parent is not None:
            frame = self.frames[parent]
            if frame.origin == origin:
                return True
            parent = frame.parent
        return False

    def _tell(self, what: str, number: int, text: str = "", failure: Failure = "") -> None:
        self.log.append(Happened(what, number, text, failure))

    def _decide(self, number: int, frame: Frame) -> None:
        frame.memory, action = self.plan.agents[frame.agent].decide(frame.memory, frame.seen)
        frame.action = action
        if not isinstance(action, SILENT):
            if self.plan.window and frame.context > self.plan.window:
                self._tell("overflow", number)
                self._end(number, "error=context too long", "too_long")
                return
            frame.context += 24
        if self._refused(frame.agent, action):
            self.abort(number)
            return
        _MOVES[type(action)](self, number, frame)

    def _refused(self, agent: str, action: Action) -> bool:
        if not self.cut:
            return False
        peers = peers_of(action)
        return any((agent, peer) in self.cut for peer in peers)

    def _act(self, number: int, frame: Frame) -> None:
        frame.status = "acting"
        self._tell("act", number)

    def _complete(self, number: int, frame: Frame) -> None:
        action = frame.action
        if isinstance(action, (CallTool, Think)):
            self._tool_returns(number, frame, action)
        elif isinstance(action, AskPerson):
            self._see(number, frame, Seen("result", "person=approved"), 8)
        elif isinstance(action, Compact):
            frame.context = BASE_CONTEXT + 400
            self._see(number, frame, Seen("rested"), 0)
        else:
            frame.rest += cast("Rest", action).seconds
            self._see(number, frame, Seen("rested"), 0)

    def _tool_returns(self, number: int, frame: Frame, action: CallTool | Think) -> None:
        name = action.tool if isinstance(action, CallTool) else action.judge
        at = self.kinds.index(self.plan.tools[name])
        self.states[at], outcome = self.kinds[at].call(self.states[at], name, action.about, frame.rest)
        if not (isinstance(action, CallTool) and action.side):
            frame.rest = 0.0
        if outcome.fact:
            self.facts |= {outcome.fact}
        size = outcome.size or len(outcome.text) // 3 + 6
        what = "result" if isinstance(action, CallTool) else "thought"
        self._see(number, frame, Seen(cast("Any", what), outcome.text, outcome.failure), size)

    def _see(self, number: int, frame: Frame, seen: Seen, size: int) -> None:
        frame.context += size
        full = bool(self.plan.window) and frame.context > 0.7 * self.plan.window
        frame.seen, frame.status = replace(seen, full=full), "ready"
        frame.version += 1
        self._tell(seen.what, number, seen.text, seen.failure)

    def _ask(self, number: int, frame: Frame) -> None:
        action = cast("Ask", frame.action)
        frame.status, frame.answers = "waiting", ()
        frame.children = ()
        for errand in action.errands:
            frame.children += (self._spawn(errand.agent, errand.task, number),)

    def _hand_over(self, number: int, frame: Frame) -> None:
        action = cast("HandOver", frame.action)
        self._tell("handover", number, action.message)
        self.notes[frame.agent] = self.plan.agents[frame.agent].keep(frame.memory)
        self._free_locks(number)
        self._drop(number, "")
        following = self._spawn(action.agent, action.message, frame.parent)
        if frame.parent is not None:
            above = self.frames[frame.parent]
            above.children = tuple(following if one == number else one for one in above.children)

    def _acquire(self, number: int, frame: Frame) -> None:
        name = cast("Acquire", frame.action).lock
        lock = self.locks.get(name)
        if lock is None:
            self.locks[name] = Lock(number)
            self._see(number, frame, Seen("granted", name), 0)
        elif name in self.plan.reentrant and self._inside(number, lock.owner):
            self._see(number, frame, Seen("granted", name), 0)
        else:
            frame.status = "locked"
            lock.line += (number,)
            self._tell("locked", number, name)

    def _inside(self, number: int | None, owner: int) -> bool:
        while number is not None and number != owner:
            number = self.frames[number].parent
        return number == owner

    def _time_out(self, number: int, frame: Frame) -> None:
        lock = self.locks[cast("Acquire", frame.action).lock]
        lock.line = tuple(one for one in lock.line if one != number)
        self._see(number, frame, Seen("timeout", failure="timeout"), 0)

    def _release(self, number: int, frame: Frame) -> None:
        name = cast("Release", frame.action).lock
        if self.owner_of(name) == number:
            self._pass_on(name)
        self._see(number, frame, Seen("rested"), 0)

    def _pass_on(self, name: str) -> None:
        lock = self.locks.pop(name)
        if lock.line:
            first = lock.line[0]
            self.locks[name] = Lock(first, lock.line[1:])
            self._see(first, self.frames[first], Seen("granted", name), 0)
            for other in lock.line[1:]:
                self._tell("holder", other, name)

    def _free_locks(self, number: int) -> None:
        for lock in self.locks.values():
            lock.line = tuple(one for one in lock.line if one != number)
        for name in [name for name, lock in self.locks.items() if lock.owner == number]:
            self._pass_on(name)

    def _finish(self, number: int, frame: Frame) -> None:
        action = cast("Finish", frame.action)
        self._end(number, action.answer, "" if action.solved else "cancelled")

    def _drop(self, number: int, text: str, failure: Failure = "") -> None:
        frame = self.frames[number]
        frame.status = "done"
        for child in frame.children:
            if child in self.frames:
                self._free_locks(child)
                self._drop(child, "", "cancelled")
        del self.frames[number]
        self._tell("done", number, text, failure)

    def _end(self, number: int, text: str, failure: Failure) -> None:
        frame = self.frames[number]
        self.notes[frame.agent] = self.plan.agents[frame.agent].keep(frame.memory)
        self._free_locks(number)
        self._drop(number, text, failure)
        if frame.parent is None:
            self.over, self.solved = True, not failure
            return
        self._answer(frame.parent, number, text, failure)

    def _answer(self, parent: int, number: int, text: str, failure: Failure) -> None:
        above = self.frames[parent]
        above.answers += ((number, text),)
        mode = cast("Ask", above.action).mode
        left = [child for child in above.children if child in self.frames]
        if left and mode == "all":
            return
        for child in left:
            self._free_locks(child)
            self._drop(child, "", "cancelled")
        texts = dict(above.answers)
        joined = "|".join(texts[child] for child in above.children if child in texts)
        above.children, above.answers = (), ()
        self._see(parent, above, Seen("answers", joined, failure), len(joined) // 3 + 6)


_MOVES: dict[type, Callable[[World, int, Frame], None]] = {
    CallTool: World._act,
    Think: World._act,
    Rest: World._act,
    AskPerson: World._act,
    Compact: World._act,
    Ask: World._ask,
    HandOver: World._hand_over,
    Acquire: World._acquire,
    Release: World._release,
    Finish: World._finish,
}


def peers_of(action: Action) -> tuple[str, ...]:
    """Return whom an action calls."""
    match action:
        case CallTool(tool=tool):
            return (tool,)
        case Ask(errands=errands):
            return tuple(errand.agent for errand in errands)
        case HandOver(agent=agent):
            return (agent,)
        case Acquire(lock=lock):
            return (lock,)
        case Think():
            return ("model",)
        case AskPerson():
            return ("person",)
        case _:
            return ()
