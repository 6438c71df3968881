"""A SQLite file that is Hemostat's: never one that is damaged, foreign or of a later version (shell)."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hemostat.errors import Refused, Retry

BUSY_SECONDS = 2.0
"""How long another thread's or process's write is waited for."""
_APPLICATION = 0x48454D4F
"""SQLite's application_id of our files: HEMO."""
_VERSION = 1
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS episodes (
    uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, resolved TEXT NOT NULL, episode TEXT NOT NULL,
    embedding TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS tries (
    uid TEXT NOT NULL REFERENCES episodes ON DELETE CASCADE, place INTEGER NOT NULL, namespace TEXT NOT NULL,
    runbook TEXT NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (uid, place)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tried ON tries (runbook, action, namespace, outcome);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
)


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, which is made if need be, readable for nobody else; check it, and make its tables.

    Raises what `told` says.
    """
    with told(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would make it readable for all
        file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(file, path)
        except BaseException:
            file.close()
            raise
        return file


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into what a person can act on.

    `Refused` (MemoryDamaged, MemoryForeign, MemoryUnusable) when it cannot be used, `Retry` when it is busy or the disk
    is full.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGED:
            raise _damaged(path, str(error)) from error
        if code in _PASSING:
            said = f"the memory in {path}: {error}; see whether the disk is full or another process writes to it"
            raise Retry(said, 30) from error
        raise Refused("MemoryUnusable", f"the memory in {path} cannot be used: {error}") from error
    except OSError as error:
        raise Refused("MemoryUnusable", f"the memory in {path} cannot be used: {error}") from error


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    (application,) = file.execute("PRAGMA application_id").fetchone()
    (version,) = file.execute("PRAGMA user_version").fetchone()
    (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != _APPLICATION:
        raise Refused("MemoryForeign", f"{path} is another program's database; name another file")
    if version > _VERSION:
        raise Refused("MemoryForeign", f"{path} was written by a later Hemostat; update this one")
    (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _damaged(path, found)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute("PRAGMA foreign_keys = ON")
    if not tables:
        file.executescript(_SCHEMA)


def _damaged(path: Path, words: str) -> Refused:
    said = f"{path} is damaged ({words}); it is left as it is: restore it, or move it away"
    return Refused("MemoryDamaged", said)
