"""What an attacker with the file may do to a log, and that each of it is noticed, at the right record."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.record import Entry, Step, Word
from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.tree import Tree, leaf_hash
from hemostat.audit.verify import Report, verify
from hemostat.clock import FakeClock
from hemostat.errors import Refused

NAME = "hemostat.dev/audit"
COUNT = 20


def signer(seed: int = 1) -> Signer:
    return Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def opened(path: Path, key: Signer, *others: Signer) -> Log:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    return Log(SqliteStore(path), key, [o.verifier for o in others], "hemostat-act 1", clock)


def entry(n: int) -> Entry:
    return Entry(Step.DECIDED, "shop", f"fix-{n}", f"uid-{n}", Word.PERSON, ("jo",), {"outcome": "Allow", "n": n})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "audit.db"
    log = opened(found, signer())
    for n in range(COUNT):
        log.append(entry(n))
    return found


def looked(path: Path, *published: str, keys: tuple[Signer, ...] = ()) -> Report:
    with closing(SqliteStore(path, read_only=True)) as store:
        return verify(store, [k.verifier for k in keys or (signer(),)], published)


def do(path: Path, *statements: str) -> None:
    """As somebody who has the file: the triggers are dropped first."""
    with closing(sqlite3.connect(path)) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert file.execute(statement).rowcount, statement
        file.commit()


def heads(path: Path) -> list[str]:
    with closing(SqliteStore(path, read_only=True)) as store:
        return list(store.checkpoints())


def signed_anew(path: Path, key: Signer) -> None:
    """Hash and sign all that is there as if it had always been so."""
    with closing(sqlite3.connect(path)) as file:
        tree = Tree()
        for index, body in file.execute('SELECT "index", CAST(body AS BLOB) FROM records ORDER BY "index"').fetchall():
            tree.add(leaf_hash(body))
            file.execute('UPDATE records SET leaf = ? WHERE "index" = ?', (leaf_hash(body), index))
            note = Checkpoint(NAME, len(tree), tree.root()).signed(key)
            file.execute("UPDATE heads SET note = ? WHERE size = ?", (note, len(tree)))
        file.commit()


def test_an_untouched_log_is_whole(path: Path) -> None:
    found = looked(path, heads(path)[4], heads(path)[-1])
    assert found == Report(COUNT, COUNT)
    assert found.whole


FLIP = """UPDATE records SET body = replace(body, '"outcome":"Allow"', '"outcome":"Deny!"') WHERE "index" = 7"""
SWAP = """UPDATE records SET body = (SELECT r.body FROM records r WHERE r."index" = 15 - records."index")
    WHERE "index" IN (7, 8)"""


@pytest.mark.parametrize(
    ("statements", "bad", "why"),
    [
        ((FLIP,), 7, "was changed"),
        (('DELETE FROM records WHERE "index" = 7',), 7, "is record 8"),
        ((SWAP,), 7, "is record 8"),
        (("UPDATE records SET body = '{' WHERE \"index\" = 7",), 7, "cannot be read"),
        (("UPDATE records SET body = '[]' WHERE \"index\" = 7",), 7, "cannot be read"),
        (('DELETE FROM records WHERE "index" >= 7',), 7, "20 were signed"),
        (('UPDATE records SET leaf = zeroblob(32) WHERE "index" = 7',), 7, "was changed"),
        (("DELETE FROM heads WHERE size > 7",), 7, "no signed head"),
        (("DELETE FROM heads",), 0, "no signed head"),
    ],
)
def test_what_was_done_to_it_is_named(path: Path, statements: tuple[str, ...], bad: int, why: str) -> None:
    do(path, *statements)
    found = looked(path)
    assert (found.bad, found.whole) == (bad, False)
    assert found.proven <= bad
    assert why in found.why


def test_a_record_whose_hash_was_made_to_fit_is_found_by_the_heads(path: Path) -> None:
    do(path, FLIP)
    with closing(sqlite3.connect(path)) as file:
        (body,) = file.execute('SELECT body FROM records WHERE "index" = 7').fetchone()
        file.execute('UPDATE records SET leaf = ? WHERE "index" = 7', (leaf_hash(body.encode()),))
        file.commit()
    found = looked(path)
    assert (found.bad, found.proven) == (7, 7)
    assert "record 7 is not what was signed" in found.why


@pytest.mark.parametrize("again", [FLIP, 'DELETE FROM records WHERE "index" = 19'])
def test_a_log_that_was_signed_anew_with_another_key_proves_nothing(path: Path, again: str) -> None:
    do(path, again, *(["DELETE FROM heads WHERE size = 20"] if again != FLIP else []))
    signed_anew(path, signer(9))
    found = looked(path)
    assert (found.bad, found.proven) == (0, 0)
    assert "no key was given" in found.why


def test_the_end_that_was_cut_off_with_its_heads_is_missed_where_a_head_was_published(path: Path) -> None:
    published = heads(path)[-1]
    do(path, 'DELETE FROM records WHERE "index" >= 15', "DELETE FROM heads WHERE size > 15")
    assert looked(path).whole, "nobody can tell from the file alone"
    found = looked(path, published)
    assert (found.bad, found.why) == (15, "record 15 is missing: 20 were published")


def test_a_log_that_was_written_anew_by_who_has_the_key_is_not_the_one_that_was_published(path: Path) -> None:
    published = heads(path)[9]
    do(path, FLIP)
    signed_anew(path, signer())
    assert looked(path).whole
    found = looked(path, published)
    assert "not those that were published" in found.why


def test_published_heads_must_be_signed_too(path: Path) -> None:
    forged = Checkpoint(NAME, 3, bytes(32)).signed(signer(9))
    with pytest.raises(ValueError, match="no key was given"):
        looked(path, forged)


def test_an_older_head_of_no_use_does_not_undo_what_a_newer_one_proves(path: Path) -> None:
    do(path, "UPDATE heads SET note = 'nonsense' WHERE size = 5")
    assert looked(path).whole


def test_the_head_of_another_log_by_the_same_key_proves_nothing(path: Path) -> None:
    do(path, "DELETE FROM heads WHERE size = 20")
    with closing(SqliteStore(path, read_only=True)) as store:
        tree = Tree()
        for leaf in store.leaves():
            tree.add(leaf)
    note = Checkpoint("hemostat.dev/other", 20, tree.root()).signed(signer())
    with closing(sqlite3.connect(path)) as file:
        file.execute("INSERT INTO heads VALUES (20, ?)", (note,))
        file.commit()
    found = looked(path)
    assert (found.bad, found.proven) == (19, 19)
    assert "another log" in found.why


def rotated(path: Path, announce: bool) -> None:
    old, new = signer(), signer(2)
    if announce:
        opened(path, old).append(Entry(Step.KEY, says={"key": str(new.verifier)}))
    log = opened(path, new, old)
    for n in range(3):
        log.append(entry(n))


def test_a_key_is_believed_that_the_key_before_it_named(path: Path) -> None:
    rotated(path, announce=True)
    assert looked(path) == Report(COUNT + 4, COUNT + 4)
    assert looked(path, keys=(signer(2),)).whole, "the newest key alone will do"


def test_a_key_that_nobody_named_is_not(path: Path) -> None:
    rotated(path, announce=False)
    found = looked(path)
    assert (found.proven, found.bad) == (COUNT, COUNT)


def test_a_key_named_in_a_record_that_is_not_proven_is_not_believed(path: Path) -> None:
    forger = signer(9)
    opened(path, signer()).append(Entry(Step.KEY, says={"key": str(signer(2).verifier)}))
    do(
        path,
        f"UPDATE records SET body = replace(body, '{signer(2).verifier}', '{forger.verifier}') WHERE \"index\" = 20",
    )
    signed_anew(path, forger)
    assert looked(path).proven == 0


@pytest.mark.parametrize("statement", [FLIP, 'DELETE FROM records WHERE "index" = 19'])
def test_a_damaged_log_is_not_gone_on_with(path: Path, statement: str) -> None:
    do(path, statement)
    with closing(sqlite3.connect(path)) as file:
        for index, body in file.execute('SELECT "index", CAST(body AS BLOB) FROM records').fetchall():
            file.execute('UPDATE records SET leaf = ? WHERE "index" = ?', (leaf_hash(body), index))
        file.commit()
    with pytest.raises(Refused, match="cannot be gone on with") as told:
        opened(path, signer())
    assert told.value.reason == "AuditDamaged"


def test_every_single_bit_of_every_record_counts(tmp_path: Path) -> None:
    """Flip each byte of a record in turn: the log is never whole, and the record is named."""
    path = tmp_path / "small.db"
    log = opened(path, signer())
    for n in range(3):
        log.append(entry(n))
    with closing(SqliteStore(path, read_only=True)) as store:
        rows, notes = list(store.rows()), list(store.checkpoints())

    class Held:
        def __init__(self, change: Callable[[bytes], bytes]) -> None:
            self._change = change

        def rows(self, start: int = 0) -> object:
            return (replace(r, body=self._change(r.body)) if r.index == 1 else r for r in rows)

        def checkpoints(self, *, newest_first: bool = False) -> object:
            return iter(notes[::-1] if newest_first else notes)

    for at in range(len(rows[1].body)):
        changed = Held(lambda body, at=at: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        found = verify(changed, [signer().verifier])  # type: ignore[arg-type]
        assert (found.bad, found.proven) == (1, 1), at
