"""Progress lines: one when a step starts, one every few seconds, one when it ends."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

UPDATE_PIPE = 10.0  # seconds between lines where the output is kept, as in a log
UPDATE_TTY = 0.5  # a terminal is redrawn in place


def seconds(duration: float) -> str:
    """Render a duration as people say it: ``0.4 s``, ``37 s``, ``4 min 05 s``."""
    if duration < 10:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s"


def running_line(running: list[tuple[str, float]], now: float) -> str:
    """Render every running step with the time it has taken so far."""
    return "; ".join(f"{label} {seconds(now - began)}" for label, began in running)


class Progress:
    """Numbers the steps of one command and reports on them.

    Steps may run in several threads at once. ``expect`` announces steps ahead
    of time so that the total in ``[3/12]`` is right from the first line on.
    """

    def __init__(self, out: TextIO | None = None, *, quiet: bool = False) -> None:
        self._out = out if out is not None else sys.stdout
        self._tty = self._out.isatty()
        self._quiet = quiet
        self._lock = threading.RLock()
        self._running: dict[int, tuple[str, float]] = {}
        self._total = 0
        self._started = 0
        self._drawn = False
        self._wake = threading.Condition(self._lock)
        self._ticker: threading.Thread | None = None

    def expect(self, steps: int) -> None:
        """Announce that so many more steps will come."""
        with self._lock:
            self._total += steps

    def say(self, line: str) -> None:
        """Print one line of its own."""
        with self._lock:
            self._clear()
            if not self._quiet:
                self._out.write(line + "\n")
                self._out.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Report that a step runs for as long as the block does."""
        began = time.monotonic()
        with self._lock:
            self._started += 1
            number = self._started
            self._total = max(self._total, number)
            label = f"[{number}/{self._total}] {title}"
            self.say(f"{label} ...")
            self._running[number] = (label, began)
            self._tick_in_background()
        outcome = "failed after"
        try:
            yield
            outcome = "done in"
        finally:
            with self._lock:
                del self._running[number]
                self.say(f"{label}: {outcome} {seconds(time.monotonic() - began)}")

    def _tick_in_background(self) -> None:
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._ticker.start()

    def _tick(self) -> None:
        interval = UPDATE_TTY if self._tty else UPDATE_PIPE
        while True:
            with self._lock:
                self._wake.wait(interval)
                now = time.monotonic()
                # What began only just now has had its own line.
                old = [step for step in self._running.values() if now - step[1] >= interval / 2]
                if not old:
                    continue
                line = running_line(old, now)
                if self._tty:
                    self._draw(line)
                else:
                    self.say(f"  ... {line}")

    def _draw(self, line: str) -> None:
        if not self._quiet:
            self._out.write(f"\r\x1b[K{line[:110]}")
            self._out.flush()
            self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._drawn = False
