"""What is written down about an offline cluster, so that any later run can find all of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hemostat_chaos.cluster import atomic
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.paths import STATE_ROOT, state_dir

STARTING = "starting"
UP = "up"


@dataclass(frozen=True)
class State:
    """One cluster's record. ``key`` is the hash of its configuration."""

    name: str
    phase: str
    directory: str
    since: str
    link: int
    key: str
    workers: int
    dockerd: str = ""  # an Identity

    def save(self) -> None:
        """Write the record in one rename."""
        atomic.write(_file(self.name), json.dumps(asdict(self), indent=1) + "\n")

    def with_dockerd(self, identity: str) -> State:
        """Return the record with the daemon's identity, and save it."""
        changed = replace(self, dockerd=identity)
        changed.save()
        return changed

    def now_up(self) -> State:
        """Return the record of a cluster that is up, and save it."""
        changed = replace(self, phase=UP)
        changed.save()
        return changed


def load(name: ClusterName) -> State | None:
    """Return a cluster's record; None if there is none that can be read."""
    return _read(_file(str(name)))


def load_all() -> list[State]:
    """Return the records of all clusters on this machine."""
    found = (_read(path) for path in sorted(STATE_ROOT.glob("*/state.json")))
    return [state for state in found if state is not None]


def names() -> list[str]:
    """Return every name that has left something, with or without a readable record."""
    found = []
    for path in sorted(STATE_ROOT.glob("*")):
        try:
            found.append(str(ClusterName(path.name)))
        except ClusterError:
            continue
    return found


def _file(name: str) -> Path:
    return state_dir(name) / "state.json"


def _read(path: Path) -> State | None:
    try:
        return State(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
