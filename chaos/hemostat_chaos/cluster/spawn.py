"""Long-lived child processes that cannot outlive this one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from hemostat_chaos.cluster import run


@cache
def _spawner() -> ThreadPoolExecutor:
    # The kernel's parent-death signal is sent when the *thread* that started the child ends, so
    # every child is started by one thread that lives as long as this process.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def background(argv: run.Argv, log: Path, *, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process ends, however it ends."""

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                run.bound(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
            )

    return _spawner().submit(start).result()


def end(process: subprocess.Popen[bytes], *, grace: float) -> None:
    """Stop a program started by :func:`background` and collect its status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
