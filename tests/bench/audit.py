"""The audit log: records a second that are on disk and signed, by eight writers; how long a million takes to verify.

Run as `.venv/bin/python tests/bench/audit.py`; adds to build/bench/gate.json. File and database are on the project's
disk, with SQLite's synchronous = FULL, and PostgreSQL's fsync and synchronous_commit on. Fewer records than a million
are verified; the time grows with their number. Beside: as durable rows by the same writers into a bare table of either,
one commit each; in PostgreSQL each writer has a connection of its own.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[2]))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.api.postgres import postgres

from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.opening import open_records, open_store
from hemostat.audit.record import Entry, Step, Word
from hemostat.audit.verify import verify
from hemostat.clock import SystemClock

OUT = Path(__file__).parents[2] / "build/bench/gate.json"
WRITERS = 8
KEY = Signer("hemostat.dev/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))
SAYS = {
    "effect": "Forward",
    "attempt": 1,
    "planHash": "sha256:" + "a" * 64,
    "object": "Deployment payment",
    "uid": "u" * 36,
}


def entry(number: int) -> Entry:
    """Return an intent, the commonest of the records that an effect waits for."""
    return Entry(Step.INTENT, "shop", f"payment-{number}", "u" * 36, Word.POLICY, ("auto",), SAYS)


def rate(append: Callable[[int], object], count: int) -> float:
    """Return how many a second are written by all writers together."""

    def write(writer: int) -> None:
        for number in range(writer, count, WRITERS):
            append(number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - began)


def bare(path: Path) -> Callable[[int], object]:
    """Return what puts one row into a table, durably."""
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    file.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB)")
    lock, body = threading.Lock(), json.dumps(SAYS).encode()

    def insert(number: int) -> None:
        with lock:
            file.execute("INSERT INTO rows VALUES (?, ?)", (number, body))

    return insert


@contextmanager
def bare_rows(address: str) -> Iterator[Callable[[int], object]]:
    """Yield what puts one row into a table of PostgreSQL, durably."""
    body = json.dumps(SAYS).encode()
    with ExitStack() as stack:
        open_one = (psycopg.connect(address, autocommit=True) for _ in range(WRITERS))
        connections = [stack.enter_context(closing(connection)) for connection in open_one]
        connections[0].execute("CREATE TABLE rows (number bigint PRIMARY KEY, body bytea)")
        yield lambda n: connections[n % WRITERS].execute("INSERT INTO rows VALUES (%s, %s)", (n, body))


def log_figures(where: str, count: int) -> tuple[float, float, float]:
    """Return records a second, and seconds of wall and of processor to verify a million."""
    with closing(open_store(where)) as store:
        log = Log(store, KEY, (), "bench", SystemClock())
        written = rate(lambda n: log.append(entry(n)), count)
    with closing(open_records(where)) as records:
        wall, cpu = time.perf_counter(), time.process_time()
        found = verify(records, [KEY.verifier])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if not found.whole or found.size != count:
        raise SystemExit(f"it should be whole: {found}")
    return written, wall * 1e6 / count, cpu * 1e6 / count


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    count = parser.parse_args().records
    few = min(count, 10_000)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT.parent) as folder:
        in_file = log_figures(str(Path(folder, "audit.db")), count)
        in_bare_file = rate(bare(Path(folder, "bare.db")), few)
        with postgres(Path(folder), fsync="on") as server:
            in_database = log_figures(server.address(), count)
            with bare_rows(server.address()) as insert:
                in_bare_database = rate(insert, few)
    figures = {
        "audit_records": count,
        "audit_records_per_second": round(in_file[0]),
        "audit_bare_sqlite_rows_per_second": round(in_bare_file),
        "audit_verify_seconds_per_million": round(in_file[1], 1),
        "audit_verify_cpu_seconds_per_million": round(in_file[2], 1),
        "audit_postgres_records_per_second": round(in_database[0]),
        "audit_bare_postgres_rows_per_second": round(in_bare_database),
        "audit_postgres_verify_seconds_per_million": round(in_database[1], 1),
        "audit_postgres_verify_cpu_seconds_per_million": round(in_database[2], 1),
    }
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.write_text(json.dumps(before | figures, indent=1) + "\n")
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
