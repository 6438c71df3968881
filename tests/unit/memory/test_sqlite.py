"""The file of past incidents: as good as its interface says, and harmless when the file is not."""

import os
import sqlite3
import stat
import threading

import pytest
from tests.unit.memory.contract import Contract
from tests.unit.memory.episodes import OOM, episode

from hemostat.errors import Broken, Refused, Retry
from hemostat.memory import sqlite, sqlitefile
from hemostat.memory.embed import HASHED
from hemostat.memory.opening import open_memory
from hemostat.memory.sqlite import SqliteMemory
from hemostat.memory.store import MAX_EPISODES


class TestSqlite(Contract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self._path = tmp_path / "memory.db"

    def open(self, maximum=MAX_EPISODES, embedding=HASHED):
        return SqliteMemory(self._path, maximum, embedding)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory.db"


def filled(path, count=1):
    memory = SqliteMemory(path)
    for i in range(count):
        memory.remember(episode(f"uid-{i}"))
    return memory


def remember(memory, count):
    for i in range(3, count):
        memory.remember(episode(f"uid-{i}", f"{OOM} " + "x" * 3000))


def test_nothing_is_opened_before_it_is_used(path):
    SqliteMemory(path).close()
    assert not path.exists()


def test_the_file_is_for_its_owner_alone(path):
    old = os.umask(0)
    try:
        filled(path)
    finally:
        os.umask(old)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "content",
    [b"this is no database, it is a letter\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096],
    ids=["a letter", "a broken header"],
)
def test_a_file_that_is_no_database_is_told_and_left_as_it_is(path, content):
    path.write_bytes(content)
    memory = SqliteMemory(path)
    for use in (lambda: memory.remember(episode()), lambda: memory.similar(OOM, "shop", 1)):
        with pytest.raises(Refused, match="move it away") as caught:
            use()
        assert caught.value.reason == "MemoryDamaged"
    assert path.read_bytes() == content


def damage(path):
    """Overwrite all pages but the first, as a bad disk would."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def test_a_file_with_broken_pages_is_told_and_left_as_it_is(path):
    filled(path, 50).close()
    damage(path)
    before = path.read_bytes()
    with pytest.raises(Refused) as caught:
        SqliteMemory(path).similar(OOM, "shop", 1)
    assert caught.value.reason == "MemoryDamaged"
    assert path.read_bytes() == before


def test_a_damaged_file_that_was_restored_is_used_without_a_restart(path):
    filled(path, 50).close()
    good = path.read_bytes()
    damage(path)
    memory = SqliteMemory(path)
    with pytest.raises(Refused):
        memory.similar(OOM, "shop", 1)
    path.write_bytes(good)
    assert len(memory.similar(OOM, "shop", 50)) == 50


def test_another_programs_database_is_not_touched(path):
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE episodes (season INTEGER)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(Refused, match="another program") as caught:
        SqliteMemory(path).remember(episode())
    assert caught.value.reason == "MemoryForeign"
    assert path.read_bytes() == before


def test_the_file_of_a_later_version_is_not_touched(path):
    filled(path).close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(Refused, match="later Hemostat") as caught:
        SqliteMemory(path).remember(episode())
    assert caught.value.reason == "MemoryForeign"


def test_a_folder_that_is_not_there_is_told(path):
    with pytest.raises(Refused) as caught:
        SqliteMemory(path.parent / "no" / "memory.db").remember(episode())
    assert caught.value.reason == "MemoryUnusable"


def test_another_writer_is_waited_for_not_for_ever(path, monkeypatch):
    monkeypatch.setattr(sqlitefile, "BUSY_SECONDS", 0.01)
    memory = filled(path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retry, match="locked"):
        memory.remember(episode("uid-2"))
    assert len(memory.similar(OOM, "shop", 9)) == 1  # who only reads need not wait
    writer.execute("ROLLBACK")
    memory.remember(episode("uid-2"))
    assert len(memory.similar(OOM, "shop", 9)) == 2


def test_another_thread_is_waited_for_not_for_ever(path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    memory = filled(path)
    inside, done = threading.Event(), threading.Event()

    def hold():
        with memory._using():
            inside.set()
            done.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)
    with pytest.raises(Retry, match="busy"):
        memory.similar(OOM, "shop", 1)
    done.set()
    thread.join()
    assert memory.similar(OOM, "shop", 1)


def test_a_full_disk_loses_nothing_that_was_there(path):
    memory = filled(path, 3)
    memory._file.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size, and no page more
    with pytest.raises(Retry, match="full"):
        remember(memory, 100)
    found = {match.episode.uid for match in memory.similar(OOM, "shop", 50)}
    assert {"uid-0", "uid-1", "uid-2"} <= found
    memory.close()
    again = SqliteMemory(path)
    assert {match.episode.uid for match in again.similar(OOM, "shop", 50)} == found


def test_a_row_that_cannot_be_read_is_left_out_and_told(path, caplog):
    memory = filled(path, 3)
    memory._file.execute("UPDATE episodes SET episode = '{\"uid\": 1}' WHERE uid = 'uid-1'")
    assert {match.episode.uid for match in memory.similar(OOM, "shop", 9)} == {"uid-0", "uid-2"}
    assert "uid-1 is left out" in caplog.text


@pytest.mark.parametrize("vector", ["x'0102'", "replace(hex(zeroblob(192)), '0', 'a')"])
def test_what_is_no_vector_is_not_searched(path, vector):
    """Of another size, or text of the same: one bit of a page tells them apart, and no check of the file does."""
    filled(path, 2).close()
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE episodes SET vector = {vector} WHERE uid = 'uid-1'")
    other.close()
    assert [m.episode.uid for m in SqliteMemory(path).similar(OOM, "shop", 9)] == ["uid-0"]


def test_an_address_says_which_memory_it_is(path):
    assert isinstance(open_memory(str(path)), SqliteMemory)
    with pytest.raises(Broken, match="none of PostgreSQL's") as caught:
        open_memory("postgresql://hemostat:s3cret@host/db?no=such&option")
    assert "s3cret" not in str(caught.value)
