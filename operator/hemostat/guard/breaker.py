"""The breaker of one edge under one order of the operator: pybreaker's state machine, with our clock and one probe.

Without an order there is no breaker, and a call costs a look at an empty tuple. pybreaker (1.4) asks the machine's
clock and lets every call through when half-open; here the order says when, and only one call is the probe. Pattern:
Nygard, Release It!, 2nd edition, chapter 5.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pybreaker

from hemostat.guard.clock import Clock, unix_of
from hemostat.guard.orders import Cut, State
from hemostat.guard.refusal import EdgeCut

NEVER = 10.0**9
"""Seconds after which pybreaker would half-open by itself: thirty years, for the order decides that."""
MAX_OWNERS = 4096
"""Of so many conversations per order the owners are told; a cut that hits more is everybody's to see."""
_STATES = {
    pybreaker.STATE_OPEN: State.OPEN,
    pybreaker.STATE_HALF_OPEN: State.HALF_OPEN,
    pybreaker.STATE_CLOSED: State.CLOSED,
}
Told = Callable[["EdgeBreaker"], None]


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls whom, where."""

    caller: str
    callee: str
    conversation: str


class EdgeBreaker:
    """One order's hold on one edge, until `deadline` (monotonic seconds).

    :param changed: told after every change of state, outside the lock.
    """

    def __init__(self, cut: Cut, deadline: float, clock: Clock, changed: Told) -> None:
        self.cut = cut
        self.deadline = deadline
        self.refused = 0
        self._owners: set[str] = set()
        self._clock = clock
        self._changed = changed
        self._machine = pybreaker.CircuitBreaker(
            fail_max=1, reset_timeout=NEVER, throw_new_error_on_trip=False, name=f"{cut.caller}->{cut.callee}"
        )
        self._probing = False
        if cut.state is State.OPEN:
            self._machine.open()
        elif cut.state is State.HALF_OPEN:
            self._machine.half_open()
        self._set_probe()
        self.renew()

    def renew(self) -> None:
        """After a fork: the parent's probe is not ours."""
        self._lock = threading.RLock()
        self._probing = False

    @property
    def state(self) -> State:
        """The state at this moment."""
        with self._lock:
            return self._now()

    @property
    def until(self) -> float:
        """When it ends, in Unix seconds: a probe that succeeds closes the edge before that."""
        return unix_of(self._clock, self.deadline)

    def matches(self, call: Call) -> bool:
        """Return whether this order speaks of that call."""
        cut = self.cut
        return (
            cut.callee == call.callee
            and cut.caller in ("", call.caller)
            and cut.conversation in ("", call.conversation)
        )

    def refusal(self, call: Call) -> EdgeCut:
        """Return what a call that is not let through gets."""
        return EdgeCut(
            call.caller, call.callee, conversation=call.conversation, reason=self.cut.reason, until=self.until
        )

    def first_in(self, conversation: str) -> bool:
        """Return whether this is the conversation's first refused call, as far as MAX_OWNERS can be remembered."""
        with self._lock:
            if conversation in self._owners or len(self._owners) >= MAX_OWNERS:
                return False
            self._owners.add(conversation)
            return True

    @contextmanager
    def passing(self, call: Call) -> Iterator[None]:
        """Let the call through, as the probe if it is one. Raises EdgeCut.

        The same edge inside the probe is refused, and with it the probe has failed: it is the loop that was cut.
        """
        with self._lock:
            state = self._now()
            if state is State.OPEN or (state is State.HALF_OPEN and self._probing):
                self.refused += 1
                raise self.refusal(call)
            self._probing = probe = state is State.HALF_OPEN
        if not probe:
            yield
            return
        self._changed(self)
        try:
            with self._machine.calling():
                yield
        finally:
            with self._lock:
                self._probing = False
                self._set_probe()
            self._changed(self)

    def _now(self) -> State:
        if _STATES[self._machine.current_state] is State.OPEN and self._clock.monotonic() >= self._probe_at:
            self._machine.half_open()
        return _STATES[self._machine.current_state]

    def _set_probe(self) -> None:
        wait = self.cut.probe_seconds
        self._probe_at = self._clock.monotonic() + wait if wait else float("inf")
