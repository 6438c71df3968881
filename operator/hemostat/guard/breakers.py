"""All edges that the operator holds in a state, and which hold decides on a call."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from hemostat.guard.breaker import Call, EdgeBreaker
from hemostat.guard.clock import Clock
from hemostat.guard.forks import in_child
from hemostat.guard.orders import Cut, State
from hemostat.guard.refusal import EdgeCut

_STRICT = (State.CLOSED, State.HALF_OPEN, State.OPEN)
Told = Callable[[EdgeBreaker], None]
Refused = Callable[[EdgeBreaker, EdgeCut], None]


class Breakers:
    """One EdgeBreaker per Cut in force. Bounded by the bound on orders.

    :param changed: told when a probe begins, and when it has closed or opened the edge again.
    :param refused: told of the first refused call of each conversation.
    """

    def __init__(self, clock: Clock, changed: Told, refused: Refused) -> None:
        self._clock = clock
        self._changed = changed
        self._refused = refused
        self._held: tuple[EdgeBreaker, ...] = ()
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        for breaker in self._held:
            breaker.renew()

    @property
    def held(self) -> tuple[EdgeBreaker, ...]:
        """The edges under an order."""
        return self._held

    def obey(self, cuts: Iterable[tuple[Cut, float]]) -> None:
        """Hold exactly these edges, each until its deadline (monotonic seconds).

        An order that is held already goes on as it is: its state, its probe and its deadline stay.
        """
        with self._lock:
            held = {breaker.cut: breaker for breaker in self._held}
            wanted = dict(cuts)
            self._held = tuple(
                held.get(cut) or EdgeBreaker(cut, end, self._clock, self._changed) for cut, end in wanted.items()
            )

    def deciding(self, call: Call) -> EdgeBreaker | None:
        """Return the hold that decides: the conversation's before all conversations', the caller's before any
        caller's, then the stricter one, then the one that holds longer."""
        now = self._clock.monotonic()
        matching = [b for b in self._held if b.deadline > now and b.matches(call)]
        return max(matching, key=_precedence, default=None)

    @contextmanager
    def passing(self, call: Call) -> Iterator[None]:
        """Let a call through, or raise EdgeCut."""
        breaker = self.deciding(call) if self._held else None
        if breaker is None:
            yield
            return
        entered = False
        try:
            with breaker.passing(call):
                entered = True
                yield
        except EdgeCut as refusal:
            if not entered:
                self.tell(breaker, refusal)
            raise

    def tell(self, breaker: EdgeBreaker, refusal: EdgeCut) -> None:
        """Tell, the first time in each conversation, that a call was refused or ended."""
        if breaker.first_in(refusal.conversation):
            self._refused(breaker, refusal)


def _precedence(breaker: EdgeBreaker) -> tuple[bool, bool, int, float]:
    cut = breaker.cut
    return bool(cut.conversation), bool(cut.caller), _STRICT.index(breaker.state), breaker.deadline
