"""Turns and tokens per conversation, halts, and parking what was halted so that somebody can drive it again."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hemostat.guard.budget import Limits, Parked, Standing
from hemostat.guard.clock import Clock, unix, unix_of
from hemostat.guard.forks import in_child
from hemostat.guard.orders import Cap, Halt
from hemostat.guard.refusal import Halted

MAX_CONVERSATIONS = 10_000
MAX_TASK = 16_384
"""Bytes of a task's record, as JSON."""


@dataclass(slots=True)
class _Ledger:
    turns: int = 0
    tokens: int = 0
    task: Any = None


@dataclass(frozen=True, slots=True)
class _Stop:
    reason: str
    until: float | None
    deadline: float


class Governor:
    """Counts what conversations use, and stops them. Of more than MAX_CONVERSATIONS the ones used longest ago begin
    again at zero.

    :param parked: told once per halt, with the record; from the thread that noticed.
    :param resumed: told when a parked conversation may go on.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        parked: Callable[[Parked], None],
        resumed: Callable[[Parked], None],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._parked = parked
        self._resumed = resumed
        self._ledgers: OrderedDict[str, _Ledger] = OrderedDict()
        self._halts: dict[str, _Stop] = {}
        self._ordered: dict[str, _Stop] = {}
        self._kept: OrderedDict[str, Parked] = OrderedDict()
        self._caps: dict[str, tuple[int, int, _Stop]] = {}
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def turn(self, conversation: str) -> Standing:
        """Begin a turn of any agent in this conversation. Raises Halted; the calls of a turn once begun still pass."""
        self._check(conversation, turning=True)
        with self._lock:
            ledger = self._ledger(conversation)
            ledger.turns += 1
            limits = self._limits
            soft = _over(ledger.turns - 1, limits.soft_turns) or _over(ledger.tokens, limits.soft_tokens)
        return Standing.WRAP_UP if soft else Standing.GO

    def spent(self, conversation: str, tokens: int) -> None:
        """Count tokens that no span tells of; never raises, the next `turn` or call does."""
        if conversation and tokens > 0:
            with self._lock:
                self._ledger(conversation).tokens += tokens

    def known(self, conversation: str, turns: int, tokens: int) -> None:
        """Take what was used before this process began; what is counted here already never becomes less."""
        with self._lock:
            ledger = self._ledger(conversation)
            ledger.turns, ledger.tokens = max(ledger.turns, turns), max(ledger.tokens, tokens)

    def unused(self, conversation: str) -> None:
        """Give back a turn that was begun and in which nobody was asked."""
        with self._lock:
            ledger = self._ledger(conversation)
            ledger.turns = max(0, ledger.turns - 1)

    def remember(self, conversation: str, task: Any) -> None:
        """Note what it takes to drive this conversation again. ValueError if that is no JSON or over MAX_TASK bytes."""
        try:
            size = len(json.dumps(task).encode())
        except (TypeError, RecursionError) as error:
            raise ValueError(f"the task must be JSON: {error}") from error
        if size > MAX_TASK:
            raise ValueError(f"the task is {size} bytes long, more than {MAX_TASK}; keep it elsewhere and note where")
        with self._lock:
            self._ledger(conversation).task = task

    def used(self, conversation: str) -> tuple[int, int]:
        """Return turns and tokens so far."""
        with self._lock:
            ledger = self._ledgers.get(conversation) or _Ledger()
            return ledger.turns, ledger.tokens

    def check(self, conversation: str) -> None:
        """Raise Halted if this conversation may make no call; park it if that is new."""
        self._check(conversation, turning=False)

    def _check(self, conversation: str, *, turning: bool) -> None:
        if not conversation:
            return
        with self._lock:
            stop = self._stop(conversation, turning=turning)
            news = self._park(conversation, stop) if stop else None
        if news is not None:
            self._parked(news)
        if stop is not None:
            raise Halted(conversation=conversation, reason=stop.reason, until=stop.until)

    def halted(self, conversation: str) -> Halted | None:
        """Return the halt that ends what this conversation has under way here, and park it; limits end nothing."""
        with self._lock:
            stop = self._halt(conversation)
            news = self._park(conversation, stop) if stop else None
        if news is not None:
            self._parked(news)
        return None if stop is None else Halted(conversation=conversation, reason=stop.reason, until=stop.until)

    def halt(self, conversation: str, reason: str, seconds: float) -> None:
        """Stop a conversation for a time (the application's own halt; the operator's come as orders)."""
        now = self._clock.monotonic()
        with self._lock:
            self._halts[conversation] = _Stop(reason, unix(self._clock) + seconds, now + seconds)
            while len(self._halts) > MAX_CONVERSATIONS:
                del self._halts[next(iter(self._halts))]
            news = self._park(conversation, self._halts[conversation])
        if news is not None:
            self._parked(news)

    def resume(self, conversation: str) -> None:
        """End the application's own halt and give the conversation its whole budget again. Orders stay in force."""
        with self._lock:
            self._halts.pop(conversation, None)
            if ledger := self._ledgers.get(conversation):
                ledger.turns = ledger.tokens = 0
        self.release()

    def obey(self, halts: Iterable[tuple[Halt, float]], caps: Iterable[tuple[Cap, float]]) -> None:
        """Hold exactly these orders, each until its deadline (monotonic seconds); the strictest counts."""
        with self._lock:
            self._ordered = {}
            for halt, end in sorted(halts, key=lambda pair: pair[1]):
                self._ordered[halt.conversation] = _Stop(halt.reason, unix_of(self._clock, end), end)
            self._caps = {}
            for cap, end in caps:
                turns, tokens, _ = self._caps.get(cap.conversation, (0, 0, None))
                stop = _Stop(cap.reason, unix_of(self._clock, end), end)
                self._caps[cap.conversation] = (_least(turns, cap.turns), _least(tokens, cap.tokens), stop)
            news = [self._park(name, stop) for name, stop in self._ordered.items() if name in self._ledgers]
        for parked in filter(None, news):
            self._parked(parked)

    def release(self) -> None:
        """Forget halts that are over, and tell of parked conversations that may go on."""
        now = self._clock.monotonic()
        with self._lock:
            self._halts = {name: stop for name, stop in self._halts.items() if stop.deadline > now}
            free = [self._kept.pop(name) for name in list(self._kept) if self._stop(name, turning=True) is None]
        for parked in free:
            self._resumed(parked)

    def _stop(self, conversation: str, *, turning: bool) -> _Stop | None:
        stop = self._halt(conversation)
        ledger = self._ledgers.get(conversation)
        if stop is not None or ledger is None:
            return stop
        now = self._clock.monotonic()
        turns = ledger.turns if turning else 0
        most_turns, most_tokens, cap = self._caps.get(conversation, (0, 0, None))
        if cap is not None and cap.deadline > now and (_over(turns, most_turns) or _over(ledger.tokens, most_tokens)):
            return cap
        if _over(turns, self._limits.hard_turns):
            return _Stop(f"{turns} turns are used", None, float("inf"))
        if _over(ledger.tokens, self._limits.hard_tokens):
            return _Stop(f"{ledger.tokens} tokens are used", None, float("inf"))
        return None

    def _halt(self, conversation: str) -> _Stop | None:
        now = self._clock.monotonic()
        stops = (halts.get(conversation) for halts in (self._ordered, self._halts))
        return next((stop for stop in stops if stop is not None and stop.deadline > now), None)

    def _park(self, conversation: str, stop: _Stop) -> Parked | None:
        if conversation in self._kept:
            return None
        ledger = self._ledger(conversation)
        parked = Parked(conversation, stop.reason, stop.until, ledger.turns, ledger.tokens, ledger.task)
        self._kept[conversation] = parked
        while len(self._kept) > MAX_CONVERSATIONS:
            self._kept.popitem(last=False)
        return parked

    def _ledger(self, conversation: str) -> _Ledger:
        ledger = self._ledgers.setdefault(conversation, _Ledger())
        self._ledgers.move_to_end(conversation)
        while len(self._ledgers) > MAX_CONVERSATIONS:
            self._ledgers.popitem(last=False)
        return ledger


def _over(used: int, limit: int) -> bool:
    return bool(limit) and used >= limit


def _least(one: int, other: int) -> int:
    return min(filter(None, (one, other)), default=0)
