"""Opens the log, with its key (shell).

Whoever is in earnest mounts the key from a Secret, so that nobody who has the log's volume can sign another one. Where
there is none, a log in a file gets a key of its own beside it; one in a database is not opened.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.record import Entry, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.store import Records, Store
from hemostat.clock import Clock
from hemostat.errors import Broken, Refused

NAME = "hemostat.dev/audit"
"""Of the log and of its keys, unless told otherwise."""
PREVIOUS = "previous.pem"
"""Beside the key: the one before it, from which it takes over."""


def open_log(where: str, key: str, by: str, clock: Clock) -> Log:
    """Open the log and record that it was. Raises `Refused`, `Retry` or `Broken`: then nothing may be done.

    :param where: as `open_store` has it.
    :param key: path of a PEM file; for a log in a file one that is not there, or "", is a key beside the log, made when
        there is none.
    :param by: name and version of the process.
    """
    mounted = Path(key) if key and Path(key).exists() else None
    own = None if in_database(where) else Path(f"{where}.key")
    if mounted is None and own is None:
        said = "a log in PostgreSQL has no key beside it: make one (openssl genpkey -algorithm ed25519 -out key.pem)"
        more = f"mount it, and set HEMOSTAT_AUDIT_KEY to its path (now it is {key or 'unset'})"
        raise Refused("AuditKeyGone", f"{said}, {more}")
    store = open_store(where)
    try:
        if mounted is not None:
            earlier = [path for path in (mounted.with_name(PREVIOUS), own) if path is not None and path.exists()]
            log = _taken_over(store, _load(mounted), earlier, by, clock)
        else:
            assert own is not None
            log = Log(store, _load(own) if own.exists() else _made(own, store), (), by, clock)
        log.append(Entry(Step.STARTED, says={"key": str(log.verifier)}))
    except BaseException:
        store.close()
        raise
    return log


def in_database(where: str) -> bool:
    """Tell whether it is an address of PostgreSQL, not the path of a file."""
    return where.startswith(("postgresql://", "postgres://"))


def open_store(where: str) -> Store:
    """Open the store that is written to: `postgresql://user@host/database`, or the path of a SQLite file.

    Raises `Refused`, `Retry`, or `Broken` (psycopg is missing).
    """
    if not in_database(where):
        return SqliteStore(Path(where))
    with _psycopg():
        from hemostat.audit.postgres import PostgresStore
    return PostgresStore(where)


def open_records(where: str) -> Records:
    """Open what is only read; of a database, as it is now. Raises as `open_store`, and where there is no log."""
    if not in_database(where):
        return SqliteStore(Path(where), read_only=True)
    with _psycopg():
        from hemostat.audit.postgresrecords import PostgresRecords
    return PostgresRecords(where)


def postgres_schema() -> str:
    """Return the SQL that makes the tables. Raises `Broken` (psycopg is missing)."""
    with _psycopg():
        from hemostat.audit.postgreslog import SCHEMA
    return SCHEMA


@contextmanager
def _psycopg() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        said = "an audit log in PostgreSQL needs psycopg: install hemostat[postgres], or name a file"
        raise Broken(f"{said} ({error})") from error


def _taken_over(store: Store, signer: Signer, earlier: Sequence[Path], by: str, clock: Clock) -> Log:
    """Open the log with this key; where another one signed last, that one first names this one as its successor."""
    note = next(store.checkpoints(newest_first=True), None)
    before = next((s for s in map(_load, earlier) if note is not None and _signed(note, s)), None)
    if note is None or before is None or _signed(note, signer):
        return Log(store, signer, (), by, clock)
    old = Log(store, before, (), by, clock)
    old.append(Entry(Step.KEY, says={"key": str(signer.verifier)}))
    return Log(store, signer, (before.verifier,), by, clock)


def _signed(note: str, signer: Signer) -> bool:
    try:
        Checkpoint.open(note, [signer.verifier])
    except ValueError:
        return False
    return True


def _load(path: Path) -> Signer:
    try:
        return Signer.load(NAME, path.read_bytes())
    except OSError as error:
        raise Broken(f"the audit key {path} cannot be read: {error}") from error


def _made(path: Path, store: Store) -> Signer:
    """Make a key, for a log that nobody has signed yet."""
    if next(store.checkpoints(), None) is not None:
        said = f"the key of the audit log, {path}, is gone; put it back, or set HEMOSTAT_AUDIT_KEY"
        raise Refused("AuditKeyGone", said)
    signer, pem = Signer.generate(NAME)
    try:
        path.touch(0o600, exist_ok=False)
        with path.open("wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Broken(f"the audit key {path} cannot be written: {error}") from error
    return signer
