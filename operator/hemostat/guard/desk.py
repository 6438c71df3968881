"""Takes what the ConfigMap says now, refuses what is not in order, and has the rest obeyed. Twice is as once."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hemostat.guard import names
from hemostat.guard.breaker import Call
from hemostat.guard.breakers import Breakers
from hemostat.guard.clock import Clock, unix, unix_of
from hemostat.guard.forks import in_child
from hemostat.guard.governor import Governor
from hemostat.guard.orders import MAX_ORDERS, AnyOrder, BadOrder, Cap, Cut, Halt, State, parse
from hemostat.guard.refusal import Refusal
from hemostat.guard.scopes import Scope, Scopes

MAX_KEY = 253
Report = Callable[[str, Mapping[str, Any]], None]
_Kind = TypeVar("_Kind", Cut, Halt, Cap)
_LOG = logging.getLogger(__name__)


class Desk:
    """Carries out orders. `refused` counts those that were not, each once for as long as it says the same."""

    def __init__(
        self, service: str, clock: Clock, breakers: Breakers, governor: Governor, scopes: Scopes, report: Report
    ) -> None:
        self.refused = 0
        self._service = service
        self._clock = clock
        self._breakers = breakers
        self._governor = governor
        self._scopes = scopes
        self._report = report
        self._deadlines: dict[AnyOrder, float] = {}
        self._running: set[AnyOrder] = set()
        self._bad: set[tuple[str, int]] = set()
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def deliver(self, said: Mapping[str, str]) -> None:
        """Make what is said now the whole of what is in force.

        One order that is garbled is refused whole and the others stand: else whoever can garble one lifts all.
        More than MAX_ORDERS are refused together, and what is in force stays until its own end.
        """
        if len(said) > MAX_ORDERS:
            self._refuse({("", len(said)): f"{len(said)} orders are more than {MAX_ORDERS}"})
            return
        now = unix(self._clock)
        orders: list[AnyOrder] = []
        bad: dict[tuple[str, int], str] = {}
        for key, text in said.items():
            try:
                orders.append(parse(key, text, now))
            except BadOrder as error:
                bad[key[:MAX_KEY], hash(text)] = str(error)
        self._refuse(bad)
        then = self._clock.monotonic()
        with self._lock:
            before = self._deadlines
            mine = [order for order in orders if order.service in ("", self._service)]
            self._deadlines = {order: before.get(order, then + _lasts(order, now)) for order in mine}
        self.tick()

    def tick(self) -> None:
        """Let go of what is over, and end calls under way that may not go on.

        A deadline is in monotonic seconds from when the order was first seen: though the wall clock is set back, or
        nobody takes the order back, a cut ends.
        """
        now = self._clock.monotonic()
        with self._lock:
            known = self._deadlines
            running = {order: end for order, end in known.items() if end > now}
            new, over = running.keys() - self._running, self._running - running.keys()
            self._running = set(running)
            if new or over:
                self._breakers.obey(_of(Cut, running))
                self._governor.obey(_of(Halt, running), _of(Cap, running))
        for order in new:
            self._tell("accepted", order, running[order])
        for order in over:
            self._tell("expired" if order in known else "withdrawn", order, now)
        self._governor.release()
        self._scopes.sweep(self._verdict)

    def _verdict(self, scope: Scope) -> Refusal | None:
        halted = self._governor.halted(scope.conversation)
        if halted is not None or not scope.callee:
            return halted
        call = Call(scope.caller, scope.callee, scope.conversation)
        breaker = self._breakers.deciding(call)
        if breaker is None or not breaker.cut.abort or breaker.state is not State.OPEN:
            return None
        refusal = breaker.refusal(call)
        self._breakers.tell(breaker, refusal)
        return refusal

    def _refuse(self, bad: Mapping[tuple[str, int], str]) -> None:
        for known, reason in bad.items():
            if known not in self._bad:
                self.refused += 1
                _LOG.warning("order %r is refused: %s", known[0], reason)
                said = {names.ORDER_ID: known[0], names.ORDER_STATE: "refused", names.REASON: reason}
                self._report(names.ORDER, said)
        self._bad = set(bad)

    def _tell(self, state: str, order: AnyOrder, end: float) -> None:
        self._report(names.ORDER, about(order, unix_of(self._clock, end)) | {names.ORDER_STATE: state})


def about(order: AnyOrder, until: float) -> dict[str, Any]:
    """Return the attributes that say which order an event is about, and when it ends (Unix seconds)."""
    said: dict[str, Any] = {
        names.ORDER_ID: order.id,
        names.ORDER_KIND: type(order).__name__,
        names.REASON: order.reason,
    }
    said |= {names.UNTIL: round(until), names.CONVERSATION: order.conversation}
    if isinstance(order, Cut):
        said |= {names.CALLER: order.caller, names.CALLEE: order.callee}
    return said


def _lasts(order: AnyOrder, now: float) -> float:
    """Return for how many seconds an order holds that is first seen now (Unix seconds)."""
    left = order.until - now
    return min(left, order.hold_seconds) if order.hold_seconds else left


def _of(kind: type[_Kind], orders: Mapping[AnyOrder, float]) -> list[tuple[_Kind, float]]:
    return [(order, end) for order, end in orders.items() if isinstance(order, kind)]
