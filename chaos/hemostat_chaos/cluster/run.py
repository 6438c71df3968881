"""Running other programs: with a deadline, a log file, and no orphans."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hemostat_chaos.cluster.constants import COMMAND_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError

Argv = Sequence[str | Path]


def bound(argv: Argv) -> list[str]:
    """Prefix a command so that the kernel kills it when this thread is gone.

    Without it a ``kill -9`` of the command line would leave compilers behind.
    """
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    return [*prefix, *map(str, argv)]


def logged(
    argv: Argv,
    log: Path,
    *,
    deadline: float,
    hint: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    append: bool = False,
) -> None:
    """Run a noisy command into a log file; fail with the end of that log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    shown = shlex.join(map(str, argv))
    with log.open("ab" if append else "wb") as out:
        out.write(f"$ {shown}\n".encode())
        out.flush()
        try:
            code = subprocess.run(
                bound(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=_environment(env),
                cwd=cwd,
                timeout=deadline,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            message = f"no end of `{_short(argv)}` after {deadline:.0f} s"
            raise ClusterError(message, hint=hint, log=log) from None
        except OSError as error:
            raise ClusterError(f"cannot run {argv[0]}: {error}", hint=hint) from error
    if code != 0:
        raise ClusterError(f"`{_short(argv)}` ended with status {code}", hint=hint, log=log)


def output(
    argv: Argv,
    *,
    deadline: float = COMMAND_DEADLINE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    data: bytes | None = None,
) -> str:
    """Run a short command and return what it prints; raise on failure."""
    result = attempt(argv, deadline=deadline, env=env, cwd=cwd, data=data)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()
        raise ClusterError(f"`{_short(argv)}` ended with status {result.returncode}: {said[-600:]}")
    return result.stdout


def attempt(
    argv: Argv,
    *,
    deadline: float = COMMAND_DEADLINE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    data: bytes | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a short command; a command that cannot run or never ends counts as status 127 or 124."""
    words = [str(word) for word in argv]
    try:
        result = subprocess.run(
            bound(argv),
            input=data if data is not None else b"",
            capture_output=True,
            env=_environment(env),
            cwd=cwd,
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no end after {deadline:.0f} s")
    except OSError as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))
    return subprocess.CompletedProcess(
        words,
        result.returncode,
        result.stdout.decode(errors="replace"),
        result.stderr.decode(errors="replace"),
    )


def succeeds(argv: Argv, *, deadline: float = COMMAND_DEADLINE, env: Mapping[str, str] | None = None) -> bool:
    """Tell whether a short command ends well."""
    return attempt(argv, deadline=deadline, env=env).returncode == 0


def wait_for(
    what: str,
    ready: Callable[[], bool],
    *,
    deadline: float,
    log: Path | None = None,
    hint: str = "",
    pause: float = 0.1,
) -> None:
    """Wait until something is true; fail when the deadline has passed."""
    end = time.monotonic() + deadline
    while not ready():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not after {deadline:.0f} s", log=log, hint=hint)
        time.sleep(pause)


def _environment(extra: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if extra is None else {**os.environ, **extra}


def _short(argv: Argv) -> str:
    words = [str(word) for word in argv]
    return shlex.join(words[:6]) + (" ..." if len(words) > 6 else "")
