"""Opens the log, with its key (shell).

Whoever is in earnest mounts the key from a Secret, so that nobody who has the log's volume can sign another one. Where
there is none, the log gets a key of its own beside it.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.record import Entry, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat.audit.store import Store
from hemostat.clock import Clock
from hemostat.errors import Broken, Refused

NAME = "hemostat.dev/audit"
"""Of the log and of its keys, unless told otherwise."""
PREVIOUS = "previous.pem"
"""Beside the key: the one before it, from which it takes over."""


def open_log(where: str, key: str, by: str, clock: Clock) -> Log:
    """Open the log and record that it was. Raises `Refused`, `Retry` or `Broken`: then nothing may be done.

    :param where: path of the SQLite file.
    :param key: path of a PEM file; one that is not there, or "", is a key beside the log, made when there is none.
    :param by: name and version of the process.
    """
    store = SqliteStore(Path(where))
    own = Path(f"{where}.key")
    mounted = Path(key) if key else None
    if mounted is not None and mounted.exists():
        log = _taken_over(
            store, _load(mounted), [p for p in (mounted.with_name(PREVIOUS), own) if p.exists()], by, clock
        )
    else:
        log = Log(store, _load(own) if own.exists() else _made(own, store), (), by, clock)
    log.append(Entry(Step.STARTED, says={"key": str(log.verifier)}))
    return log


def _taken_over(store: Store, signer: Signer, earlier: Sequence[Path], by: str, clock: Clock) -> Log:
    """Open the log with this key; where another one signed last, that one first names this one as its successor."""
    note = next(store.checkpoints(newest_first=True), None)
    before = next((s for s in map(_load, earlier) if note is not None and _signed(note, s)), None)
    if note is None or before is None or _signed(note, signer):
        return Log(store, signer, (), by, clock)
    old = Log(store, before, (), by, clock)
    old.append(Entry(Step.KEY, says={"key": str(signer.verifier)}))
    return Log(store, signer, (before.verifier,), by, clock)


def _signed(note: str, signer: Signer) -> bool:
    try:
        Checkpoint.open(note, [signer.verifier])
    except ValueError:
        return False
    return True


def _load(path: Path) -> Signer:
    try:
        return Signer.load(NAME, path.read_bytes())
    except OSError as error:
        raise Broken(f"the audit key {path} cannot be read: {error}") from error


def _made(path: Path, store: Store) -> Signer:
    """Make a key, for a log that nobody has signed yet."""
    if next(store.checkpoints(), None) is not None:
        said = f"the key of the audit log, {path}, is gone; put it back, or set HEMOSTAT_AUDIT_KEY"
        raise Refused("AuditKeyGone", said)
    signer, pem = Signer.generate(NAME)
    try:
        path.touch(0o600, exist_ok=False)
        with path.open("wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Broken(f"the audit key {path} cannot be written: {error}") from error
    return signer
