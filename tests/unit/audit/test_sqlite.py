"""The log in a file: what every store does, and what is a file's own."""

import sqlite3
import zlib
from contextlib import closing

import pytest
from tests.unit.audit.contract import Contract, Held

from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.store import MAX_KEPT, Head
from hemostat.errors import Refused


class TestSqlite(Contract):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "audit.db"

    def open(self):
        return SqliteStore(self.path)

    def read(self):
        return SqliteStore(self.path, read_only=True)

    def overwrite(self, held: Held):
        with closing(sqlite3.connect(self.path)) as file:
            for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                file.execute(f"DROP TRIGGER {name}")
            file.execute("DELETE FROM records")
            file.execute("DELETE FROM heads")
            file.executemany(
                "INSERT INTO records VALUES (?, ?, ?)", [(n, r.leaf, r.body) for n, r in held.rows.items()]
            )
            file.executemany("INSERT INTO heads VALUES (?, ?)", held.heads.items())
            file.commit()

    def execute(self, statement):
        with closing(sqlite3.connect(self.path)) as file:
            file.execute(statement)
            file.commit()

    def test_what_is_kept_is_no_bomb(self, store):
        bomb = zlib.compress(bytes(MAX_KEPT * 10))
        store._file.execute("INSERT INTO kept VALUES ('bomb', ?)", (bomb,))
        assert len(store.kept("bomb") or b"") == MAX_KEPT


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be one" * 40])
def test_another_s_file_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(Refused), closing(SqliteStore(path, read_only=True)):
        pass
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_told_so(tmp_path):
    with pytest.raises(Refused, match=r"cannot be opened|unable to open"):
        SqliteStore(tmp_path / "none" / "audit.db")


@pytest.mark.parametrize("others", [None, b"an older copy"])
def test_a_log_that_was_moved_away_or_replaced_takes_no_record_that_nobody_would_see(tmp_path, others):
    """Whoever has it open would go on writing to a file that bears no name any more, and act upon it."""
    path = tmp_path / "audit.db"
    with closing(SqliteStore(path)) as store:
        store.commit([], [Head(1, "one")], {}, None)
        path.rename(tmp_path / "moved.db")
        if others is not None:
            path.write_bytes(others)
        with pytest.raises(Refused, match="put back to an earlier state"):
            store.commit([], [Head(2, "two")], {}, "one")
        assert list(store.checkpoints()) == ["one"]
