"""Records are on disk, in order and signed before anybody is told so; where they cannot be, nobody is told so."""

import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit import log as module
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.record import MAX_BYTES, Entry, Record, Step, digest
from hemostat.audit.sqlite import MAX_KEPT, SqliteStore
from hemostat.audit.store import Row
from hemostat.audit.verify import verify
from hemostat.clock import FakeClock
from hemostat.errors import Refused, Retry

KEY = Signer("hemostat.dev/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Kept:
    """A store in memory that can be told to fail or to stand still."""

    def __init__(self) -> None:
        self.written: list[Row] = []
        self.notes: list[str] = []
        self.commits = 0
        self.fails: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def leaves(self) -> Iterator[bytes]:
        return (row.leaf for row in self.written)

    def rows(self, start: int = 0) -> Iterator[Row]:
        return iter(self.written[start:])

    def checkpoints(self, *, newest_first: bool = False) -> Iterator[str]:
        return iter(self.notes[::-1] if newest_first else self.notes)

    def kept(self, digest: str) -> bytes | None:
        return None

    def commit(self, rows: Sequence[Row], checkpoint: str, kept: Mapping[str, bytes]) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        if self.fails is not None:
            raise self.fails
        self.commits += 1
        self.written += rows
        self.notes.append(checkpoint)


def opened(store: Kept | SqliteStore) -> Log:
    return Log(store, KEY, (), "hemostat-act 1", FakeClock(NOON))


def test_a_record_says_what_was_done_when_and_by_whom(tmp_path: Path) -> None:
    entry = Entry(Step.INTENT, "shop", "fix-1", "uid", says={"action": "rollback", "replicas": 3})
    with closing(SqliteStore(tmp_path / "audit.db")) as store:
        assert opened(store).append(entry, {"facts": b"all of it"}).index == 0
        (row,) = store.rows()
        record = Record.decode(row.body)
        assert (record.time, record.by) == (NOON, "hemostat-act 1")
        assert record.entry.digests == {"facts": digest(b"all of it")}
        assert store.kept(digest(b"all of it")) == b"all of it"
        assert store.kept("other") is None
        assert row.body == record.encode(), "what is read is written the same again"


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    for n in range(3):
        with closing(SqliteStore(path)) as store:
            assert opened(store).append(Entry(Step.STARTED)).index == n
    with closing(SqliteStore(path, read_only=True)) as store:
        assert verify(store, [KEY.verifier]).whole


def test_what_fails_was_not_recorded_and_the_next_takes_its_place() -> None:
    store = Kept()
    log = opened(store)
    store.fails = Retry("the disk is full", 5)
    with pytest.raises(Retry, match="disk is full"):
        log.append(Entry(Step.INTENT))
    store.fails = None
    assert log.append(Entry(Step.INTENT)).index == 0
    assert verify(store, [KEY.verifier]).whole


def test_a_mistake_of_ours_ends_the_one_who_writes_and_lets_nobody_wait() -> None:
    store = Kept()
    log = opened(store)
    store.fails = ZeroDivisionError("ours")
    store.gate.clear()
    told: list[BaseException] = []

    def write() -> None:
        try:
            log.append(Entry(Step.INTENT))
        except (Refused, ZeroDivisionError) as error:
            told.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert store.entered.wait(10)
    store.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(told) == 3
    assert not store.written


def test_those_who_wait_share_a_commit() -> None:
    store = Kept()
    log = opened(store)
    store.gate.clear()
    found: list[int] = []
    first = threading.Thread(target=lambda: found.append(log.append(Entry(Step.STARTED)).index))
    first.start()
    assert store.entered.wait(10)
    others = [threading.Thread(target=lambda: found.append(log.append(Entry(Step.RESULT)).index)) for _ in range(6)]
    for thread in others:
        thread.start()
    while len(log._pending) < 6:
        threading.Event().wait(0.001)
    store.gate.set()
    for thread in (first, *others):
        thread.join(10)
    assert sorted(found) == list(range(7))
    assert store.commits == 2, "one for the first, one for the six who waited"
    assert verify(store, [KEY.verifier]).whole


def test_a_store_that_hangs_holds_nobody_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    store = Kept()
    log = opened(store)
    store.gate.clear()
    first = threading.Thread(target=lambda: log.append(Entry(Step.STARTED)))
    first.start()
    assert store.entered.wait(10)
    with pytest.raises(Refused, match="did not answer"):
        log.append(Entry(Step.INTENT))
    store.gate.set()
    first.join(10)
    assert log.append(Entry(Step.FINISHED)).index == 1, "what was given up is not recorded later"


@pytest.mark.parametrize("says", [{"a": 0.5}, {"a": [{"b": object()}]}, {"a": "x" * MAX_BYTES}])
def test_what_cannot_be_in_a_record_is_refused_and_harms_no_other(says: dict[str, object]) -> None:
    store = Kept()
    log = opened(store)
    with pytest.raises(Refused) as told:
        log.append(Entry(Step.DECIDED, says=says))
    assert told.value.reason == "AuditRecord"
    assert log.append(Entry(Step.DECIDED)).index == 0


def test_a_second_writer_is_noticed_and_does_not_go_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as two:
        first, second = opened(one), opened(two)
        first.append(Entry(Step.STARTED))
        with pytest.raises(Refused, match="another process") as told:
            second.append(Entry(Step.STARTED))
        assert told.value.reason == "AuditForeign"
        assert first.append(Entry(Step.FINISHED)).index == 1


def test_who_does_not_know_the_key_that_signed_last_does_not_go_on(tmp_path: Path) -> None:
    other = Signer(KEY.verifier.name, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
    with closing(SqliteStore(tmp_path / "audit.db")) as store:
        opened(store).append(Entry(Step.STARTED))
        with pytest.raises(Refused, match="cannot be gone on with"):
            Log(store, other, (), "hemostat-act 1", FakeClock(NOON))
        assert (
            Log(store, other, [KEY.verifier], "hemostat-act 1", FakeClock(NOON)).append(Entry(Step.STARTED)).index == 1
        )


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be one" * 40])
def test_another_s_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(Refused), closing(SqliteStore(path, read_only=True)):
        pass
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot be opened|unable to open"):
        SqliteStore(tmp_path / "none" / "audit.db")


def test_what_is_kept_has_a_bound(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "audit.db")) as store:
        with pytest.raises(Refused, match="more than"):
            opened(store).append(Entry(Step.DECIDED), {"facts": bytes(MAX_KEPT + 1)})
        bomb = zlib.compress(bytes(MAX_KEPT * 10))
        store._file.execute("INSERT INTO kept VALUES ('bomb', ?)", (bomb,))
        assert len(store.kept("bomb") or b"") == MAX_KEPT


@pytest.mark.parametrize("statement", ["UPDATE records SET body = ''", "DELETE FROM heads", "DELETE FROM kept"])
def test_the_file_itself_refuses_what_is_no_addition(tmp_path: Path, statement: str) -> None:
    with closing(SqliteStore(tmp_path / "audit.db")) as store:
        opened(store).append(Entry(Step.DECIDED), {"facts": b"x"})
        with pytest.raises(Exception, match="append only"):
            store._file.execute(statement)


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"1", b"{}", b"[" * 100_000, b'{"version":2}', b'{"version":1}'])
def test_what_is_no_record_is_told_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Record.decode(body)
