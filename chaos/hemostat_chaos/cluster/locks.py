"""Locks that die with their holder and say who that is."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hemostat_chaos.cluster.constants import LOCK_WAIT
from hemostat_chaos.cluster.errors import ClusterError


def describe_holder(text: str) -> str:
    """Render a lock file's contents: who holds it, where, since when."""
    try:
        holder = json.loads(text)
        return f"process {holder['pid']} in {holder['directory']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def held(path: Path, *, busy: Callable[[str], None] | None = None, wait: float = LOCK_WAIT) -> Iterator[None]:
    """Hold an exclusive lock for the length of the block.

    ``busy`` is told once who holds the lock; it may raise instead of waiting.
    """
    descriptor = _acquire(path, busy, wait)
    try:
        holder = {"pid": os.getpid(), "directory": str(Path.cwd()), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        # Unlinked while it is still held: whoever opened the old file notices below.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, busy: Callable[[str], None] | None, wait: float) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + wait
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = describe_holder(os.pread(descriptor, 4096, 0).decode(errors="replace"))
            os.close(descriptor)
            if busy is not None and not told:
                busy(holder)
                told = True
            if time.monotonic() > end:
                raise ClusterError(f"{path} is still held by {holder} after {wait:.0f} s") from None
            time.sleep(0.2)
            continue
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)
