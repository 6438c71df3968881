"""Operations on a PostgreSQL that may be slow, gone or standing still (shell).

A connection lives for one operation, of which there are a few per incident: nothing to keep alive, and a failover of
the server needs nothing of us.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
import pybreaker
from psycopg.conninfo import make_conninfo

from hemostat.errors import Broken, Refused, Retry

DEADLINE_SECONDS = 3.0
"""Of connecting, and of all that is asked afterwards; and how long another thread's operation is waited for."""
RESET_SECONDS = 30.0
"""How long a server is left alone after it failed three times in a row."""
_LOCK = 0x48454D4F
"""PostgreSQL's advisory lock under which the tables are made: HEMO."""
_SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE hemostat_episodes (
    uid text PRIMARY KEY, namespace text NOT NULL, resolved timestamptz NOT NULL, episode text NOT NULL,
    embedding text NOT NULL, vector halfvec NOT NULL
) WITH (toast_tuple_target = 1024);
ALTER TABLE hemostat_episodes ALTER COLUMN vector SET STORAGE PLAIN;
CREATE INDEX ON hemostat_episodes (namespace);
CREATE TABLE hemostat_tries (
    uid text NOT NULL REFERENCES hemostat_episodes ON DELETE CASCADE, place integer NOT NULL, namespace text NOT NULL,
    runbook text NOT NULL, action text NOT NULL, outcome text NOT NULL, PRIMARY KEY (uid, place)
);
CREATE INDEX ON hemostat_tries (runbook, action, namespace, outcome);
"""
Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")


class Link:
    """One database with the tables of the memory, which are made if need be. One operation at a time.

    :param address: as libpq has it. Raises `Broken` when it is none.
    """

    def __init__(self, address: str) -> None:
        try:
            self._address = make_conninfo(
                address, connect_timeout=int(DEADLINE_SECONDS), application_name="hemostat-memory"
            )
        except psycopg.Error:
            words = 'the address of the memory is none of PostgreSQL\'s: write "postgresql://user@host/database"'
            raise Broken(words) from None  # libpq's words could quote a password
        self._lock = threading.Lock()
        self._ready = False
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=3, reset_timeout=RESET_SECONDS, exclude=[Refused], name="memory"
        )

    def ask(self, ask: Callable[[Connection], T]) -> T:
        """Ask in a transaction of its own, unless the breaker is open. What is asked may be asked again: it is kept, or
        it is not, but who is told `Retry` cannot know which.

        Raises `Refused` (MemoryUnusable) when a person has to do something, `Retry` when there is no answer in time.
        """
        if not self._lock.acquire(timeout=DEADLINE_SECONDS):
            raise Retry("the memory in PostgreSQL is busy")
        try:
            found: T = self._breaker.call(self._in_words, ask)
        except pybreaker.CircuitBreakerError as error:
            said = f"the memory in PostgreSQL failed repeatedly; it is asked again in {RESET_SECONDS:.0f} s"
            raise Retry(said, RESET_SECONDS) from error
        finally:
            self._lock.release()
        return found

    def _in_words(self, ask: Callable[[Connection], T]) -> T:
        """Ask, and turn what goes wrong into what a person can act on."""
        try:
            with psycopg.connect(self._address) as connection, _in_time(connection):
                connection.prepare_threshold = None  # a pooler may give each transaction another server process
                self._prepare(connection)
                found = ask(connection)
                connection.commit()
                return found
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Retry(f"the memory in PostgreSQL cannot be reached: {_first_line(error)}") from error
        except psycopg.Error as error:
            self._ready = False
            said = f"the memory in PostgreSQL cannot be used: {_first_line(error)}"
            more = "it needs the extension vector (pgvector 0.7 or later) and the right to make tables"
            raise Refused("MemoryUnusable", f"{said}; {more}") from error

    def _prepare(self, connection: Connection) -> None:
        """Make the tables, if need be, and begin a transaction with its deadline."""
        deadline = f"SET LOCAL statement_timeout = {DEADLINE_SECONDS * 1000:.0f}"
        connection.execute(deadline)
        if not self._ready:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))  # replicas start at once
            if not number(connection, "SELECT count(to_regclass('hemostat_tries'))"):
                connection.execute(_SCHEMA)
            connection.commit()
            connection.execute(deadline)
        self._ready = True


@contextmanager
def _in_time(connection: Connection) -> Iterator[None]:
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
