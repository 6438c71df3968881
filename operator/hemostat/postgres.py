"""What every use of a PostgreSQL needs that may be slow, gone or standing still (shell). Needs the extra `postgres`."""

import os
import socket
import threading
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


@contextmanager
def in_time(connection: Connection) -> Iterator[None]:
    """Hang up at the deadline: a server that stands still never gets to its own."""
    # By a number of our own: that of a closed connection may be another's by the time it is hung up.
    line = socket.socket(fileno=os.dup(connection.fileno()))

    def hang_up() -> None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(DEADLINE_SECONDS + 0.5, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()


def number(connection: Connection, query: str, *values: object) -> int:
    """Return the one number that a query yields."""
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def first_line(error: Exception) -> str:
    """Return the first of an error's lines: the others quote what was asked."""
    return (str(error).splitlines() or [type(error).__name__])[0]
