"""A log that is opened goes on where it ended, under its own key or the next one; else nothing is opened."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit.keys import Signer, Verifier
from hemostat.audit.opening import NAME, open_log
from hemostat.audit.record import Entry, Record, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.verify import verify
from hemostat.clock import FakeClock
from hemostat.errors import Broken, Refused

CLOCK = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))


def pem(folder: Path, name: str = "key.pem") -> Verifier:
    signer, text = Signer.generate(NAME)
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text)
    return signer.verifier


def opened(tmp_path: Path, key: Path | None = None):
    return open_log(str(tmp_path / "audit.db"), str(key or ""), "hemostat-act/1", CLOCK)


def steps(tmp_path: Path) -> list[Step]:
    with closing(SqliteStore(tmp_path / "audit.db", read_only=True)) as store:
        return [Record.decode(row.body).entry.step for row in store.rows()]


def whole(tmp_path: Path, *keys: Verifier) -> bool:
    with closing(SqliteStore(tmp_path / "audit.db", read_only=True)) as store:
        return verify(store, keys).whole


def test_without_a_key_the_log_gets_one_that_it_keeps(tmp_path):
    first = opened(tmp_path)
    assert opened(tmp_path, tmp_path / "not-mounted.pem").verifier == first.verifier
    assert (tmp_path / "audit.db.key").stat().st_mode & 0o777 == 0o600
    assert steps(tmp_path) == [Step.STARTED, Step.STARTED]
    assert whole(tmp_path, first.verifier)


def test_a_log_whose_own_key_is_gone_is_not_signed_by_another(tmp_path):
    opened(tmp_path)
    (tmp_path / "audit.db.key").unlink()
    with pytest.raises(Refused, match="put it back"):
        opened(tmp_path)


def test_a_mounted_key_takes_over_from_the_logs_own(tmp_path):
    """Who believes the first key alone believes the second: the first one signed its name."""
    first = opened(tmp_path).verifier
    second = pem(tmp_path / "secret")
    for _ in range(2):
        assert opened(tmp_path, tmp_path / "secret/key.pem").verifier == second
    assert steps(tmp_path) == [Step.STARTED, Step.KEY, Step.STARTED, Step.STARTED]
    assert whole(tmp_path, first)
    assert whole(tmp_path, second)


def test_a_key_takes_over_from_the_one_that_is_called_previous(tmp_path):
    folder = tmp_path / "secret"
    first = pem(folder)
    opened(tmp_path, folder / "key.pem")
    (folder / "key.pem").rename(folder / "previous.pem")
    second = pem(folder)
    assert opened(tmp_path, folder / "key.pem").verifier == second
    assert whole(tmp_path, first)


def test_a_strangers_key_takes_nothing_over(tmp_path):
    first = pem(tmp_path / "one")
    opened(tmp_path, tmp_path / "one/key.pem")
    pem(tmp_path / "two")
    pem(tmp_path / "two", "previous.pem")
    with pytest.raises(Refused, match="no key was given"):
        opened(tmp_path, tmp_path / "two/key.pem")
    assert steps(tmp_path) == [Step.STARTED]
    assert whole(tmp_path, first)


def test_a_head_is_of_this_log_or_not(tmp_path):
    from hemostat.audit.checkpoint import Checkpoint

    log = opened(tmp_path)
    head = Checkpoint.read(log.checkpoint())
    log.append(Entry(Step.PLANNED))
    assert log.holds(head)
    assert log.holds(Checkpoint.read(log.checkpoint()))
    assert not log.holds(Checkpoint(head.origin, 3, head.root))
    assert not log.holds(Checkpoint(head.origin, 1, bytes(32)))


@pytest.mark.parametrize("text", [b"", b"-----BEGIN PRIVATE KEY-----\n", bytes(64)])
def test_a_key_that_cannot_be_read_stops_the_process(tmp_path, text):
    (tmp_path / "key.pem").write_bytes(text)
    with pytest.raises(Broken, match="openssl genpkey"):
        opened(tmp_path, tmp_path / "key.pem")


def test_a_folder_that_is_not_there_stops_the_process(tmp_path):
    with pytest.raises(Refused, match="cannot be opened"):
        open_log(str(tmp_path / "no/audit.db"), "", "act", CLOCK)


def test_a_key_made_here_is_one_that_openssl_reads():
    signer, text = Signer.generate(NAME)
    assert Signer.load(NAME, text).verifier == signer.verifier
    assert isinstance(signer._key, Ed25519PrivateKey)


def test_without_psycopg_it_says_what_to_install(tmp_path, monkeypatch):
    pem(tmp_path / "secret")
    monkeypatch.setitem(sys.modules, "hemostat.audit.postgres", None)
    with pytest.raises(Broken, match=r"install hemostat\[postgres\]"):
        open_log("postgresql://act@127.0.0.1:1/x", str(tmp_path / "secret/key.pem"), "act", CLOCK)


@pytest.mark.parametrize("key", ["", "not-mounted.pem"])
def test_a_log_in_a_database_has_no_key_of_its_own(tmp_path, monkeypatch, key):
    """Nor is one made in the folder that happens to be ours."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="set HEMOSTAT_AUDIT_KEY") as told:
        open_log("postgresql://act:sesame@127.0.0.1:1/x", key, "act", CLOCK)
    assert "sesame" not in str(told.value)
    assert list(tmp_path.iterdir()) == []
