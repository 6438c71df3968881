"""A proof convinces who has the key and nothing else; whatever of it is changed, it proves nothing."""

import base64
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit.keys import Signer, Verifier, open_note
from hemostat.audit.log import Log
from hemostat.audit.proof import check, prove
from hemostat.audit.record import Entry, Record, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat.clock import FakeClock
from hemostat.errors import Broken

KEY = Signer("hemostat.dev/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer("hemostat.dev/audit", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
SIZE = 11


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    found = SqliteStore(tmp_path / "audit.db")
    log = Log(found, KEY, (), "hemostat-act 1", FakeClock(datetime(2026, 1, 1, tzinfo=UTC)))
    for n in range(SIZE):
        log.append(Entry(Step.RESULT, "shop", says={"n": n}))
    return found


@pytest.mark.parametrize("index", range(SIZE))
def test_every_record_can_be_proven(store: SqliteStore, index: int) -> None:
    with closing(store):
        proof = prove(store, index)
    record = check(proof, [KEY.verifier])
    assert (record.index, record.entry.says) == (index, {"n": index})


def test_what_is_not_there_cannot(store: SqliteStore) -> None:
    with closing(store), pytest.raises(ValueError, match="no record 11"):
        prove(store, SIZE)


def test_nothing_of_a_proof_may_be_changed(store: SqliteStore) -> None:
    with closing(store):
        proof = prove(store, 5)
    changed = 0
    for at, character in enumerate(proof):
        other = "B" if character != "B" else "C"
        try:
            found = check(proof[:at] + other + proof[at + 1 :], [KEY.verifier])
        except ValueError:
            changed += 1
        else:
            assert found.entry.says == {"n": 5}, "the unused bits of base64's last character mean nothing"
    assert changed > len(proof) - 10


def test_a_record_of_ones_own_is_not_proven_by_anothers_path(store: SqliteStore) -> None:
    with closing(store):
        lines = prove(store, 5).split("\n")
    forged = Record(5, datetime(2026, 1, 1, tzinfo=UTC), "me", Entry(Step.RESULT)).encode()
    lines[1] = f"extra {base64.b64encode(forged).decode()}"
    with pytest.raises(ValueError, match="record 5 is not in the log"):
        check("\n".join(lines), [KEY.verifier])


@pytest.mark.parametrize("text", ["", "x", "\n\n", "c2sp.org/tlog-proof@v1\nindex 1\nextra x\n\n", "a" * 1_000_000])
def test_what_is_no_proof_is_told_so(text: str) -> None:
    with pytest.raises(ValueError, match="proof"):
        check(text, [KEY.verifier])


def test_a_stranger_s_signature_proves_nothing(store: SqliteStore) -> None:
    with closing(store), pytest.raises(ValueError, match="no key was given"):
        check(prove(store, 5), [OTHER.verifier])


def test_a_key_is_read_as_it_is_written() -> None:
    assert Verifier.parse(f"{KEY.verifier}\n") == KEY.verifier


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no key"),
        ("a+b", "is no key"),
        ("a+00000000+!!", "is no key"),
        ("a+00000000+AAAA", "no Ed25519 key"),
        (str(KEY.verifier).replace("+", "+0", 1)[:-1], "key"),
        (str(KEY.verifier).replace("hemostat.dev", "other"), "is damaged"),
        (str(KEY.verifier).replace("hemostat.dev/audit", "two words"), "no name of a key"),
    ],
)
def test_a_key_that_is_none_is_told_so(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Verifier.parse(text)


def test_signatures_of_strangers_are_passed_over_but_a_wrong_one_of_ours_is_not() -> None:
    note = KEY.sign("words\n")
    stranger = OTHER.sign("words\n").split("\n\n")[1]
    text, gap, ours = note.partition("\n\n")
    assert open_note(f"{text}{gap}{stranger}{ours}", [KEY.verifier]) == ("words\n", KEY.verifier)
    with pytest.raises(ValueError, match="is wrong"):
        open_note(note.replace("words", "worse"), [KEY.verifier])


def test_a_pem_file_that_holds_no_key_says_how_to_make_one() -> None:
    with pytest.raises(Broken, match="openssl genpkey -algorithm ed25519"):
        Signer.load("audit", b"nonsense")
