"""Waiting for one's turn: so many threads at once, first come first served, none of the senders all the time."""

import threading

from hemostat.telemetry.shares import Shares


class Turns:
    """Turns that are taken and left. Thread-safe.

    Nobody who could have a turn waits: free turns are only those that the waiting ones have their share of already.

    :param at_once: how many may have their turn at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._shares = Shares(at_once)
        self._waiting: dict[threading.Event, str] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, who: str, seconds: float) -> bool:
        """Wait so long for a turn, and tell whether it came; then `leave` must follow."""
        with self._lock:
            if self._shares.take(who):
                return True
            turn = threading.Event()
            self._waiting[turn] = who
        if turn.wait(seconds):
            return True
        with self._lock:
            return self._waiting.pop(turn, None) is None  # it may have come just now

    def leave(self, who: str) -> None:
        """End a turn; who waits longest and may have it gets it."""
        with self._lock:
            self._shares.give(who)
            for turn, other in self._waiting.items():
                if self._shares.take(other):
                    del self._waiting[turn]
                    turn.set()
                    return
