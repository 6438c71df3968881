"""What an application calls, and where the parts are put together. The package's docstring has an example."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.sdk.trace import ReadableSpan

from hemostat.guard import names
from hemostat.guard.actor import Actor, current
from hemostat.guard.breaker import Call, EdgeBreaker
from hemostat.guard.breakers import Breakers
from hemostat.guard.budget import Limits, Parked
from hemostat.guard.clock import Clock
from hemostat.guard.configmap import OrderConfigMap
from hemostat.guard.desk import Desk, about
from hemostat.guard.directory import OrderDirectory
from hemostat.guard.governor import Governor
from hemostat.guard.refusal import EdgeCut
from hemostat.guard.report import Reporter, attributes_of
from hemostat.guard.scopes import Passage, Scopes
from hemostat.guard.spans import HEARTBEAT_SECONDS, MAX_OPEN, GuardSpanProcessor
from hemostat.guard.ticker import Ticker
from hemostat.guard.waits import Kind, Mode, Waits

_What = TypeVar("_What")
_LOG = logging.getLogger(__name__)


class Guard:
    """The guard of one process. Nothing of it raises into the application but EdgeCut and Halted, where they are due.

    :param on_cut: told once per order and conversation when a call was refused: tell the conversation's owner.
    :param on_park: told once per halt, with the record to drive the task again.
    :param on_resume: told when a parked conversation may go on.
        Callbacks run in whatever thread notices; they must be short. What they raise is logged.
    """

    def __init__(
        self,
        service: str,
        logs: LoggerProvider,
        *,
        tracer: trace.Tracer | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        max_open: int = MAX_OPEN,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        on_cut: Callable[[EdgeCut], None] | None = None,
        on_park: Callable[[Parked], None] | None = None,
        on_resume: Callable[[Parked], None] | None = None,
        clock: Clock = time,
    ) -> None:
        self._report = Reporter(logs, clock)
        self._waits = Waits(tracer or trace.get_tracer("hemostat.guard"))
        self._on_cut, self._on_park, self._on_resume = on_cut, on_park, on_resume
        self.ticker = Ticker()
        self.processor = GuardSpanProcessor(
            logs,
            heartbeat_seconds=heartbeat_seconds,
            max_open=max_open,
            clock=clock,
            ticker=self.ticker,
            ended=self._count,
        )
        self.scopes = Scopes()
        self.breakers = Breakers(clock, self._changed, self._refused)
        self.governor = Governor(clock, limits, self._parked, self._resumed)
        self.desk = Desk(service, clock, self.breakers, self.governor, self.scopes, self._report.guard)
        self.ticker.add(self.desk.tick)
        self._orders: OrderConfigMap | None = None

    def follow(self, orders: OrderConfigMap | OrderDirectory) -> None:
        """Obey the orders found there, from now on."""
        if isinstance(orders, OrderDirectory):
            self.ticker.add(lambda: self.desk.deliver(orders.look()))
        else:
            self._orders = orders
            orders.start(self.desk.deliver)

    def call(self, callee: str, *, caller: str | None = None, conversation: str | None = None) -> Passage:
        """Return a context manager around one call of an agent, a tool or a model. Raises EdgeCut or Halted.

        `async with` can also be ended while the call hangs; `with` only refuses to begin. Caller and conversation are
        those of `acting`, else of the current span, unless given.
        """
        actor = current()
        made = Call(
            actor.agent if caller is None else caller,
            callee,
            actor.conversation if conversation is None else conversation,
        )
        return Passage(lambda: self._calling(made), lambda: self._calling_breakable(made))

    def wait(self, for_: str, kind: Kind = "lock", mode: Mode = "all", holder: str | None = None) -> Passage:
        """Return a context manager around a wait, which makes it visible while it lasts.

        :param for_: name of the lock, agent or person, the same in every process: "lock:orders".
        :param mode: "all" when everything waited for inside must come, "any" when the first is enough.
        :param holder: the agent that holds it; None: whoever is inside `holding` in this process, as that changes.
        `async with` ends with Halted when the conversation is halted; `with` (threads) cannot be ended.
        """
        actor = current()
        return Passage(
            lambda: self._waiting(actor, for_, kind, mode, holder),
            lambda: self._waiting_breakable(actor, for_, kind, mode, holder),
        )

    def holding(self, lock: str) -> AbstractContextManager[None]:
        """Return a context manager around the time in which the acting agent holds a lock."""
        return self._waits.holding(current(), lock)

    def shutdown(self, timeout: float = 2.0) -> None:
        """Stop the threads, within about `timeout` seconds each. Calls pass; nothing is cut any more."""
        self.ticker.stop(timeout)
        if self._orders is not None:
            self._orders.stop(timeout)
        self.desk.deliver({})

    @contextmanager
    def _calling(self, call: Call) -> Iterator[None]:
        self.governor.check(call.conversation)
        with self.breakers.passing(call):
            yield

    @asynccontextmanager
    async def _calling_breakable(self, call: Call) -> AsyncIterator[None]:
        with self._calling(call):
            async with self.scopes.breakable(call.conversation, call.caller, call.callee):
                yield

    @contextmanager
    def _waiting(self, actor: Actor, for_: str, kind: Kind, mode: Mode, holder: str | None) -> Iterator[None]:
        self.governor.check(actor.conversation)
        with self._waits.waiting(actor, for_, kind, mode, holder):
            yield

    @asynccontextmanager
    async def _waiting_breakable(
        self, actor: Actor, for_: str, kind: Kind, mode: Mode, holder: str | None
    ) -> AsyncIterator[None]:
        with self._waiting(actor, for_, kind, mode, holder):
            async with self.scopes.breakable(actor.conversation, actor.agent, ""):
                yield

    def _count(self, span: ReadableSpan) -> None:
        attributes = attributes_of(span)
        if names.is_inference(attributes) and (tokens := names.tokens(attributes)):
            self.governor.spent(names.conversation(attributes) or current().conversation, tokens)

    def _changed(self, breaker: EdgeBreaker) -> None:
        said = {names.ORDER_STATE: str(breaker.state), names.REFUSED: breaker.refused}
        self._report.guard(names.ORDER, about(breaker.cut, breaker.until) | said)

    def _refused(self, breaker: EdgeBreaker, refusal: EdgeCut) -> None:
        said = {names.CONVERSATION: refusal.conversation, names.CALLER: refusal.caller}
        self._report.guard(names.CUT, about(breaker.cut, breaker.until) | said)
        _tell(self._on_cut, refusal)

    def _parked(self, parked: Parked) -> None:
        self._report.guard(names.HALT, _about(parked))
        _tell(self._on_park, parked)

    def _resumed(self, parked: Parked) -> None:
        self._report.guard(names.RESUME, _about(parked))
        _tell(self._on_resume, parked)


def _about(parked: Parked) -> dict[str, Any]:
    said = {names.CONVERSATION: parked.conversation, names.REASON: parked.reason}
    until = int(parked.until) if parked.until is not None else None
    return said | {names.UNTIL: until, names.TURNS: parked.turns, names.TOKENS: parked.tokens}


def _tell(callback: Callable[[_What], None] | None, what: _What) -> None:
    if callback is None:
        return
    try:
        callback(what)
    except Exception:  # noqa: BLE001 - it is the application's own
        _LOG.exception("a callback of the guard failed")
