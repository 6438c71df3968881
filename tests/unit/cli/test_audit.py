"""`hemostat audit`, as somebody uses it who has the file, a key, and perhaps a head that was published."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.record import Entry, Step, Word
from hemostat.audit.sqlite import SqliteStore
from hemostat.cli.main import app
from hemostat.clock import FakeClock
from hemostat.errors import HemostatError

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = Signer("hemostat.dev/audit", PRIVATE)


def call(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def refused(*arguments):
    found = call(*arguments)
    assert isinstance(found.exception, HemostatError), found
    return str(found.exception)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "audit.db"
    with closing(SqliteStore(path)) as store:
        opened = Log(store, KEY, (), "hemostat-act 1", FakeClock(datetime(2026, 1, 1, tzinfo=UTC)))
        for n in range(4):
            says = {"outcome": "Allow\x1b[31m", "n": n}
            opened.append(Entry(Step.DECIDED, "shop", f"fix-{n % 2}", "uid", Word.PERSON, ("jo",), says))
    return path


@pytest.fixture
def key(tmp_path):
    pem = tmp_path / "key.pem"
    pem.write_bytes(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem


def test_the_key_for_others_is_made_of_ours(key):
    assert call("key", key).stdout == f"{KEY.verifier}\n"
    assert "cannot be read" in refused("key", key.parent / "none")


def test_a_log_is_whole_or_the_first_bad_record_is_named(log, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY.verifier}\n\n")
    found = call("verify", log, "--key", keys)
    assert (found.exit_code, found.stdout) == (0, "whole: 4 records, all as they were signed\n")
    with closing(sqlite3.connect(log)) as file:
        file.execute("DROP TRIGGER records_UPDATE")
        file.execute("""UPDATE records SET body = replace(body, 'jo', 'me') WHERE "index" = 2""")
        file.commit()
    found = call("verify", log, "--key", KEY.verifier)
    assert found.exit_code == 1
    assert "NOT whole: record 2 was changed" in found.stdout
    assert "the first 2 of 4 records are as they were signed" in found.stdout
    said = json.loads(call("verify", log, "--key", KEY.verifier, "-o", "json").stdout)
    assert (said["items"][0]["bad"], said["items"][0]["whole"]) == (2, False)


def test_a_published_head_that_counts_more_tells_what_is_missing(log, tmp_path):
    with closing(SqliteStore(log, read_only=True)) as store:
        (tmp_path / "head").write_text(next(store.checkpoints(newest_first=True)))
    with closing(sqlite3.connect(log)) as file:
        for table in ("records", "heads"):
            file.execute(f"DROP TRIGGER {table}_DELETE")
        file.execute('DELETE FROM records WHERE "index" = 3')
        file.execute("DELETE FROM heads WHERE size = 4")
        file.commit()
    assert call("verify", log, "--key", KEY.verifier).exit_code == 0
    found = call("verify", log, "--key", KEY.verifier, "--head", tmp_path / "head")
    assert (found.exit_code, "record 3 is missing: 4 were published" in found.stdout) == (1, True)
    (tmp_path / "head").write_text("nonsense")
    assert "the published head proves nothing" in refused(
        "verify", log, "--key", KEY.verifier, "--head", tmp_path / "head"
    )


def test_records_are_listed_and_cannot_steer_the_terminal(log):
    found = call("list", log, "--remediation", "fix-1")
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["INDEX", "1", "3"]
    assert "\x1b" not in found.stdout
    assert "Person jo" in found.stdout
    assert len(json.loads(call("list", log, "-n", "shop", "-o", "json").stdout)["items"]) == 4
    assert json.loads(call("list", log, "-n", "other", "-o", "json").stdout)["items"] == []


def test_who_has_a_proof_and_a_key_needs_no_log(log, tmp_path):
    proof = tmp_path / "proof"
    proof.write_text(call("prove", log, 2).stdout)
    assert json.loads(call("check", proof, "--key", KEY.verifier).stdout)["remediation"] == "fix-0"
    proof.write_text(proof.read_text().replace("index 2", "index 3"))
    assert "nothing is proven" in refused("check", proof, "--key", KEY.verifier)
    assert "no record 9" in refused("prove", log, 9)


@pytest.mark.parametrize("key", ["a+b+c", "none"])
def test_a_key_that_is_none_is_told_so(log, key):
    assert key in refused("verify", log, "--key", key)


def test_what_is_no_log_is_told_so(tmp_path):
    assert "there is no file" in refused("verify", tmp_path / "none", "--key", KEY.verifier)
    (tmp_path / "text").write_text("words")
    assert "audit log" in refused("list", tmp_path / "text")
    (tmp_path / "large").write_bytes(bytes(1024 * 1024 + 1))
    assert "it is another file" in refused("check", tmp_path / "large", "--key", KEY.verifier)


def test_an_export_is_the_whole_log_also_while_it_is_written(log, tmp_path):
    with closing(SqliteStore(log)) as writing:  # its newest records are in the write-ahead log still
        Log(writing, KEY, (), "hemostat-act 1", FakeClock(datetime(2026, 1, 1, tzinfo=UTC))).append(Entry(Step.STARTED))
        found = call("export", log)
    copy = tmp_path / "copy.db"
    copy.write_bytes(found.stdout_bytes)
    assert "whole: 5 records" in call("verify", copy, "--key", str(KEY.verifier)).stdout
    assert sorted(p.name for p in log.parent.iterdir() if p.is_dir()) == []


def test_a_log_moves_and_both_have_the_same_root(log, tmp_path):
    target = tmp_path / "new.db"
    for _ in range(2):
        found = call("move", log, target, "--key", KEY.verifier)
        assert found.exit_code == 0, found.exception
        assert "moved: 4 records, root " in found.stdout
    assert "whole: 4 records" in call("verify", target, "--key", KEY.verifier).stdout
    with closing(sqlite3.connect(log)) as file:
        file.execute("DROP TRIGGER records_UPDATE")
        file.execute("""UPDATE records SET body = replace(body, 'jo', 'me') WHERE "index" = 2""")
        file.commit()
    assert "record 2 was changed" in refused("move", log, tmp_path / "other.db", "--key", KEY.verifier)
    assert not (tmp_path / "other.db").exists(), "a damaged log does not move"


def test_a_log_does_not_move_to_where_another_one_is(log, tmp_path):
    target = tmp_path / "new.db"
    with closing(SqliteStore(target)) as store:
        Log(store, KEY, (), "hemostat-act 1", FakeClock(datetime(2026, 1, 1, tzinfo=UTC))).append(Entry(Step.STARTED))
    assert "holds something else" in refused("move", log, target, "--key", KEY.verifier)


def test_of_a_decision_the_list_tells_what_did_not_pass(log):
    checks = {"Policy": "Ask: a person decides", "Shadow": "Pass: none"}
    with closing(SqliteStore(log)) as store:
        opened = Log(store, KEY, (), "hemostat-act 1", FakeClock(datetime(2026, 1, 1, tzinfo=UTC)))
        opened.append(Entry(Step.DECIDED, "shop", "asks", "uid", says={"outcome": "NeedsApproval", "checks": checks}))
        passed = {"checks": {"Policy": "Pass: it is allowed"}}
        opened.append(Entry(Step.DECIDED, "shop", "goes", "uid", says=passed))
    asks, goes = call("list", log).stdout.splitlines()[-2:]
    assert asks.endswith("outcome: NeedsApproval; checks: Policy Ask: a person decides")
    assert goes.endswith("checks: all 1 pass")


def test_a_remediation_that_no_record_is_about_is_told_so(log):
    assert "nothing of a Remediation fix-9" in refused("list", log, "--remediation", "fix-9")


def test_the_first_bad_record_is_named_though_the_published_head_differs_too(log, tmp_path):
    with closing(SqliteStore(log, read_only=True)) as store:
        (tmp_path / "head").write_text(next(store.checkpoints(newest_first=True)))
    with closing(sqlite3.connect(log)) as file:
        file.execute("DROP TRIGGER records_UPDATE")
        file.execute("""UPDATE records SET body = replace(body, 'jo', 'me') WHERE "index" = 2""")
        file.commit()
    said = call("verify", log, "--key", KEY.verifier, "--head", tmp_path / "head").stdout
    assert "not those that were published; by its own signatures record 2 was changed" in said


def test_who_is_to_own_the_tables_gets_their_sql():
    said = call("schema").stdout
    assert said.count("CREATE TABLE IF NOT EXISTS") == 3
    assert "CREATE FUNCTION" not in said, "it may be run again"
    assert said.count("append_only BEFORE UPDATE OR DELETE OR TRUNCATE") == 3
