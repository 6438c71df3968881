"""The log in a PostgreSQL database (shell). Triggers refuse every change and removal; needs the extra `postgres`.

Whoever owns the tables can drop the triggers, so let another role own them: the README has the SQL.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TypeVar

import psycopg

from hemostat.audit.postgreslog import BOUNDS, DISCONNECTED, NAME, prepare, told
from hemostat.audit.postgresrecords import PostgresRecords, connected, kept_of, size_of
from hemostat.audit.store import Head, Row, Unsure, foreign, packed
from hemostat.audit.tree import Hash
from hemostat.errors import Retry
from hemostat.postgres import DEADLINE_SECONDS, Connection, conninfo, in_time

WAIT_SECONDS = 4 * DEADLINE_SECONDS
"""How long another thread's turn is waited for: that of two attempts."""
_NEWEST = "SELECT note FROM hemostat_audit_heads ORDER BY size DESC LIMIT 1"
_APPEND = f"""
WITH same AS (SELECT 1 WHERE ({_NEWEST}) IS NOT DISTINCT FROM %(after)s::text),
records AS (INSERT INTO hemostat_audit_records SELECT r.* FROM same,
    unnest(%(indexes)b::bigint[], %(leaves)b::bytea[], %(bodies)b::bytea[]) AS r),
heads AS (INSERT INTO hemostat_audit_heads SELECT h.* FROM same, unnest(%(sizes)b::bigint[], %(notes)b::text[]) AS h),
kept AS (INSERT INTO hemostat_audit_kept SELECT k.* FROM same, unnest(%(digests)b::text[], %(data)b::bytea[]) AS k
    ON CONFLICT DO NOTHING)
SELECT count(*) FROM same
"""  # noqa: S608
T = TypeVar("T")


class PostgresStore:
    """A log that is appended to. For one process; its threads take turns at one connection, which is kept."""

    def __init__(self, address: str) -> None:
        """Open it; its tables are made if need be.

        :param address: as libpq has it: `postgresql://user@host/database?sslmode=verify-full`. libpq reads the password
            from PGPASSWORD or PGPASSFILE. Of several hosts the one is taken that can be written to.
        Raises `Broken`, `Retry`, or `Refused` (AuditUnusable).
        """
        self._where = conninfo(address, NAME)
        self._address = conninfo(address, NAME, target_session_attrs="read-write")
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._ask(prepare)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._hang_up()

    def leaves(self) -> Iterator[Hash]:
        """Yield the leaf hashes of this moment."""
        with closing(PostgresRecords(self._where)) as now:
            yield from now.leaves()

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Yield the rows of this moment."""
        with closing(PostgresRecords(self._where)) as now:
            yield from now.rows(start)

    def heads(self) -> Iterator[Head]:
        """Yield the signed notes of this moment, with their sizes."""
        with closing(PostgresRecords(self._where)) as now:
            yield from now.heads()

    def checkpoints(self, *, newest_first: bool = False) -> Iterator[str]:
        """Yield the signed notes of this moment."""
        with closing(PostgresRecords(self._where)) as now:
            yield from now.checkpoints(newest_first=newest_first)

    def size(self) -> int:
        """Return the bytes of the tables, with their indexes."""
        return self._ask(size_of)

    def kept(self, digest: str) -> bytes | None:
        """Return what a digest is of."""
        return self._ask(lambda c: kept_of(c, digest))

    def commit(self, rows: Sequence[Row], heads: Sequence[Head], kept: Mapping[str, bytes], after: str | None) -> None:
        """Append all of it or nothing."""
        compressed = packed(kept)
        asked = {
            "after": after,
            "indexes": [r.index for r in rows],
            "leaves": [r.leaf for r in rows],
            "bodies": [r.body for r in rows],
            "sizes": [h.size for h in heads],
            "notes": [h.note for h in heads],
            "digests": [digest for digest, _ in compressed],
            "data": [data for _, data in compressed],
        }

        attempts = 0

        def append(connection: Connection) -> bool:
            nonlocal attempts
            attempts += 1
            try:
                with connection.pipeline():  # one journey, not four
                    connection.execute(BOUNDS)
                    appended = connection.execute(_APPEND, asked)
                    connection.commit()
                if appended.fetchone() == (1,):
                    return True
            except psycopg.errors.UniqueViolation:
                connection.rollback()
            if attempts == 1 or not heads:
                return False
            return connection.execute(_NEWEST).fetchone() == (heads[-1].note,)  # by the attempt before

        try:
            done = self._ask(append)
        except Retry as error:
            if attempts:
                raise Unsure(str(error), error.delay_seconds) from error
            raise
        if not done:
            raise foreign(f"the {NAME} in PostgreSQL")

    def _ask(self, ask: Callable[[Connection], T]) -> T:
        """Ask in a transaction of its own; once more where the connection had been kept, for it may have been dead."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise Retry(f"the {NAME} in PostgreSQL is busy")
        try:
            with told():
                kept = self._connection is not None
                try:
                    return self._once(ask)
                except DISCONNECTED:
                    if not kept:
                        raise
                    return self._once(ask)
        finally:
            self._lock.release()

    def _once(self, ask: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = connected(self._address)
        try:
            with in_time(self._connection):
                found = ask(self._connection)
                self._connection.commit()
        except BaseException:
            self._hang_up()  # whatever it was, what follows begins anew
            raise
        return found

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
