"""What every use of a PostgreSQL needs that may be slow, gone or standing still (shell). Needs the extra `postgres`."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from hemostat.errors import Broken

DEADLINE_SECONDS = 3.0
"""Of connecting, and of all that is asked in one go afterwards."""
Connection = psycopg.Connection[tuple[Any, ...]]


def conninfo(address: str, of: str, **more: str) -> str:
    """Return an address with a deadline for connecting, and the application's name.

    :param address: as libpq has it.
    :param of: what is kept there, such as `memory`, for people.
    :param more: further parameters of libpq.
    Raises `Broken` when the address is none.
    """
    try:
        return make_conninfo(
            address, connect_timeout=int(DEADLINE_SECONDS), application_name=f"hemostat-{of.replace(' ', '-')}", **more
        )
    except psycopg.Error:
        words = f'the address of the {of} is none of PostgreSQL\'s: write "postgresql://user@host/database"'
        raise Broken(words) from None  # libpq's words could quote a password


class _Watch:
    """Hangs up what takes too long. One thread for all: one for each commit would cost as much as the commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[socket.socket, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, line: socket.socket, seconds: float) -> None:
        """Hang up unless it is removed within so many seconds, and at most half of one more."""
        with self._lock:
            self._lines[line] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="postgres-deadlines", daemon=True)
                self._thread.start()

    def remove(self, line: socket.socket) -> None:
        """Let it be."""
        with self._lock:
            del self._lines[line]

    def _run(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock:
                for line in [line for line, due in self._lines.items() if due < time.monotonic()]:
                    with suppress(OSError):
                        line.shutdown(socket.SHUT_RDWR)


_WATCH = _Watch()


@contextmanager
def in_time(connection: Connection) -> Iterator[None]:
    """Hang up at the deadline: a server that stands still never gets to its own."""
    # By a number of our own: that of a closed connection may be another's by the time it is hung up.
    line = socket.socket(fileno=os.dup(connection.fileno()))
    _WATCH.add(line, DEADLINE_SECONDS + 0.5)
    try:
        yield
    finally:
        _WATCH.remove(line)
        line.close()


def number(connection: Connection, query: str, *values: object) -> int:
    """Return the one number that a query yields."""
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def first_line(error: Exception) -> str:
    """Return the first of an error's lines: the others quote what was asked."""
    return (str(error).splitlines() or [type(error).__name__])[0]
