"""Processes named so that a reused process id is never taken for the old one."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

# Fields of /proc/PID/stat after the command's closing parenthesis: 0 state, 19 start time.
_STATE_FIELD = 0
_START_FIELD = 19


@dataclass(frozen=True)
class Identity:
    """A process id together with the time (clock ticks since boot) that it started."""

    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.pid}_{self.start}"


def parse_identity(text: str) -> Identity | None:
    """Read what ``str(Identity)`` wrote; None for anything else."""
    pid, _, start = text.partition("_")
    if pid.isdecimal() and start.isdecimal():
        return Identity(int(pid), int(start))
    return None


def parse_stat(text: str) -> tuple[str, int]:
    """Return state and start time from the text of ``/proc/PID/stat``.

    The command may itself hold spaces and parentheses; only the last one counts.
    """
    fields = text.rpartition(")")[2].split()
    return fields[_STATE_FIELD], int(fields[_START_FIELD])


def identify(pid: int) -> Identity | None:
    """Return the identity of a process that runs now, not of a zombie."""
    try:
        state, start = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (OSError, IndexError, ValueError):
        return None
    return None if state in "ZX" else Identity(pid, start)


def own_identity() -> Identity:
    """Return the identity of this process."""
    identity = identify(os.getpid())
    if identity is None:  # no /proc: good enough to make names unique
        return Identity(os.getpid(), 0)
    return identity


def alive(identity: Identity) -> bool:
    """Tell whether exactly this process still runs."""
    return identify(identity.pid) == identity


def stop(identity: Identity, *, grace: float) -> None:
    """End a process that we started: politely, and after the grace period for certain."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not alive(identity):
            return
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return
        end = time.monotonic() + patience
        while alive(identity) and time.monotonic() < end:
            time.sleep(0.02)
