"""Records are on disk, in order and signed before anybody is told so; where they cannot be, nobody is told so."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit import log as module
from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.record import MAX_BYTES, Entry, Record, Step
from hemostat.audit.store import Head, Row, Unsure, foreign
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
        self.lands = False
        """Whether what fails is there nevertheless."""
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

    def heads(self) -> Iterator[Head]:
        return (Head(Checkpoint.read(note).size, note) for note in self.notes)

    def size(self) -> int:
        return len(self.written)

    def close(self) -> None:
        self.gate.set()

    def commit(self, rows: Sequence[Row], heads: Sequence[Head], kept: Mapping[str, bytes], after: str | None) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        if self.fails is not None and not self.lands:
            raise self.fails
        if after != next(self.checkpoints(newest_first=True), None):
            raise foreign("the test")
        self.commits += 1
        self.written += rows
        self.notes += [head.note for head in heads]
        if self.fails is not None:
            raise self.fails


def opened(store: Kept) -> Log:
    return Log(store, KEY, (), "hemostat-act 1", FakeClock(NOON))


def test_what_fails_was_not_recorded_and_the_next_takes_its_place() -> None:
    store = Kept()
    log = opened(store)
    store.fails = Retry("the disk is full", 5)
    with pytest.raises(Retry, match="disk is full"):
        log.append(Entry(Step.INTENT))
    store.fails = None
    assert log.append(Entry(Step.INTENT)).index == 0
    assert verify(store, [KEY.verifier]).whole


@pytest.mark.parametrize("lands", [False, True])
def test_it_goes_on_whether_what_it_is_unsure_of_is_there_or_not(lands: bool) -> None:
    """The server was lost after it was asked to commit: the intent may be recorded, though nobody acted on it."""
    store = Kept()
    log = opened(store)
    log.append(Entry(Step.STARTED))
    store.fails, store.lands = Unsure("the server is gone"), lands
    with pytest.raises(Unsure):
        log.append(Entry(Step.INTENT))
    store.fails = None
    assert log.append(Entry(Step.INTENT)).index == (2 if lands else 1)
    assert log.append(Entry(Step.RESULT)).index == (3 if lands else 2)
    assert verify(store, [KEY.verifier]).whole


def test_who_is_unsure_does_not_take_another_s_head_for_its_own() -> None:
    store = Kept()
    stale, other = opened(store), opened(store)
    store.fails = Unsure("the server is gone")
    with pytest.raises(Unsure):
        stale.append(Entry(Step.INTENT, says={"by": "the one"}))
    store.fails = None
    other.append(Entry(Step.INTENT, says={"by": "the other"}))
    with pytest.raises(Refused, match="another one wrote") as told:
        stale.append(Entry(Step.INTENT))
    assert told.value.reason == "AuditForeign"
    assert other.append(Entry(Step.RESULT)).index == 1


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


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"1", b"{}", b"[" * 100_000, b'{"version":2}', b'{"version":1}'])
def test_what_is_no_record_is_told_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Record.decode(body)
