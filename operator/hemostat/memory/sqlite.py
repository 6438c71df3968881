"""Episodes in one SQLite file, their vectors searched in memory (shell).

The file is written in WAL mode by one process; another one that writes too is noticed, and what it wrote is read.
"""

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from hemostat.clock import rfc3339
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.memory.embed import HASHED, Embedding
from hemostat.memory.episode import Episode, Outcome
from hemostat.memory.index import Index, squeeze
from hemostat.memory.sqlitefile import BUSY_SECONDS, open_file, told
from hemostat.memory.store import (
    EVERYWHERE,
    MAX_EPISODES,
    MAX_FOUND,
    MAX_TRIED,
    Match,
    Scope,
    namespace_of,
    tries_of,
)

LOG = logging.getLogger(__name__)
_FORGET = """
DELETE FROM episodes WHERE uid IN (
    SELECT uid FROM (
        SELECT uid, resolved, row_number() OVER (PARTITION BY namespace ORDER BY resolved DESC, uid) AS place
        FROM episodes
    ) ORDER BY place DESC, resolved LIMIT ?
) RETURNING uid
"""


class SqliteMemory:
    """A `Memory` in a file of its own, which is opened, and made if need be, when it is first used.

    Raises `Refused` (MemoryDamaged, MemoryForeign, MemoryUnusable) when it cannot be used, `Retry` when it is busy.

    :param path: the file; beside it SQLite keeps two more, with -wal and -shm at the end.
    :param maximum: episodes that are kept.
    """

    def __init__(self, path: Path, maximum: int = MAX_EPISODES, embedding: Embedding = HASHED) -> None:
        self._path, self._maximum, self._embedding = path, maximum, embedding
        self._lock = threading.Lock()
        self._index = Index(embedding.dims)
        self._seen = -1
        self._room = 0
        """Episodes that can be remembered before they must be counted: counting 100,000 takes milliseconds."""
        self._file: sqlite3.Connection | None = None

    def remember(self, episode: Episode) -> None:
        """As `Memory` says."""
        vector = squeeze(self._embedding.embed(episode.text))
        resolved, words = rfc3339(episode.resolved_time), episode.model_dump_json(by_alias=True)
        row = (episode.uid, episode.namespace, resolved, words, self._embedding.version, vector.tobytes())
        with self._using() as file:
            with _writing(file):
                file.execute("DELETE FROM tries WHERE uid = ?", (episode.uid,))
                file.execute("INSERT OR REPLACE INTO episodes VALUES (?, ?, ?, ?, ?, ?)", row)
                file.executemany("INSERT INTO tries VALUES (?, ?, ?, ?, ?, ?)", tries_of(episode))
                gone = self._forget(file)
            self._index.put(episode.uid, episode.namespace, vector)
            self._index.drop(gone)

    def recall(self, uid: str, scope: Scope) -> Episode | None:
        """As `Memory` says."""
        with self._using() as file:
            return self._read(file, uid, scope)

    def similar(self, text: str, scope: Scope, most: int) -> list[Match]:
        """As `Memory` says."""
        vector = self._embedding.embed(text)
        with self._using() as file:
            found = self._index.search(vector, namespace_of(scope), min(most, MAX_FOUND))
            read = [(self._read(file, uid, scope), score) for uid, score in found]
        return [Match(episode, score) for episode, score in read if episode is not None]

    def outcomes(self, runbook: str, action: str, scope: Scope) -> Counter[Outcome]:
        """As `Memory` says."""
        name = namespace_of(scope)
        query = """SELECT outcome, count(*) FROM tries
            WHERE runbook = ? AND action = ? AND (? IS NULL OR namespace = ?) GROUP BY outcome"""
        with self._using() as file:
            rows = file.execute(query, (runbook, action, name, name)).fetchall()
        return Counter({Outcome(outcome): count for outcome, count in rows})

    def tried(self, scope: Scope, most: int) -> list[Episode]:
        """As `Memory` says."""
        name = namespace_of(scope)
        query = """SELECT uid, episode FROM episodes WHERE uid IN (
                SELECT uid FROM episodes WHERE (? IS NULL OR namespace = ?)
                AND uid IN (SELECT uid FROM tries) ORDER BY resolved DESC, uid LIMIT ?
            ) ORDER BY resolved DESC, uid"""
        with self._using() as file:
            rows = file.execute(query, (name, name, max(0, min(most, MAX_TRIED)))).fetchall()
        return [found for uid, text in rows if (found := self._parsed(uid, text)) is not None]

    def renew(self, most: int) -> int:
        """As `Memory` says."""
        version = self._embedding.version
        query = "SELECT uid FROM episodes WHERE embedding != ? ORDER BY resolved DESC LIMIT ?"
        with self._using() as file:
            rows = file.execute(query, (version, most)).fetchall()
            for (uid,) in rows:
                episode = self._read(file, uid, EVERYWHERE)
                if episode is None:
                    continue
                vector = squeeze(self._embedding.embed(episode.text))
                change = "UPDATE episodes SET embedding = ?, vector = ? WHERE uid = ?"
                file.execute(change, (version, vector.tobytes(), uid))
                self._index.put(uid, episode.namespace, vector)
            (left,) = file.execute("SELECT count(*) FROM episodes WHERE embedding != ?", (version,)).fetchone()
        return int(left)

    def close(self) -> None:
        """As `Memory` says."""
        with self._lock:
            self._let_go()

    def _read(self, file: sqlite3.Connection, uid: str, scope: Scope) -> Episode | None:
        name = namespace_of(scope)
        query = "SELECT episode FROM episodes WHERE uid = ? AND (? IS NULL OR namespace = ?)"
        row = file.execute(query, (uid, name, name)).fetchone()
        return self._parsed(uid, row[0]) if row is not None else None

    def _parsed(self, uid: str, text: str) -> Episode | None:
        try:
            return Episode.model_validate_json(text)
        except ValidationError as error:
            said = "%s: the episode of Incident %s is left out: %d of its fields cannot be read"
            LOG.warning(said, self._path, uid, error.error_count())
            return None

    def _forget(self, file: sqlite3.Connection) -> list[str]:
        """Forget what is beyond the maximum and, that it need not be done each time, one in a hundred more."""
        self._room -= 1
        if self._room >= 0:
            return []
        (count,) = file.execute("SELECT count(*) FROM episodes").fetchone()
        many = count - self._maximum
        gone = file.execute(_FORGET, (many + self._maximum // 100,)).fetchall() if many > 0 else []
        self._room = self._maximum - count + len(gone)
        return [uid for (uid,) in gone]

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Have the file to oneself, as it is now. What is wrong with it is looked at anew each time."""
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise Retry(f"the memory in {self._path} is busy")
        try:
            with told(self._path):
                yield self._present()
        except HemostatError as error:
            self._room = 0
            if isinstance(error, Refused):
                self._let_go()
            raise
        finally:
            self._lock.release()

    def _present(self) -> sqlite3.Connection:
        if self._file is None:
            self._file = open_file(self._path)
            self._seen = -1
        state = int(self._file.execute("PRAGMA data_version").fetchone()[0])
        if state != self._seen:  # another process wrote
            self._index = _index_of(self._file, self._embedding)
            self._seen, self._room = state, 0
        return self._file

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def _index_of(file: sqlite3.Connection, embedding: Embedding) -> Index:
    index = Index(embedding.dims)
    rows = file.execute(
        "SELECT uid, namespace, vector FROM episodes"
        " WHERE embedding = ? AND typeof(vector) = 'blob' AND length(vector) = ?",
        (embedding.version, embedding.dims),
    )
    for uid, namespace, vector in rows:
        index.put(uid, namespace, np.frombuffer(vector, np.int8))
    return index


@contextmanager
def _writing(file: sqlite3.Connection) -> Iterator[None]:
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise
