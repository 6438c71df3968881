"""Episodes in PostgreSQL with pgvector, for several replicas (shell). Needs the extra `postgres` (psycopg 3).

Searches are exact: PostgreSQL reads the vectors of the namespace, or all.
"""

import logging
from collections import Counter

from pydantic import ValidationError

from hemostat.memory.embed import HASHED, Embedding, Vector
from hemostat.memory.episode import Episode, Outcome
from hemostat.memory.postgreslink import Link
from hemostat.memory.store import MAX_EPISODES, MAX_FOUND, MAX_TRIED, Match, Scope, namespace_of, tries_of
from hemostat.postgres import Connection, number

LOG = logging.getLogger(__name__)
_KEEP = """
INSERT INTO hemostat_episodes VALUES (%s, %s, %s, %s, %s, %s::halfvec) ON CONFLICT (uid) DO UPDATE SET
    namespace = excluded.namespace, resolved = excluded.resolved, episode = excluded.episode,
    embedding = excluded.embedding, vector = excluded.vector
"""
_FORGET = """
DELETE FROM hemostat_episodes WHERE uid IN (
    SELECT uid FROM (
        SELECT uid, resolved, row_number() OVER (PARTITION BY namespace ORDER BY resolved DESC, uid) AS place
        FROM hemostat_episodes
    ) AS placed ORDER BY place DESC, resolved LIMIT %s
)
"""
_SIMILAR = """
SELECT uid, episode, -(vector <#> %(vector)s::halfvec) FROM hemostat_episodes
WHERE embedding = %(embedding)s AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
ORDER BY vector <#> %(vector)s::halfvec, uid LIMIT %(most)s
"""
_OUTCOMES = """
SELECT outcome, count(*) FROM hemostat_tries
WHERE runbook = %s AND action = %s AND (%s::text IS NULL OR namespace = %s) GROUP BY outcome
"""
_TRIED = """
SELECT uid, episode FROM hemostat_episodes AS e WHERE (%s::text IS NULL OR namespace = %s)
    AND EXISTS (SELECT FROM hemostat_tries AS t WHERE t.uid = e.uid) ORDER BY resolved DESC, uid LIMIT %s
"""


class PostgresMemory:
    """A `Memory` in a PostgreSQL database with pgvector 0.7 or later. Its tables are made if need be.

    Raises `Refused` (MemoryUnusable) when a person has to do something, `Retry` when it cannot be reached.

    :param address: of the database, as libpq has it: `postgresql://user@host/database?sslmode=verify-full`. libpq reads
        the password from PGPASSWORD or PGPASSFILE.
    :param maximum: episodes that are kept.
    """

    def __init__(self, address: str, maximum: int = MAX_EPISODES, embedding: Embedding = HASHED) -> None:
        self._link = Link(address)
        self._maximum, self._embedding = maximum, embedding

    def remember(self, episode: Episode) -> None:
        """As `Memory` says."""
        told, vector = episode.model_dump_json(by_alias=True), _literal(self._embedding.embed(episode.text))
        row = (episode.uid, episode.namespace, episode.resolved_time, told, self._embedding.version, vector)

        def keep(connection: Connection) -> None:
            connection.execute(_KEEP, row)
            connection.execute("DELETE FROM hemostat_tries WHERE uid = %s", (episode.uid,))
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO hemostat_tries VALUES (%s, %s, %s, %s, %s, %s)", tries_of(episode))
            many = number(connection, "SELECT count(*) FROM hemostat_episodes") - self._maximum
            if many > 0:  # and, that it need not be done each time, one in a hundred more
                connection.execute(_FORGET, (many + self._maximum // 100,))

        self._link.ask(keep)

    def recall(self, uid: str, scope: Scope) -> Episode | None:
        """As `Memory` says."""
        query = "SELECT episode FROM hemostat_episodes WHERE uid = %s AND (%s::text IS NULL OR namespace = %s)"
        row = self._link.ask(lambda c: c.execute(query, (uid, *2 * (namespace_of(scope),))).fetchone())
        return _read(uid, row[0]) if row is not None else None

    def similar(self, text: str, scope: Scope, most: int) -> list[Match]:
        """As `Memory` says."""
        asked = {
            "vector": _literal(self._embedding.embed(text)),
            "embedding": self._embedding.version,
            "namespace": namespace_of(scope),
            "most": max(0, min(most, MAX_FOUND)),
        }
        rows = self._link.ask(lambda c: c.execute(_SIMILAR, asked).fetchall())
        found = [(_read(uid, told), min(1.0, float(score))) for uid, told, score in rows if score > 0]
        return [Match(episode, score) for episode, score in found if episode is not None]

    def outcomes(self, runbook: str, action: str, scope: Scope) -> Counter[Outcome]:
        """As `Memory` says."""
        asked = (runbook, action, *2 * (namespace_of(scope),))
        return Counter({Outcome(o): n for o, n in self._link.ask(lambda c: c.execute(_OUTCOMES, asked).fetchall())})

    def tried(self, scope: Scope, most: int) -> list[Episode]:
        """As `Memory` says."""
        asked = (*2 * (namespace_of(scope),), max(0, min(most, MAX_TRIED)))
        rows = self._link.ask(lambda c: c.execute(_TRIED, asked).fetchall())
        return [found for uid, told in rows if (found := _read(uid, told)) is not None]

    def renew(self, most: int) -> int:
        """As `Memory` says. Several replicas may do it side by side."""
        version = self._embedding.version
        query = """SELECT uid, episode FROM hemostat_episodes WHERE embedding <> %s
            ORDER BY resolved DESC LIMIT %s FOR UPDATE SKIP LOCKED"""
        change = "UPDATE hemostat_episodes SET embedding = %s, vector = %s::halfvec WHERE uid = %s"

        def embed(connection: Connection) -> int:
            for uid, told in connection.execute(query, (version, most)).fetchall():
                episode = _read(uid, told)
                if episode is not None:
                    connection.execute(change, (version, _literal(self._embedding.embed(episode.text)), uid))
            return number(connection, "SELECT count(*) FROM hemostat_episodes WHERE embedding <> %s", version)

        return self._link.ask(embed)

    def close(self) -> None:
        """Do nothing: no connection is kept."""


def _literal(vector: Vector) -> str:
    return f"[{','.join(f'{x:.5g}' for x in vector.tolist())}]"


def _read(uid: str, told: str) -> Episode | None:
    try:
        return Episode.model_validate_json(told)
    except ValidationError as error:
        LOG.warning("the episode of Incident %s is left out: %d of its fields cannot be read", uid, error.error_count())
        return None
