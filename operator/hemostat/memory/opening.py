"""Which memory there is, by its address (shell)."""

from pathlib import Path

from hemostat.errors import Broken
from hemostat.memory.sqlite import SqliteMemory
from hemostat.memory.store import MAX_EPISODES, Memory


def open_memory(where: str, maximum: int = MAX_EPISODES) -> Memory:
    """Return the memory at this address: `postgresql://user@host/database`, or the path of a SQLite file.

    Nothing is opened before it is used. Raises `Broken` when the address cannot be understood or psycopg is missing.
    """
    if not where.startswith(("postgresql://", "postgres://")):
        return SqliteMemory(Path(where), maximum)
    try:
        from hemostat.memory.postgres import PostgresMemory
    except ImportError as error:
        said = "a memory in PostgreSQL needs psycopg: install hemostat[postgres], or name a file"
        raise Broken(f"{said} ({error})") from error
    return PostgresMemory(where, maximum)
