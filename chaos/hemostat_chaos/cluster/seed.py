"""A Docker data folder that already holds the node image, planted instead of loading it again.

Image layers are never written to: a container's changes go to a layer of its own. So
their files can be hard links, which take neither time nor space.
"""

from __future__ import annotations

from pathlib import Path

from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.paths import cache_root

_COPY_DEADLINE = 120.0
_LINKED = "overlay2"  # the layers' files
_COPIED = "image"  # the daemon's own records about them, which it rewrites


def folder(key: str) -> Path:
    """Return where the seed of a node image is kept."""
    return cache_root() / "docker" / key


def plant(key: str, data_root: Path) -> bool:
    """Fill a new daemon's data folder before it starts; tell whether that was possible."""
    seed = folder(key)
    if not seed.is_dir():
        return False
    data_root.mkdir(parents=True, exist_ok=True)
    if _copy(seed, data_root):
        return True
    # Another file system, most likely: the image is loaded the long way.
    for part in (_LINKED, _COPIED):
        atomic.discard(data_root / part)
    return False


def harvest(key: str, data_root: Path) -> None:
    """Keep a daemon's image for the next one. No container may have been made from it yet."""
    if folder(key).is_dir() or data_root.stat().st_dev != cache_root().stat().st_dev:
        return
    with atomic.publish(folder(key)) as partial:
        partial.mkdir()
        if not _copy(data_root, partial):
            raise ClusterError(f"the node image could not be kept in {folder(key)}")


def _copy(source: Path, target: Path) -> bool:
    return all(
        run.attempt(["cp", option, source / part, target / part], deadline=_COPY_DEADLINE).returncode == 0
        for part, option in ((_LINKED, "-al"), (_COPIED, "-a"))
    )
