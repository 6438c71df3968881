"""The planner's tasks: begun by a seeded timer or by request, parked when the guard stops them, begun again."""

from __future__ import annotations

import asyncio
import time

from hemostat.guard import EdgeCut, Parked, Refusal
from hemostat_chaos.agents.board import AlreadyRunning, Board, State, pauses
from hemostat_chaos.agents.kinds import KINDS
from hemostat_chaos.agents.letter import Letter, Report
from hemostat_chaos.agents.settings import Settings
from hemostat_chaos.agents.worker import Worker

MAX_RUNNING = 32


class TooManyRunning(Exception):
    """No further conversation can be begun now."""


class Planner:
    """The owner of all conversations. To be made in the event loop's thread."""

    def __init__(self, settings: Settings) -> None:
        self.board = Board()
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._worker: Worker | None = None

    def start(self, worker: Worker) -> None:
        """Begin with the work that comes by itself."""
        self._worker = worker
        if self._settings.rate:
            self._spawn_timer()

    def stop(self) -> None:
        """Let go of everything."""
        for task in self._tasks:
            task.cancel()

    def begin(self, conversation: str, kind: str) -> None:
        """Begin a conversation, or begin a parked one again. Raises AlreadyRunning, TooManyRunning."""
        if self.board.running >= MAX_RUNNING:
            raise TooManyRunning(f"{MAX_RUNNING} conversations are running")
        self.board.begin(conversation, kind, time.time())
        self._spawn(Letter(conversation=conversation, kind=kind, text=KINDS[kind]))

    def told(self, report: Report, refusal: Refusal | None) -> None:
        """Take in how a conversation ended."""
        if refusal is not None:
            self._end(report.conversation, _state(refusal), str(refusal))
        elif report.error:
            self._end(report.conversation, State.FAILED, report.error)
        else:
            self._end(report.conversation, State.DONE, report.text)

    def parked(self, parked: Parked) -> None:
        """The guard halted a conversation; from any thread."""
        self._loop.call_soon_threadsafe(self._end, parked.conversation, State.HALTED, str(parked))

    def resumed(self, parked: Parked) -> None:
        """A halt is over: drive the task again; from any thread."""
        self._loop.call_soon_threadsafe(self._again, parked)

    def _again(self, parked: Parked) -> None:
        try:
            self.begin(parked.conversation, parked.task["kind"])
        except (AlreadyRunning, TooManyRunning) as error:
            print(f"owner of {parked.conversation}: not begun again: {error}", flush=True)

    def _end(self, conversation: str, state: State, said: str) -> None:
        if self.board.end(conversation, state, said, time.time()):
            print(f"owner of {conversation}: {state}: {said}", flush=True)

    def _spawn(self, letter: Letter) -> None:
        self._keep(asyncio.create_task(self._drive(letter)))

    def _spawn_timer(self) -> None:
        self._keep(asyncio.create_task(self._timer()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, letter: Letter) -> None:
        assert self._worker is not None
        try:
            answer = await self._worker.work(letter)
        except Refusal as refusal:
            self._end(letter.conversation, _state(refusal), str(refusal))
        except Exception as error:  # noqa: BLE001 - one task's failure is not the planner's
            self._end(letter.conversation, State.FAILED, repr(error))
        else:
            if answer is not None:
                self._end(letter.conversation, State.DONE, answer)

    async def _timer(self) -> None:
        begun = f"{int(time.time()):x}"
        for number, (seconds, kind) in enumerate(pauses(self._settings.seed, self._settings.rate), 1):
            await asyncio.sleep(seconds)
            try:
                self.begin(f"{kind}-{begun}-{number}", kind)
            except TooManyRunning as error:
                print(f"the timer skips one: {error}", flush=True)


def _state(refusal: Refusal) -> State:
    return State.CUT if isinstance(refusal, EdgeCut) else State.HALTED
