"""A conversation performed in simulated time: moves of the world, seconds between them, spans for the probe to see.

Nothing sleeps: time is a number in a heap. Durations depend on (seed, turn, step), so the members of a pair share them
up to the first consequence of the flipped fact.
"""

import heapq
import json
from collections.abc import Hashable
from dataclasses import dataclass, field

from . import phrases
from .dice import between, draw
from .policy import SILENT, Acquire, Action, Ask, AskPerson, CallTool, HandOver, Rest, Think
from .probe import Probe, Span
from .waits import Wait, deadlock
from .world import Frame, Happened, World, peers_of

LONG_THOUGHT, LONGEST = 160, 10
"""Tokens of a first draft, and after how many drafts a model writes no longer ones."""


@dataclass(frozen=True, slots=True)
class Did:
    """An action as it was taken: for the shape of a loop."""

    at: float
    agent: str
    action: Action


@dataclass
class Record:
    """What the oracle needs of a run: where progress ended, what came after, which states came again."""

    calm: World
    calm_at: float
    visits: dict[Hashable, list[float]] = field(default_factory=dict)
    did: list[Did] = field(default_factory=list)
    descents: list[float] = field(default_factory=list)
    descending: set[str] = field(default_factory=set)
    stuck: list[Wait] = field(default_factory=list)
    stuck_at: float = 0.0
    stuck_world: World | None = None
    overflow_at: float = 0.0
    half_full_at: float = 0.0
    turns: list[float] = field(default_factory=list)
    end: float = 0.0


class Run:
    """Performs one conversation. `rewords` and `stamps` are habits of the deployment that no policy or tool reads."""

    def __init__(self, world: World, seed: int, start: float, *, stamps: bool) -> None:
        self.world, self.seed, self.start, self.stamps = world, seed, start, stamps
        self.probe = Probe()
        self.record = Record(world.fork(), start)
        self._heap: list[tuple[float, int, int, int]] = []
        self._scheduled: dict[int, int] = {}
        self._count = self._moves = 0
        self._progress = world.progress()
        self._turn: dict[int, int] = {}
        self._steps: dict[int, int] = {}
        self._doing: dict[int, int] = {}
        self._chat: dict[int, int] = {}
        self._said: dict[int, int] = {}
        self._thinks = self._deepest = 0
        root = self.probe.open(Span("workflow", "", "", start, None))
        self._root = root
        self._hear(start)
        self._schedule(start)

    def perform(self) -> Record:
        """Run until the goal, until enough passes through a loop were seen, or until nothing moves."""
        while self._heap and not self._enough():
            at, _, number, version = heapq.heappop(self._heap)
            frame = self.world.frames.get(number)
            if frame is None or frame.version != version:
                continue
            self._move(at, number, frame)
        self._close()
        return self.record

    def _move(self, at: float, number: int, frame: Frame) -> None:
        self._moves += 1
        was_ready = frame.status == "ready"
        self.world.log.clear()
        self.world.move(number)
        if was_ready:
            self._acted(at, number, frame)
        self._hear(at)
        self._remember(at)
        self._schedule(at)
        self.record.end = at

    def _acted(self, at: float, number: int, frame: Frame) -> None:
        action = frame.action
        assert action is not None
        chat = self._chat.pop(number, None)
        if chat is not None:
            self._answer(at, chat, number, action)
        self.record.did.append(Did(at, frame.agent, action))

    def _answer(self, at: float, chat: int, number: int, action: Action) -> None:
        if any(happened.what == "overflow" for happened in self.world.log):
            self.probe.close(chat, at, "", "too_long")
            return
        peer = (peers_of(action) or ("nothing more",))[0]
        self.probe.spans[chat].tokens_out = out = self._words_out(action, len(self.probe.spans))
        self._said[number] = self._said.get(number, 0) + out
        self.probe.close(chat, at, phrases.thought(peer, self.seed, self._turn[number]))

    def _words_out(self, action: Action, count: int) -> int:
        plain = 18 + len(repr(action)) // 4
        if isinstance(action, Think):
            self._thinks += 1
            return int(plain + LONG_THOUGHT * self.world.plan.swell ** min(self._thinks, LONGEST))
        return plain + (int(9 * draw(self.seed, count)) if getattr(action, "reworded", False) else 0)

    def _remember(self, at: float) -> None:
        record, world = self.record, self.world
        progress = world.progress()
        if progress != self._progress:
            self._progress = progress
            record.calm, record.calm_at = world.fork(), at
            record.visits, record.did = {world.key(core=True): [at]}, []
            record.descents, record.descending, self._deepest = [], set(), 0
        elif not world.over:
            record.visits.setdefault(world.key(core=True), []).append(at)
        window = world.plan.window
        if window and not record.half_full_at and any(2 * one.context > window for one in world.frames.values()):
            record.half_full_at = at
        if not record.stuck and any(frame.status in ("locked", "waiting") for frame in world.frames.values()):
            record.stuck = deadlock(world)
            if record.stuck:
                record.stuck_at, record.stuck_world = at, world.fork()

    def _enough(self) -> bool:
        record, plan = self.record, self.world.plan
        if self._moves >= plan.steps or (record.descents and self.world.spawned > 120):
            return True
        if len(record.descents) >= plan.passes:
            return True
        if record.stuck and record.end > record.stuck_at + plan.watch:
            return True
        return any(len(times) > plan.passes for times in record.visits.values())

    def _close(self) -> None:
        record = self.record
        record.end = max(record.end, self.start)
        if self.world.over:
            self.probe.close(self._root, record.end)
        elif not self._heap:
            record.end += self.world.plan.watch

    def _schedule(self, at: float) -> None:
        for number, frame in self.world.frames.items():
            if self._scheduled.get(number) == frame.version or not self.world.can_move(frame):
                continue
            self._scheduled[number] = frame.version
            self._count += 1
            step = self._steps[number] = self._steps.get(number, 0) + 1
            seconds = self._seconds(number, frame, step, at)
            heapq.heappush(self._heap, (at + seconds, self._count, number, frame.version))

    def _seconds(self, number: int, frame: Frame, step: int, at: float) -> float:
        if frame.status == "ready":
            return self._think(number, frame, step, at)
        if frame.status == "locked":
            assert isinstance(frame.action, Acquire)
            assert frame.action.timeout is not None
            return frame.action.timeout
        match frame.action:
            case Rest(seconds=seconds):
                return seconds * between(0.97, 1.05, self.seed, number, step)
            case CallTool(tool=tool):
                typical = self.world.plan.slow.get(tool, 0.25)
                return typical * between(0.5, 1.6, self.seed, number, step)
            case AskPerson():
                return between(20, 240, self.seed, number, step)
            case _:
                return 0.002

    def _think(self, number: int, frame: Frame, step: int, at: float) -> float:
        action = self.world.next_action(number)
        if isinstance(action, SILENT):
            return 0.001
        span = Span("chat", frame.agent, "model", at, self._turn[number], turn=number)
        span.tokens_in = frame.context + self._said.get(number, 0)
        span.asked = frame.seen.text
        self._chat[number] = self.probe.open(span)
        seconds = between(0.4, 2.6, self.seed, number, step) + (0.6 if draw(self.seed, number, step, 1) < 0.05 else 0)
        if isinstance(action, Think):
            seconds += 0.004 * LONG_THOUGHT * self.world.plan.swell ** min(self._thinks, LONGEST)
        return seconds

    def _hear(self, at: float) -> None:
        for happened in self.world.log:
            getattr(self, f"_on_{happened.what}")(at, happened)
        self.world.log.clear()

    def _on_spawn(self, at: float, happened: Happened) -> None:
        frame = self.world.frames[happened.frame]
        above = None if frame.parent is None else self.world.frames[frame.parent]
        parent = self._root if frame.parent is None else self._turn[frame.parent]
        caller = "" if above is None else above.agent
        span = Span("agent", frame.agent, frame.agent, at, parent, caller=caller, turn=happened.frame)
        again = above is not None and isinstance(above.action, Ask) and above.action.reworded
        if again or (above is None and self._handed_reworded):
            span.asked = phrases.reworded(frame.task, self.seed, happened.frame)
        else:
            span.asked = frame.task
        if above is not None and isinstance(above.action, Ask) and len(above.action.errands) > 1:
            span.waits = above.action.mode
        elif above is not None:
            span.waits = "all"
        self._turn[happened.frame] = self.probe.open(span)
        self.record.turns.append(at)
        if happened.text == "again":
            self._descended(at, happened.frame)

    def _descended(self, at: float, number: int) -> None:
        depth, above = 0, self.world.frames[number].parent
        while above is not None:
            depth, above = depth + 1, self.world.frames[above].parent
        self.record.descending.add(self.world.frames[number].agent)
        if depth > self._deepest:
            self._deepest = depth
            self.record.descents.append(at)

    _handed_reworded = False

    def _on_act(self, at: float, happened: Happened) -> None:
        frame = self.world.frames[happened.frame]
        action = frame.action
        if isinstance(action, CallTool):
            count = len(self.probe.spans)
            words = phrases.reworded(action.about, self.seed, count) if action.reworded else ""
            asked = phrases.arguments(action.about, words)
            self._open(at, happened.frame, "tool", action.tool, asked)
        elif isinstance(action, AskPerson):
            self._open(at, happened.frame, "wait", "person", action.question)

    def _open(self, at: float, number: int, operation: str, peer: str, asked: str) -> None:
        agent = self.world.frames[number].agent
        span = Span(operation, agent, peer, at, self._turn[number], asked=asked, turn=number)  # type: ignore[arg-type]
        self._doing[number] = self.probe.open(span)

    def _on_result(self, at: float, happened: Happened) -> None:
        stamp = at if self.stamps and not happened.failure else None
        self._shut(at, happened, phrases.result(happened.text, stamp))

    def _shut(self, at: float, happened: Happened, text: str) -> None:
        doing = self._doing.pop(happened.frame, None)
        if doing is not None:
            self.probe.close(doing, at, text, happened.failure)

    def _on_locked(self, at: float, happened: Happened) -> None:
        self._open(at, happened.frame, "wait", happened.text, "")
        self._on_holder(at, happened)

    def _on_holder(self, at: float, happened: Happened) -> None:
        owner = self.world.owner_of(happened.text)
        if owner in self.world.frames and happened.frame in self._doing:
            holder = self.world.frames[owner].agent
            self.probe.spans[self._doing[happened.frame]].holders.append((at, holder))

    def _on_granted(self, at: float, happened: Happened) -> None:
        doing = self._doing.get(happened.frame)
        if doing is not None:
            self.probe.spans[doing].holders.append((at, ""))
        self._shut(at, happened, "")

    def _on_timeout(self, at: float, happened: Happened) -> None:
        self._shut(at, happened, "")

    def _nothing(self, at: float, happened: Happened) -> None:
        """Nothing an SDK sees."""

    _on_rested = _on_thought = _on_answers = _nothing

    def _on_overflow(self, at: float, happened: Happened) -> None:
        self.record.overflow_at = at

    def _on_handover(self, at: float, happened: Happened) -> None:
        turn = self.probe.spans[self._turn[happened.frame]]
        action = self.record.did[-1].action
        assert isinstance(action, HandOver)
        self._handed_reworded = action.reworded
        count = len(self.probe.spans)
        text = phrases.reworded(action.message, self.seed, count) if action.reworded else action.message
        span = Span("handoff", turn.agent, action.agent, at, self._turn[happened.frame], asked=text, turn=turn.turn)
        self.probe.close(self.probe.open(span), at)

    def _on_done(self, at: float, happened: Happened) -> None:
        self._shut(at, happened, "")
        chat = self._chat.pop(happened.frame, None)
        if chat is not None:
            self.probe.close(chat, at, "", happened.failure)
        text = happened.text
        self.probe.close(self._turn[happened.frame], at, text and json.dumps({"answer": text}), happened.failure)
