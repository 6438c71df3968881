"""Control groups as the record of which processes belong to a cluster.

Every process that a cluster starts, and whatever those start in turn, stays
below the cluster's own control group: it tells ours from all others even after
this program and the daemons were killed.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hemostat_chaos.cluster.errors import ClusterError

ROOT = Path("/sys/fs/cgroup")
_TRACKERS = ("pids", "freezer", "devices")
_DAEMON = "daemon"


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Return the roots of all mounted hierarchies: one on cgroup v2, several on v1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(
        path for path in root.glob("*") if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()
    )


def tracker(root: Path = ROOT) -> Path:
    """Return the hierarchy in which the daemons themselves are tracked."""
    found = hierarchies(root)
    for wanted in _TRACKERS:
        if root / wanted in found:
            return root / wanted
    if not found:
        raise ClusterError(f"no control groups below {root}", hint="mount them, or use Docker")
    return found[0]


def daemon_group(group: str) -> Path:
    """Make and return the control group that a cluster's daemons run in."""
    folder = tracker() / group / _DAEMON
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def joining(folder: Path, argv: list[str]) -> list[str]:
    """Return a command that enters a control group and becomes another command."""
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(folder), *argv]


def members(group: str) -> set[int]:
    """Return the processes of a cluster, in every hierarchy."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / group):  # passes over what goes away meanwhile, which rglob does not
            try:
                found.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
            except OSError:  # the group went away, or is threaded
                continue
    return found - {os.getpid(), 0}


def kill_all(group: str, *, deadline: float = 20.0) -> None:
    """Kill every process of a cluster until none is left, then remove its control groups."""
    end = time.monotonic() + deadline
    while pids := members(group):
        if time.monotonic() > end:
            raise ClusterError(f"processes {sorted(pids)} do not end", hint="try again, or restart the machine")
        _kill(group, pids)
        time.sleep(0.05)
    _remove(group, end)


def _kill(group: str, pids: set[int]) -> None:
    handles: dict[int, int] = {}
    try:
        for pid in pids:
            try:
                handles[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
        # An id may have been reused between reading it and opening it; what is a member now is ours.
        for pid in members(group) & handles.keys():
            try:
                signal.pidfd_send_signal(handles[pid], signal.SIGKILL)
            except ProcessLookupError:
                continue
    finally:
        for handle in handles.values():
            os.close(handle)


def _remove(group: str, end: float) -> None:
    for hierarchy in hierarchies():
        top = hierarchy / group
        while top.exists():
            for folder, _, _ in os.walk(top, topdown=False):
                _rmdir(Path(folder))
            if time.monotonic() > end:
                return  # empty groups harm nobody; the next `down` tries again
            time.sleep(0.01)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # busy for a moment after its last process has gone
        return
