"""Past incidents in a real PostgreSQL with pgvector: the same as in a file, and no harm when the server is not well."""

import os
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest
import yaml
from tests.api.postgres import postgres
from tests.unit.memory.contract import Contract
from tests.unit.memory.episodes import OOM, episode

from hemostat.errors import Refused, Retry
from hemostat.memory import postgreslink
from hemostat.memory.embed import HASHED
from hemostat.memory.opening import open_memory
from hemostat.memory.postgres import PostgresMemory
from hemostat.memory.postgreslink import Link
from hemostat.memory.sqlite import SqliteMemory
from hemostat.memory.store import EVERYWHERE, MAX_EPISODES
from hemostat.postgres import DEADLINE_SECONDS

INCIDENTS = yaml.safe_load((Path(__file__).parents[1] / "unit/memory/incidents.yaml").read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(server):
    server.run("DROP TABLE IF EXISTS hemostat_tries, hemostat_episodes")


class TestPostgres(Contract):
    @pytest.fixture(autouse=True)
    def _address(self, server):
        self._where = server.address()

    def open(self, maximum=MAX_EPISODES, embedding=HASHED):
        return PostgresMemory(self._where, maximum, embedding)


def test_it_finds_the_same_as_the_file(server, tmp_path):
    both = [open_memory(server.address()), SqliteMemory(tmp_path / "memory.db")]
    for memory in both:
        for i, incident in enumerate(INCIDENTS):
            memory.remember(episode(f"uid-{i}", incident["was"]))
    for incident in INCIDENTS:
        there, here = (
            {m.episode.uid: m.score for m in memory.similar(incident["told"], EVERYWHERE, 50)} for memory in both
        )
        assert len(there) >= 5
        for uid in there.keys() | here.keys():  # a cosine next to nothing may be nothing in the other
            assert there.get(uid, 0.0) == pytest.approx(here.get(uid, 0.0), abs=0.01)


def test_replicas_that_start_at_once_make_the_tables_once(server):
    failures, gate = [], threading.Barrier(6)

    def start(i):
        gate.wait(10)
        try:
            PostgresMemory(server.address()).remember(episode(f"uid-{i}"))
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=start, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(PostgresMemory(server.address()).similar(OOM, "shop", 9)) == 6


def test_who_may_not_make_tables_is_told_what_is_missing_and_can_use_those_that_are_there(server):
    server.run("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    reader = PostgresMemory(server.address("reader"))
    with pytest.raises(Refused, match="right to make tables") as caught:
        reader.remember(episode())
    assert caught.value.reason == "MemoryUnusable"
    PostgresMemory(server.address()).recall("any", EVERYWHERE)
    server.run("GRANT SELECT, INSERT, UPDATE, DELETE ON hemostat_episodes, hemostat_tries TO reader")
    reader.remember(episode())
    assert len(reader.similar(OOM, "shop", 9)) == 1
    server.run("DROP OWNED BY reader", "DROP ROLE reader")


def test_a_database_that_is_not_there_and_tables_that_are_gone_are_told(server):
    with pytest.raises(Retry, match="does not exist"):
        PostgresMemory(server.address(database="nowhere")).recall("any", EVERYWHERE)
    memory = PostgresMemory(server.address())
    memory.remember(episode())
    server.run("DROP TABLE hemostat_tries, hemostat_episodes")
    with pytest.raises(Refused, match="does not exist"):
        memory.recall("uid-1", "shop")
    memory.remember(episode())  # and made anew
    assert memory.recall("uid-1", "shop") == episode()


def test_a_server_that_fails_loses_nothing_and_is_used_again_when_it_is_back(server, monkeypatch):
    monkeypatch.setattr(postgreslink, "RESET_SECONDS", 0.2)
    memory = PostgresMemory(server.address())
    memory.remember(episode())
    server.stop()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(Retry):
            memory.remember(episode("uid-2"))
    with pytest.raises(Retry, match="failed repeatedly"):
        memory.similar(OOM, "shop", 9)
    assert time.monotonic() - began < 15
    server.start()
    time.sleep(0.3)
    assert [m.episode.uid for m in memory.similar(OOM, "shop", 9)] == ["uid-1"]
    memory.remember(episode("uid-2"))
    assert len(memory.similar(OOM, "shop", 9)) == 2


def took(ask):
    """Seconds until it says `Retry`."""
    began = time.monotonic()
    with pytest.raises(Retry):
        ask()
    return time.monotonic() - began


def test_a_server_that_stands_still_is_not_waited_for(server):
    memory = PostgresMemory(server.address())
    memory.remember(episode())
    with server.frozen():
        assert took(lambda: memory.similar(OOM, "shop", 9)) < DEADLINE_SECONDS + 8
    assert memory.similar(OOM, "shop", 9)


def test_a_server_that_stops_in_the_middle_of_an_answer_is_hung_up_on(server):
    link, stopped = Link(server.address()), []

    def ask(connection):
        stopped.append(connection.info.backend_pid)
        os.kill(stopped[0], signal.SIGSTOP)
        connection.execute("SELECT 1")

    try:
        assert took(lambda: link.ask(ask)) < DEADLINE_SECONDS + 8
    finally:
        os.kill(stopped[0], signal.SIGCONT)
    assert link.ask(lambda c: c.execute("SELECT 1").fetchone()) == (1,)


def test_a_query_that_takes_too_long_ends_on_the_server_too(server):
    link = Link(server.address())
    assert took(lambda: link.ask(lambda c: c.execute("SELECT pg_sleep(60)"))) < DEADLINE_SECONDS + 8
    with psycopg.connect(server.address()) as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        assert connection.execute(running).fetchone() == (0,)


def test_what_failed_half_way_is_not_there(server):
    memory = PostgresMemory(server.address())
    memory.recall("any", EVERYWHERE)
    server.run("ALTER TABLE hemostat_tries ADD CONSTRAINT never CHECK (false) NOT VALID")
    with pytest.raises(Refused):
        memory.remember(episode(tries=[{"runbook": "bad-release", "action": "rollback", "outcome": "Healed"}]))
    assert memory.recall("uid-1", "shop") is None
