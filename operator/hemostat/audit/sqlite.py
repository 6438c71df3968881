"""The log in one SQLite file (shell). Triggers refuse every change and removal, whoever asks."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hemostat.audit.store import Head, Row, foreign, packed, unpacked
from hemostat.audit.tree import Hash
from hemostat.errors import Refused, Retry

BUSY_SECONDS = 2.0
_APPLICATION = 0x48454D41
"""SQLite's application_id of our logs: HEMA."""
_VERSION = 1
_TABLES = ("records", "heads", "kept")
_SCHEMA = (
    """BEGIN IMMEDIATE;
CREATE TABLE records ("index" INTEGER PRIMARY KEY, leaf BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE heads (size INTEGER PRIMARY KEY, note TEXT NOT NULL);
CREATE TABLE kept (digest TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
    + "".join(
        f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'append only'); END;\n"
        for table in _TABLES
        for verb in ("UPDATE", "DELETE")
    )
    + f"PRAGMA application_id = {_APPLICATION};\nPRAGMA user_version = {_VERSION};\nCOMMIT;"
)
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class SqliteStore:
    """A log in a file. For one process; its threads take turns."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open it. Raises `Refused` (AuditUnusable) when it is no log of ours, `Retry` when it is busy."""
        self._path = path
        with self._told():
            if read_only:
                address = f"{path.resolve().as_uri()}?mode=ro"
            else:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                address = path.resolve().as_uri()
            self._file = sqlite3.connect(
                address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._opened = self._which()
            try:
                self._prepare(read_only=read_only)
            except BaseException:
                self._file.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def size(self) -> int:
        """Return the bytes of the file, and of what waits to be put into it."""
        return sum(path.stat().st_size for path in (self._path, Path(f"{self._path}-wal")) if path.exists())

    def leaves(self) -> Iterator[Hash]:
        """Yield the leaf hashes."""
        with self._told():
            for (leaf,) in self._file.execute('SELECT CAST(leaf AS BLOB) FROM records ORDER BY "index"'):
                yield leaf

    def rows(self, start: int = 0) -> Iterator[Row]:
        """Yield the rows."""
        with self._told():
            columns = '"index", CAST(leaf AS BLOB), CAST(body AS BLOB)'  # whatever somebody may have put there
            query = f'SELECT {columns} FROM records WHERE "index" >= ? ORDER BY "index"'  # noqa: S608
            for index, leaf, body in self._file.execute(query, (start,)):
                yield Row(index, leaf, body)

    def heads(self) -> Iterator[Head]:
        """Yield the signed notes, with their sizes."""
        yield from self._heads("ASC")

    def checkpoints(self, *, newest_first: bool = False) -> Iterator[str]:
        """Yield the signed notes."""
        yield from (head.note for head in self._heads("DESC" if newest_first else "ASC"))

    def kept(self, digest: str) -> bytes | None:
        """Return what a digest is of."""
        with self._told():
            found = self._file.execute("SELECT data FROM kept WHERE digest = ?", (digest,)).fetchone()
        return None if found is None else unpacked(digest, found[0])

    def commit(self, rows: Sequence[Row], heads: Sequence[Head], kept: Mapping[str, bytes], after: str | None) -> None:
        """Append all of it or nothing."""
        compressed = packed(kept)
        with self._told():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                if self._which() != self._opened or next(self.checkpoints(newest_first=True), None) != after:
                    raise foreign(f"the audit log {self._path}")
                self._file.executemany(
                    "INSERT INTO records VALUES (?, ?, ?)", [(r.index, r.leaf, r.body) for r in rows]
                )
                self._file.executemany("INSERT INTO heads VALUES (?, ?)", [(h.size, h.note) for h in heads])
                self._file.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?)", compressed)
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise

    def _which(self) -> tuple[int, int] | None:
        """Tell which file bears the name: one that was moved away or deleted would go on taking records unseen."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _heads(self, order: str) -> Iterator[Head]:
        with self._told():
            query = f"SELECT size, CAST(note AS TEXT) FROM heads ORDER BY size {order}"  # noqa: S608
            for size, note in self._file.execute(query):
                yield Head(size, note)

    def _prepare(self, *, read_only: bool) -> None:
        (application,) = self._file.execute("PRAGMA application_id").fetchone()
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        (tables,) = self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (tables or read_only) and application != _APPLICATION:
            raise Refused("AuditUnusable", f"{self._path} is no audit log; name another file")
        if version > _VERSION:
            raise Refused("AuditUnusable", f"{self._path} was written by a later Hemostat; update this one")
        if read_only:
            return
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")  # on disk before anybody acts on it
        if not tables:
            self._file.executescript(_SCHEMA)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise foreign(f"the audit log {self._path}") from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            said = f"the audit log {self._path}: {error}"
            if code in _PASSING:
                raise Retry(f"{said}; see whether the disk is full", 5) from error
            raise Refused("AuditUnusable", f"{said}; restore it, or move it away and begin another") from error
        except OSError as error:
            raise Refused("AuditUnusable", f"the audit log {self._path} cannot be opened: {error}") from error
