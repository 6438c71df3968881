"""What every store of the log must do, and what an attacker who has it may do to a log: each of it is noticed, at the
right record. A test class of each store inherits this and says how one is opened.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.copying import PART, compare, copy
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.proof import check, prove
from hemostat.audit.record import Entry, Record, Step, Word, digest
from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.store import MAX_KEPT, Head, Records, Row, Store
from hemostat.audit.tree import Tree, leaf_hash
from hemostat.audit.verify import Report, verify
from hemostat.clock import FakeClock
from hemostat.errors import Refused

NAME = "hemostat.dev/audit"
COUNT = 20
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def signer(seed: int = 1) -> Signer:
    return Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def opened(store: Store, key: Signer | None = None, *others: Signer) -> Log:
    return Log(store, key or signer(), [o.verifier for o in others], "hemostat-act 1", FakeClock(NOON))


def entry(n: int) -> Entry:
    return Entry(Step.DECIDED, "shop", f"fix-{n}", f"uid-{n}", Word.PERSON, ("jo",), {"outcome": "Allow", "n": n})


@dataclass
class Held:
    """What lies in the tables."""

    rows: dict[int, Row]
    heads: dict[int, str]

    def body(self, index: int, body: bytes) -> None:
        self.rows[index] = replace(self.rows[index], body=body)

    def flip(self) -> None:
        self.body(7, self.rows[7].body.replace(b'"outcome":"Allow"', b'"outcome":"Deny!"'))

    def swap(self) -> None:
        seven, eight = self.rows[7].body, self.rows[8].body
        self.body(7, eight)
        self.body(8, seven)

    def cut(self, size: int) -> None:
        self.rows = {n: row for n, row in self.rows.items() if n < size}

    def cut_heads(self, size: int) -> None:
        self.heads = {n: note for n, note in self.heads.items() if n <= size}

    def hash_anew(self) -> None:
        self.rows = {n: replace(row, leaf=leaf_hash(row.body)) for n, row in self.rows.items()}

    def sign_anew(self, key: Signer) -> None:
        """Hash and sign all that is there as if it had always been so."""
        self.hash_anew()
        tree, notes = Tree(), {}
        for row in self.rows.values():
            tree.add(row.leaf)
            notes[len(tree)] = Checkpoint(NAME, len(tree), tree.root()).signed(key)
        self.heads = {n: notes.get(n, note) for n, note in self.heads.items()}


class Contract(ABC):
    PREFIX = ""
    """Of the tables' names."""

    @abstractmethod
    def open(self) -> Store:
        """Open the one store of this test for writing, again and again."""

    @abstractmethod
    def read(self) -> Records:
        """Open it for reading."""

    @abstractmethod
    def overwrite(self, held: Held) -> None:
        """Put this in place of all that it holds, as somebody who owns it: the triggers are no hindrance."""

    @abstractmethod
    def execute(self, statement: str) -> None:
        """Execute SQL as the one who writes."""

    def change(self, *how: Callable[[Held], object]) -> None:
        with closing(self.read()) as store:
            held = Held({row.index: row for row in store.rows()}, {head.size: head.note for head in store.heads()})
        for one in how:
            one(held)
        self.overwrite(held)

    def look(self, *published: str, keys: tuple[Signer, ...] = ()) -> Report:
        with closing(self.read()) as store:
            return verify(store, [k.verifier for k in keys or (signer(),)], published)

    def heads(self) -> list[str]:
        with closing(self.read()) as store:
            return list(store.checkpoints())

    @pytest.fixture
    def store(self):
        with closing(self.open()) as store:
            yield store

    @pytest.fixture
    def log(self, store):
        log = opened(store)
        for n in range(COUNT):
            log.append(entry(n))
        return log

    def test_a_record_says_what_was_done_when_and_by_whom(self, store):
        said = Entry(Step.INTENT, "shop", "fix-1", "uid", says={"action": "rollback", "replicas": 3, "who": "Zoë\x01"})
        assert opened(store).append(said, {"facts": b"all of it"}).index == 0
        (row,) = store.rows()
        record = Record.decode(row.body)
        assert (record.time, record.by) == (NOON, "hemostat-act 1")
        assert record.entry.digests == {"facts": digest(b"all of it")}
        assert store.kept(digest(b"all of it")) == b"all of it"
        assert store.kept("other") is None
        assert row.body == record.encode(), "what is read is written the same again"

    def test_it_goes_on_where_it_ended(self):
        for n in range(3):
            with closing(self.open()) as store:
                assert opened(store).append(Entry(Step.STARTED), {"facts": b"the same"}).index == n
        assert self.look() == Report(3, 3)
        with closing(self.read()) as store:
            assert [row.index for row in store.rows(1)] == [1, 2]
            assert list(store.checkpoints(newest_first=True)) == self.heads()[::-1]
            assert store.size() > 0

    def test_of_two_writers_one_goes_on(self):
        with closing(self.open()) as one, closing(self.open()) as two:
            first, second = opened(one), opened(two)
            first.append(Entry(Step.STARTED))
            for _ in range(2):
                with pytest.raises(Refused, match="another one wrote to it") as told:
                    second.append(Entry(Step.STARTED))
                assert told.value.reason == "AuditForeign"
            assert first.append(Entry(Step.FINISHED)).index == 1
        assert self.look() == Report(2, 2)

    def test_a_log_that_was_put_back_under_its_writer_is_not_gone_on_with(self, log):
        self.change(lambda h: h.cut(15), lambda h: h.cut_heads(15))
        with pytest.raises(Refused, match="an earlier state"):
            log.append(entry(20))
        assert self.look() == Report(15, 15)

    def test_a_part_of_a_commit_is_never_there(self, store):
        log = opened(store)
        log.append(entry(0))
        (row,), (head,) = store.rows(), store.heads()
        with pytest.raises(Refused):
            store.commit([replace(row, index=1), row], [Head(3, "note")], {"a": b"b"}, head.note)
        assert (list(store.rows()), list(store.heads()), store.kept("a")) == ([row], [head], None)
        assert log.append(entry(1)).index == 1

    def test_what_is_kept_has_a_bound(self, store):
        with pytest.raises(Refused, match="more than"):
            opened(store).append(Entry(Step.DECIDED), {"facts": bytes(MAX_KEPT + 1)})
        assert opened(store).append(Entry(Step.DECIDED), {"facts": bytes(MAX_KEPT)}).index == 0
        assert store.kept(digest(bytes(MAX_KEPT))) == bytes(MAX_KEPT)

    @pytest.mark.parametrize(
        "statement", ["UPDATE {}records SET body = ''", "DELETE FROM {}heads", "DELETE FROM {}kept"]
    )
    def test_the_store_itself_refuses_what_is_no_addition(self, store, statement):
        opened(store).append(Entry(Step.DECIDED), {"facts": b"x"})
        with pytest.raises(Exception, match="append only"):
            self.execute(statement.format(self.PREFIX))
        assert self.look() == Report(1, 1)

    def test_who_does_not_know_the_key_that_signed_last_does_not_go_on(self, store, log):
        with pytest.raises(Refused, match="cannot be gone on with"):
            opened(store, signer(2))
        assert opened(store, signer(2), signer()).append(Entry(Step.STARTED)).index == COUNT

    def test_an_untouched_log_is_whole(self, log):
        assert self.look(self.heads()[4], self.heads()[-1]) == Report(COUNT, COUNT)
        assert self.look().whole

    @pytest.mark.parametrize(
        ("change", "bad", "why"),
        [
            (Held.flip, 7, "was changed"),
            (lambda h: h.rows.pop(7), 7, "is record 8"),
            (Held.swap, 7, "is record 8"),
            (lambda h: h.body(7, b"{"), 7, "cannot be read"),
            (lambda h: h.body(7, b"[]"), 7, "cannot be read"),
            (lambda h: h.body(7, bytes(200_000)), 7, "cannot be read"),
            (lambda h: h.cut(7), 7, "20 were signed"),
            (lambda h: h.rows.update({7: replace(h.rows[7], leaf=bytes(32))}), 7, "was changed"),
            (lambda h: h.cut_heads(7), 7, "no signed head"),
            (lambda h: h.heads.clear(), 0, "no signed head"),
            (lambda h: h.rows.update({20: Row(20, h.rows[7].leaf, h.rows[7].body)}), 20, "is record 7"),
        ],
    )
    def test_what_was_done_to_it_is_named(self, log, change, bad, why):
        self.change(change)
        found = self.look()
        assert (found.bad, found.whole) == (bad, False)
        assert found.proven <= bad
        assert why in found.why

    def test_a_record_whose_hash_was_made_to_fit_is_found_by_the_heads(self, log):
        self.change(Held.flip, Held.hash_anew)
        found = self.look()
        assert (found.bad, found.proven) == (7, 7)
        assert "record 7 is not what was signed" in found.why

    @pytest.mark.parametrize("changes", [(Held.flip,), (lambda h: h.cut(19), lambda h: h.cut_heads(19))])
    def test_a_log_that_was_signed_anew_with_another_key_proves_nothing(self, log, changes):
        self.change(*changes, lambda h: h.sign_anew(signer(9)))
        found = self.look()
        assert (found.bad, found.proven) == (0, 0)
        assert "no key was given" in found.why

    def test_the_end_that_was_cut_off_with_its_heads_is_missed_where_a_head_was_published(self, log):
        published = self.heads()[-1]
        self.change(lambda h: h.cut(15), lambda h: h.cut_heads(15))
        assert self.look().whole, "nobody can tell from the store alone"
        found = self.look(published)
        assert (found.bad, found.why) == (15, "record 15 is missing: 20 were published")

    def test_a_log_that_was_written_anew_by_who_has_the_key_is_not_the_one_that_was_published(self, log):
        published = self.heads()[9]
        self.change(Held.flip, lambda h: h.sign_anew(signer()))
        assert self.look().whole
        assert "not those that were published" in self.look(published).why

    def test_published_heads_must_be_signed_too(self, log):
        with pytest.raises(ValueError, match="no key was given"):
            self.look(Checkpoint(NAME, 3, bytes(32)).signed(signer(9)))

    def test_an_older_head_of_no_use_does_not_undo_what_a_newer_one_proves(self, log):
        self.change(lambda h: h.heads.update({5: "nonsense"}))
        assert self.look().whole

    def test_the_head_of_another_log_by_the_same_key_proves_nothing(self, log):
        root = Checkpoint.read(self.heads()[-1]).root
        self.change(lambda h: h.heads.update({20: Checkpoint("hemostat.dev/other", 20, root).signed(signer())}))
        found = self.look()
        assert (found.bad, found.proven) == (19, 19)
        assert "another log" in found.why

    def rotated(self, store: Store, announce: bool) -> None:
        old, new = signer(), signer(2)
        if announce:
            opened(store, old).append(Entry(Step.KEY, says={"key": str(new.verifier)}))
        log = opened(store, new, old)
        for n in range(3):
            log.append(entry(n))

    def test_a_key_is_believed_that_the_key_before_it_named(self, store, log):
        self.rotated(store, announce=True)
        assert self.look() == Report(COUNT + 4, COUNT + 4)
        assert self.look(keys=(signer(2),)).whole, "the newest key alone will do"

    def test_a_key_that_nobody_named_is_not(self, store, log):
        self.rotated(store, announce=False)
        found = self.look()
        assert (found.proven, found.bad) == (COUNT, COUNT)

    def test_a_key_named_in_a_record_that_is_not_proven_is_not_believed(self, store, log):
        named, forger = str(signer(2).verifier).encode(), str(signer(9).verifier).encode()
        opened(store).append(Entry(Step.KEY, says={"key": named.decode()}))
        self.change(lambda h: h.body(20, h.rows[20].body.replace(named, forger)), lambda h: h.sign_anew(signer(9)))
        assert self.look().proven == 0

    @pytest.mark.parametrize("change", [Held.flip, lambda h: h.cut(19)])
    def test_a_damaged_log_is_not_gone_on_with(self, log, change):
        self.change(change, Held.hash_anew)
        with closing(self.open()) as store, pytest.raises(Refused, match="cannot be gone on with") as told:
            opened(store)
        assert told.value.reason == "AuditDamaged"

    def test_who_has_a_proof_needs_no_store(self, log):
        with closing(self.read()) as store:
            proof = prove(store, 5)
        assert check(proof, [signer().verifier]).entry == entry(5)

    def test_a_copy_proves_the_same_and_what_was_interrupted_is_gone_on_with(self, store, tmp_path):
        log = opened(store)
        for n in range(3):
            log.append(entry(n), {"facts": b"%d" % n})
        with closing(SqliteStore(tmp_path / "copy.db")) as target:
            for size in (3, 5):
                with closing(self.read()) as source:
                    copy(source, target)
                    copy(source, target)
                    assert compare(source, target, [signer().verifier]) == Report(size, size)
                    assert list(target.heads()) == list(source.heads())
                log.append(entry(size))
                log.append(entry(size + 1))
            assert [target.kept(digest(b"%d" % n)) for n in range(3)] == [b"0", b"1", b"2"]

    def test_a_copy_of_a_damaged_log_is_as_damaged(self, log, tmp_path):
        self.change(Held.flip, lambda h: h.rows.pop(12), lambda h: h.heads.update({5: "nonsense"}))
        with closing(SqliteStore(tmp_path / "copy.db")) as target, closing(self.read()) as source:
            copy(source, target)
            keys = [signer().verifier]
            assert verify(target, keys) == verify(source, keys) == compare(source, target, keys)
            assert not verify(target, keys).whole

    def test_it_takes_the_log_of_another_store_part_by_part_and_no_second_one(self, tmp_path):
        """More than one part, with fewer heads than records: both are at their own pace."""
        with closing(SqliteStore(tmp_path / "from.db")) as source, closing(self.open()) as target:
            tree, after = Tree(), None
            for start in range(0, PART + 100, 100):
                rows = []
                for n in range(start, start + 100):
                    body = Record(n, NOON, "hemostat-act 1", entry(n)).encode()
                    rows.append(Row(n, leaf_hash(body), body))
                    tree.add(rows[-1].leaf)
                note = Checkpoint(NAME, len(tree), tree.root()).signed(signer())
                source.commit(rows, [Head(len(tree), note)], {}, after)
                after = note
            copy(source, target)
            assert compare(source, target, [signer().verifier]) == Report(len(tree), len(tree))
            assert opened(target).append(entry(0)).index == len(tree)
            with pytest.raises(Refused, match="something else"):
                copy(source, target)
