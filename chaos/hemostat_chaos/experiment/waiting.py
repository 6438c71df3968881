"""Waiting with a deadline that says what it waits for; time is injected."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from hemostat.clock import Clock
from hemostat.errors import HemostatError, Retry

POLL_SECONDS = 0.25
SAY_EVERY_SECONDS = 5.0


class TimedOut(HemostatError):
    """What was waited for did not come in time."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """Waits, and tells every few seconds what for and for how long already."""

    clock: Clock
    sleep: Callable[[float], None]
    say: Callable[[str], None]

    def until(self, what: str, missing: Callable[[], str | None], deadline_seconds: float) -> float:
        """Wait until `missing` returns None; return how many seconds it took.

        A passing fault of the API server (`Retry`) is something that is missing. Raises `TimedOut`.
        """
        began = self.clock.now()
        told = began
        while True:
            try:
                lacking = missing()
            except Retry as error:
                lacking = str(error)
            now = self.clock.now()
            took = (now - began).total_seconds()
            if lacking is None:
                return took
            if took >= deadline_seconds:
                raise TimedOut(f"{what}: not within {deadline_seconds:g} s: {lacking}")
            if now - told >= timedelta(seconds=SAY_EVERY_SECONDS):
                self.say(f"    {what}: {took:.0f} s so far: {lacking}")
                told = now
            self.sleep(POLL_SECONDS)


def print_line(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def print_error(line: str) -> None:
    """Print to standard error."""
    print(line, file=sys.stderr, flush=True)
