"""The audit log in a real PostgreSQL: the same as in a file; what was acknowledged stays, and what fails is told."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.api.postgres import postgres
from tests.api.programs import until
from tests.unit.audit.contract import Contract, Held, entry, opened, signer
from typer.testing import CliRunner

from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.opening import NAME, open_log
from hemostat.audit.postgres import PostgresStore
from hemostat.audit.postgresrecords import PostgresRecords
from hemostat.audit.record import Record, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.store import Unsure
from hemostat.audit.verify import Report, verify
from hemostat.cli.main import app
from hemostat.clock import SystemClock
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.postgres import DEADLINE_SECONDS

TABLES = "hemostat_audit_records, hemostat_audit_heads, hemostat_audit_kept"
TWO_ATTEMPTS = 2 * (2 * DEADLINE_SECONDS + 1)
LATE = TWO_ATTEMPTS + 15
"""Seconds within which a deadline shows on a machine that stands still for moments; without it: never."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with postgres(tmp_path_factory.mktemp("postgres"), fsync="on") as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(server):
    server.run(f"DROP TABLE IF EXISTS {TABLES}", "DROP FUNCTION IF EXISTS hemostat_audit_append_only")


@pytest.fixture
def store(server):
    with closing(PostgresStore(server.address())) as store:
        yield store


def whole(server) -> Report:
    with closing(PostgresRecords(server.address())) as store:
        return verify(store, [signer().verifier])


class TestPostgres(Contract):
    PREFIX = "hemostat_audit_"

    @pytest.fixture(autouse=True)
    def _server(self, server):
        self.server = server

    def open(self):
        return PostgresStore(self.server.address())

    def read(self):
        return PostgresRecords(self.server.address())

    def overwrite(self, held: Held):
        with psycopg.connect(self.server.address()) as connection, connection.cursor() as cursor:
            for table in TABLES.split(", ")[:2]:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
                cursor.execute(f"TRUNCATE {table}")
            rows = [(n, row.leaf, row.body) for n, row in held.rows.items()]
            cursor.executemany("INSERT INTO hemostat_audit_records VALUES (%s, %s, %s)", rows)
            cursor.executemany("INSERT INTO hemostat_audit_heads VALUES (%s, %s)", held.heads.items())

    def execute(self, statement):
        self.server.run(statement)

    def test_nor_does_it_forget_all_at_once(self, store):
        opened(store).append(entry(0))
        with pytest.raises(psycopg.Error, match="append only"):
            self.execute(f"TRUNCATE {TABLES}")
        assert self.look() == Report(1, 1)


def test_the_role_of_the_readme_can_append_and_nothing_else(server):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    sql = readme[readme.index("CREATE ROLE hemostat_audit") :].split("\n\n")[0]
    server.run("DROP ROLE IF EXISTS hemostat_audit")
    writes = server.address("hemostat_audit")
    for _ in range(2):  # an interrupted one is run again
        server.run(call("schema").stdout)  # as the owner
    server.run(*(line.strip() for line in sql.split(";") if line.strip()))
    try:
        with closing(PostgresStore(writes)) as store:
            opened(store).append(entry(0), {"facts": b"all"})
            assert store.size() > 0
        for forbidden in (
            "UPDATE hemostat_audit_records SET body = ''",
            "DELETE FROM hemostat_audit_heads",
            "TRUNCATE hemostat_audit_kept",
            "ALTER TABLE hemostat_audit_records DISABLE TRIGGER ALL",
            "DROP TABLE hemostat_audit_heads",
        ):
            with psycopg.connect(writes) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
        assert whole(server) == Report(1, 1)
    finally:
        server.run("DROP OWNED BY hemostat_audit", "DROP ROLE hemostat_audit")


def test_who_lacks_a_right_is_told_which(server):
    server.run("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    with pytest.raises(Refused, match="CREATE, too") as told:
        PostgresStore(server.address("reader"))
    assert told.value.reason == "AuditUnusable"
    PostgresStore(server.address()).close()
    server.run(f"GRANT SELECT ON {TABLES} TO reader")
    try:
        with closing(PostgresStore(server.address("reader"))) as store, pytest.raises(Refused, match="needs INSERT"):
            opened(store).append(entry(0))
        assert whole(server) == Report(0, 0)
    finally:
        server.run("DROP OWNED BY reader", "DROP ROLE reader")


def test_what_is_no_log_of_ours_is_refused(server):
    with pytest.raises(Refused, match="no audit log"):
        PostgresRecords(server.address())
    server.run("CREATE TABLE hemostat_audit_records (x int)")
    for open_it in (PostgresRecords, PostgresStore):
        with pytest.raises(Refused, match="made by another Hemostat"):
            open_it(server.address())
    with pytest.raises(Retry, match="does not exist"):
        PostgresStore(server.address(database="nowhere"))


def test_a_server_that_forgets_is_refused(server, tmp_path):
    with postgres(tmp_path) as forgets, pytest.raises(Refused, match="fsync = on"):
        PostgresStore(forgets.address())


def test_a_commit_is_on_disk_whatever_the_database_was_set_to(server, store):
    """Seen from inside the writer's own transaction."""
    server.run("ALTER DATABASE postgres SET synchronous_commit = off")
    seen = """CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE NOTICE ''%'', current_setting(''synchronous_commit''); RETURN NULL; END'"""
    server.run("DROP FUNCTION IF EXISTS see CASCADE", seen)
    server.run("CREATE TRIGGER see AFTER INSERT ON hemostat_audit_heads EXECUTE FUNCTION see()")
    try:
        store._hang_up()  # the next connection has the database's setting
        log = opened(store)
        store._ask(lambda c: c.add_notice_handler(lambda d: notices.append(d.message_primary)))
        notices = []
        log.append(entry(0))
        assert notices == ["on"]
    finally:
        server.run("ALTER DATABASE postgres RESET synchronous_commit", "DROP FUNCTION see CASCADE")


def test_two_that_start_at_once_make_the_tables_once_and_one_of_them_writes(server):
    """Two processes of `act`, as when a leader was thought dead: whatever the order, there is one log."""
    gate, said, lost = threading.Barrier(6), [], []

    def start(_):
        gate.wait(10)
        try:
            with closing(PostgresStore(server.address())) as store:
                log = opened(store)
                for n in range(20):
                    log.append(entry(n))
                    said.append(n)
        except (Refused, Retry) as error:
            lost.append(str(error))

    threads = [threading.Thread(target=start, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(lost) < 6, lost
    assert [words for words in lost if "another" not in words] == []
    assert len(said) >= 20, "the one that was first came to its end"
    assert whole(server) == Report(len(said), len(said))


WRITER = """
import sys
from tests.unit.audit.contract import entry, opened
from hemostat.audit.postgres import PostgresStore
log = opened(PostgresStore(sys.argv[1]))
while True:
    print(log.append(entry(0), {"facts": bytes(100_000)}).index, flush=True)
"""


def writer(server) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    argv = [sys.executable, "-c", WRITER, server.address()]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("after", [3, 17, 40])
def test_a_writer_that_is_killed_leaves_whole_commits_alone(server, after):
    process = writer(server)
    acknowledged = [int(process.stdout.readline()) for _ in range(after)]
    process.kill()
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait(10)
    process.stdout.close()
    with closing(PostgresStore(server.address())) as store:
        index = until(lambda: appended(store), 20, "its server process has ended")
    assert acknowledged == list(range(len(acknowledged)))
    assert len(acknowledged) <= index <= len(acknowledged) + 1, "at most the one that was under way is there too"
    assert whole(server) == Report(index + 1, index + 1)


def appended(store: PostgresStore) -> int | None:
    """The index of one more record; None while the dead writer's last commit still comes between."""
    try:
        return opened(store).append(entry(0)).index
    except (Retry, Refused):
        return None


def test_a_server_that_is_killed_loses_nothing_that_was_acknowledged(server):
    process = writer(server)
    acknowledged = [int(process.stdout.readline()) for _ in range(25)]
    server.kill()
    try:
        acknowledged += [int(line) for line in process.stdout.read().split()]  # it ends, for `append` raises
        assert process.wait(60) != 0
        process.stdout.close()
    finally:
        server.start()
    found = whole(server)
    assert found.whole
    assert len(acknowledged) <= found.size <= len(acknowledged) + 1


def test_a_restart_between_two_records_is_not_noticed(server, store):
    log = opened(store)
    log.append(entry(0))
    server.stop()
    server.start()
    assert log.append(entry(1)).index == 1
    assert whole(server) == Report(2, 2)


def took(ask, what=Retry):
    began = time.monotonic()
    with pytest.raises(what) as told:
        ask()
    assert not isinstance(told.value, Refused)
    return time.monotonic() - began


def test_while_the_server_is_gone_nothing_is_recorded_and_then_it_goes_on(server, store):
    log = opened(store)
    log.append(entry(0))
    server.stop()
    try:
        assert took(lambda: log.append(entry(1))) < LATE
        assert took(lambda: log.append(entry(1))) < LATE
    finally:
        server.start()
    assert log.append(entry(1)).index == 1
    assert whole(server) == Report(2, 2)


def test_a_server_that_stands_still_is_not_waited_for(server, store):
    log = opened(store)
    log.append(entry(0))
    backend = store._ask(lambda c: c.info.backend_pid)
    with server.frozen():
        os.kill(backend, signal.SIGSTOP)
        try:
            assert took(lambda: log.append(entry(1)), Unsure) < LATE
            assert took(lambda: PostgresRecords(server.address())) < LATE
        finally:
            os.kill(backend, signal.SIGCONT)
    index = until(lambda: retried(log), 20, "it answers again")
    assert index in (1, 2), "what it was unsure of is there, or is not"
    assert whole(server) == Report(index + 1, index + 1)


def retried(log: Log) -> int | None:
    try:
        return log.append(entry(9)).index
    except Retry:
        return None


def test_a_commit_whose_answer_was_lost_is_not_made_twice(server, store, monkeypatch):
    """The line breaks after the server committed: the same is asked again, and found to be there."""
    log, real, lost = opened(store), PostgresStore._once, []
    log.append(entry(0))

    def breaks(self, ask):
        found = real(self, ask)
        if not lost:
            lost.append(1)
            self._hang_up()
            raise psycopg.OperationalError("the line broke")
        return found

    monkeypatch.setattr(PostgresStore, "_once", breaks)
    assert log.append(entry(1)).index == 1
    assert log.append(entry(2)).index == 2
    assert whole(server) == Report(3, 3)


def test_a_commit_whose_answer_was_lost_for_good_is_gone_on_from(server, store, monkeypatch):
    log, real = opened(store), PostgresStore._once
    log.append(entry(0))

    def breaks(self, ask):
        real(self, ask)
        self._hang_up()
        raise psycopg.OperationalError("the line broke")

    monkeypatch.setattr(PostgresStore, "_once", breaks)
    took(lambda: log.append(entry(1)), Unsure)
    monkeypatch.setattr(PostgresStore, "_once", real)
    assert log.append(entry(2)).index == 2
    assert whole(server) == Report(3, 3)


def test_a_lock_on_the_table_is_not_waited_for_for_ever(server, store):
    log = opened(store)
    with psycopg.connect(server.address()) as other:
        other.execute("LOCK TABLE hemostat_audit_records IN ACCESS EXCLUSIVE MODE")
        assert took(lambda: log.append(entry(0))) < LATE
    assert until(lambda: retried(log) is not None, 20, "it goes on")
    assert whole(server).whole


def test_a_full_disk_is_told_and_harms_nothing(server, store):
    """As PostgreSQL says it: no file system of ours is filled."""
    log = opened(store)
    log.append(entry(0))
    full = """CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''disk_full''; END'"""
    server.run(full, "CREATE TRIGGER full_disk BEFORE INSERT ON hemostat_audit_heads EXECUTE FUNCTION full_disk()")
    with pytest.raises(Retry, match=r"No space left.*disk has room"):
        log.append(entry(1))
    server.run("DROP FUNCTION full_disk CASCADE")
    assert log.append(entry(1)).index == 1
    assert whole(server) == Report(2, 2)


def test_a_hostile_row_costs_no_more_memory_than_a_page(server, store):
    opened(store).append(entry(0))
    server.run(
        "INSERT INTO hemostat_audit_records SELECT 1, decode(repeat('00', 1000000), 'hex'), "
        "decode(repeat('00', 1000000), 'hex')"
    )
    with closing(PostgresRecords(server.address())) as records:
        _, row = records.rows()
        assert (len(row.leaf), len(row.body)) == (33, 65_537)
        assert len(max(records.leaves(), key=len)) == 33
        assert verify(records, [signer().verifier]).bad == 1


def test_a_reader_sees_one_moment(server, store):
    log = opened(store)
    log.append(entry(0))
    with closing(PostgresRecords(server.address())) as now:
        log.append(entry(1))
        assert verify(now, [signer().verifier]) == Report(1, 1)
    assert whole(server) == Report(2, 2)


def call(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_a_key_has_to_be_mounted(server, tmp_path):
    with pytest.raises(Refused, match=r"HEMOSTAT_AUDIT_KEY to its path \(now it is unset"):
        open_log(server.address(), "", "act", SystemClock())
    with pytest.raises(Refused, match="openssl genpkey"):
        open_log(server.address(), str(tmp_path / "not-mounted.pem"), "act", SystemClock())


def test_keys_rotate_as_in_a_file(server, tmp_path):
    for _ in range(2):
        _, pem = Signer.generate(NAME)
        if (tmp_path / "key.pem").exists():
            (tmp_path / "key.pem").rename(tmp_path / "previous.pem")
        (tmp_path / "key.pem").write_bytes(pem)
        with closing(open_log(server.address(), str(tmp_path / "key.pem"), "act", SystemClock())) as log:
            log.append(entry(0))
    old = Signer.load(NAME, (tmp_path / "previous.pem").read_bytes())
    with closing(PostgresRecords(server.address())) as store:
        assert [Record.decode(r.body).entry.step for r in store.rows()] == [
            *(Step.STARTED, Step.DECIDED, Step.KEY, Step.STARTED, Step.DECIDED)
        ]
        assert verify(store, [old.verifier]).whole


def test_the_command_line_reads_verifies_and_exports_it(server, store, tmp_path):
    log, key = opened(store), signer().verifier
    for n in range(3):
        log.append(entry(n), {"facts": b"all"})
    where = server.address()
    assert "whole: 3 records" in call("verify", where, "--key", key).stdout
    assert len(json.loads(call("list", where, "-o", "json").stdout)["items"]) == 3
    assert call("replay", where).exit_code == 1, "these decisions rest on nothing that can be read"
    proof = tmp_path / "proof"
    proof.write_text(call("prove", where, 1).stdout)
    assert call("check", proof, "--key", key).exit_code == 0
    copy = tmp_path / "copy.db"
    copy.write_bytes(call("export", where).stdout_bytes)
    assert "whole: 3 records" in call("verify", copy, "--key", key).stdout
    server.run("ALTER TABLE hemostat_audit_records DISABLE TRIGGER append_only")
    server.run("""UPDATE hemostat_audit_records SET body = body || '\\x20' WHERE "index" = 2""")
    found = call("verify", where, "--key", key)
    assert (found.exit_code, "NOT whole: record 2" in found.stdout) == (1, True)


def test_a_log_moves_with_its_proof(server, tmp_path):
    path, where, key = tmp_path / "audit.db", server.address(), signer().verifier
    with closing(SqliteStore(path)) as file:
        log = opened(file)
        for n in range(30):
            log.append(entry(n), {"facts": b"%d" % n})
    for _ in range(2):
        done = call("move", path, where, "--key", key)
        assert done.exit_code == 0, done.exception
        assert "moved: 30 records, root " in done.stdout
    with closing(PostgresStore(where)) as store:
        assert opened(store).append(entry(30)).index == 30
    assert isinstance(call("move", path, where, "--key", key).exception, Refused), "it was gone on with there"
    other = tmp_path / "other.db"
    with closing(SqliteStore(other)) as file:
        opened(file, signer(2)).append(entry(0))
    refused = call("move", other, where, "--key", signer(2).verifier).exception
    assert "something else" in str(refused)


def test_no_password_is_told(server, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    secret = "sesame-open"
    told = []
    for address in (
        f"postgresql://owner:{secret}@127.0.0.1:1/postgres",
        f"postgresql://owner:{secret}@127.0.0.1:{server.port}/nowhere",
        f"postgresql://owner:{secret}@[/x",
        f"postgresql://owner@127.0.0.1/?password={secret}&what=no",
    ):
        with pytest.raises(HemostatError) as caught:
            open_log(address, __file__, "act", SystemClock())
        told.append(str(caught.value))
        found = call("verify", address, "--key", signer().verifier)
        told += [found.output, repr(found.exception)]
    assert all(secret not in text for text in (*told, caplog.text, *capfd.readouterr()))
    assert any("none of PostgreSQL's" in text for text in told)
