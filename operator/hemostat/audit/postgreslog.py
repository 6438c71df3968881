"""The tables of a log in PostgreSQL, and what is wrong with them in words (shell)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from hemostat.audit.store import foreign
from hemostat.errors import Refused, Retry
from hemostat.postgres import DEADLINE_SECONDS, Connection, first_line, number

NAME = "audit log"
_LOCK = 0x48454D41
"""PostgreSQL's advisory lock under which the tables are made: HEMA."""
_VERSION = "audit log of Hemostat, version 1"
"""A comment on the first of the tables."""
_TABLES = ("hemostat_audit_records", "hemostat_audit_heads", "hemostat_audit_kept")
SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS hemostat_audit_records
    ("index" bigint PRIMARY KEY, leaf bytea NOT NULL, body bytea NOT NULL);
CREATE TABLE IF NOT EXISTS hemostat_audit_heads (size bigint PRIMARY KEY, note text NOT NULL);
CREATE TABLE IF NOT EXISTS hemostat_audit_kept (digest text PRIMARY KEY, data bytea NOT NULL);
ALTER TABLE hemostat_audit_kept ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE OR REPLACE FUNCTION hemostat_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''append only''; END';
"""
    + "".join(
        f"""CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION hemostat_audit_append_only();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only;
"""
        for table in _TABLES
    )
    + f"COMMENT ON TABLE {_TABLES[0]} IS '{_VERSION}';\n"
)
"""SQL that makes the tables, for the role that is to own them."""
DISCONNECTED = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
"""What passes, or may on another connection: a standby took over, the server restarted, the disk is full."""
BOUNDS = f"""
SELECT set_config('statement_timeout', '{DEADLINE_SECONDS * 1000:.0f}', true),
    CASE WHEN current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')
    THEN set_config('synchronous_commit', 'on', true) END
"""
"""For one transaction, for a pooler may give each another server process: its deadline, and that it is on disk."""


def prepare(connection: Connection) -> None:
    """Make the tables if they are not there, and see that what is committed stays.

    Raises `Refused` (AuditUnusable), and what psycopg raises.
    """
    connection.execute(BOUNDS)
    (durable,) = connection.execute("SHOW fsync").fetchone() or ("",)
    if durable != "on":
        said = "forgets what it committed when its machine fails: set fsync = on there"
        raise Refused("AuditUnusable", f"the PostgreSQL of the audit log {said}")
    if not _there(connection):
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))  # two may start at once
        if not _there(connection):
            connection.execute(SCHEMA)
    check(connection)
    connection.commit()


def check(connection: Connection) -> None:
    """See that the tables are there and ours. Raises `Refused` (AuditUnusable)."""
    if not _there(connection):
        raise Refused("AuditUnusable", "there is no audit log in this database; name another one")
    query = "SELECT coalesce(obj_description(to_regclass(%s), 'pg_class'), '')"
    (found,) = connection.execute(query, (_TABLES[0],)).fetchone() or ("",)
    if found != _VERSION:
        said = f"the audit log in PostgreSQL was made by another Hemostat ({found[:80]!r} is no {_VERSION!r})"
        raise Refused("AuditUnusable", f"{said}; update this one")


@contextmanager
def told() -> Iterator[None]:
    """Turn what goes wrong into what a person can act on. Raises `Retry` and `Refused`."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise foreign(f"the {NAME} in PostgreSQL") from error
    except DISCONNECTED as error:
        said = f"the audit log in PostgreSQL does not answer: {first_line(error)}"
        raise Retry(f"{said}; {_hint(said)}", 5) from error
    except psycopg.Error as error:
        said = f"the audit log in PostgreSQL cannot be used: {first_line(error)}"
        more = f"act's role needs INSERT and SELECT on {', '.join(_TABLES)}; CREATE, too, if it is to make them"
        raise Refused("AuditUnusable", f"{said}; {more}") from error


def _hint(said: str) -> str:
    if re.search(r'database "[^"]*" does not exist', said):
        return "create that database, or name another one in the address"
    return "see whether the server is up and its disk has room"


def _there(connection: Connection) -> bool:
    # Not by to_regclass, which may remember for the rest of a transaction that there was none.
    query = "SELECT count(*) FROM pg_class WHERE relname = %s AND pg_table_is_visible(oid)"
    return bool(number(connection, query, _TABLES[0]))
