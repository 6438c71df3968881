"""What is read of a log in PostgreSQL: a moment of it, a bounded part at a time (shell)."""

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg

from hemostat.audit.postgreslog import BOUNDS, NAME, check, told
from hemostat.audit.record import MAX_BYTES
from hemostat.audit.store import MAX_KEPT, Head, Row, unpacked
from hemostat.audit.tree import Hash
from hemostat.postgres import Connection, conninfo, in_time, number

PAGE = 512
"""Rows that are read in one go: at most 32 MiB."""
_SIZE = """SELECT pg_total_relation_size('hemostat_audit_records') + pg_total_relation_size('hemostat_audit_heads')
    + pg_total_relation_size('hemostat_audit_kept')"""
_KEPT = "SELECT substring(data FOR %s) FROM hemostat_audit_kept WHERE digest = %s"


class PostgresRecords:
    """What a log held at one moment: when this was opened."""

    def __init__(self, address: str) -> None:
        """Open it. Raises `Broken`, `Retry`, or `Refused` (AuditUnusable) when there is no log of ours."""
        self._cursors = itertools.count()
        with told():
            self._connection = connected(conninfo(address, NAME))
            try:
                self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                self._connection.read_only = True
                with in_time(self._connection):
                    self._connection.execute(BOUNDS)
                    check(self._connection)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def leaves(self) -> Iterator[Hash]:
        """Yield the leaf hashes."""
        yield from (
            leaf for (leaf,) in self._read('substring(leaf FOR 33) FROM hemostat_audit_records ORDER BY "index"')
        )

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Yield the rows. What somebody made too large to be a record is cut."""
        columns = f'"index", substring(leaf FOR 33), substring(body FOR {MAX_BYTES + 1})'
        for row in self._read(f'{columns} FROM hemostat_audit_records WHERE "index" >= {start} ORDER BY "index"'):
            yield Row(*row)

    def heads(self) -> Iterator[Head]:
        """Yield the signed notes, with their sizes."""
        for row in self._read(f"size, left(note, {MAX_BYTES + 1}) FROM hemostat_audit_heads ORDER BY size"):
            yield Head(*row)

    def checkpoints(self, *, newest_first: bool = False) -> Iterator[str]:
        """Yield the signed notes."""
        order = "DESC" if newest_first else "ASC"
        notes = self._read(f"left(note, {MAX_BYTES + 1}) FROM hemostat_audit_heads ORDER BY size {order}")
        yield from (note for (note,) in notes)

    def size(self) -> int:
        """Return the bytes of the tables, with their indexes."""
        with told(), in_time(self._connection):
            return size_of(self._connection)

    def kept(self, digest: str) -> bytes | None:
        """Return what a digest is of."""
        with told(), in_time(self._connection):
            return kept_of(self._connection, digest)

    def _read(self, what: str) -> Iterator[tuple[Any, ...]]:
        name = f"c{next(self._cursors)}"
        with told():
            with in_time(self._connection):
                self._connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR SELECT {what}")
            while page := self._page(name):
                yield from page

    def _page(self, name: str) -> list[tuple[Any, ...]]:
        with in_time(self._connection):
            return self._connection.execute(f"FETCH {PAGE} FROM {name}", binary=True).fetchall()


def connected(where: str) -> Connection:
    """Connect, in a way that a pooler may stand between."""
    connection = psycopg.connect(where)
    connection.prepare_threshold = None  # a pooler may give each transaction another server process
    return connection


def kept_of(connection: Connection, digest: str) -> bytes | None:
    """Return what a digest is of."""
    found = connection.execute(_KEPT, (2 * MAX_KEPT, digest), binary=True).fetchone()
    return None if found is None else unpacked(digest, found[0])


def size_of(connection: Connection) -> int:
    """Return the bytes of the tables, with their indexes."""
    return number(connection, _SIZE)
