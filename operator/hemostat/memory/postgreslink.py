"""Operations on a PostgreSQL that may be slow, gone or standing still (shell).

A connection lives for one operation, of which there are a few per incident: nothing to keep alive, and a failover of
the server needs nothing of us.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
import pybreaker

from hemostat.errors import Refused, Retry
from hemostat.postgres import DEADLINE_SECONDS, Connection, conninfo, first_line, in_time, number

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
T = TypeVar("T")


class Link:
    """One database with the tables of the memory, which are made if need be. One operation at a time.

    :param address: as libpq has it. Raises `Broken` when it is none.
    """

    def __init__(self, address: str) -> None:
        self._address = conninfo(address, "memory")
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
            with psycopg.connect(self._address) as connection, in_time(connection):
                connection.prepare_threshold = None  # a pooler may give each transaction another server process
                self._prepare(connection)
                found = ask(connection)
                connection.commit()
                return found
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Retry(f"the memory in PostgreSQL cannot be reached: {first_line(error)}") from error
        except psycopg.Error as error:
            self._ready = False
            said = f"the memory in PostgreSQL cannot be used: {first_line(error)}"
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
