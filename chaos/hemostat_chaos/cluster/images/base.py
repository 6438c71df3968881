"""A Python base image from Debian packages, where none can be pulled."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from hemostat_chaos.cluster import archive, atomic, debian, locks, run
from hemostat_chaos.cluster.archive import Layer
from hemostat_chaos.cluster.constants import DEBIAN_SUITE, PACKAGES_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.paths import cache_root
from hemostat_chaos.cluster.progress import Progress

PACKAGES = ("python3", "ca-certificates", "netbase", "tzdata")
_LIBRARIES = ("/usr/lib/python3.11", "/usr/lib/python3")


@dataclass(frozen=True)
class Tree:
    """A layer that is kept both packed and as files, for building upon."""

    layer: Layer
    root: Path


def key() -> str:
    """Return the hash of all that goes into the layer."""
    return atomic.key_of([atomic.key_of_code(Path(__file__)), DEBIAN_SUITE])


def keep(folder: Path, root: Path) -> None:
    """Pack a tree beside itself and write down its digest, as :func:`kept` expects it."""
    layer = archive.pack(root, folder / "layer.tar", excludes=("./dev/*",))
    (folder / "digest.json").write_text(json.dumps(layer.digest))


def kept(folder: Path) -> Tree | None:
    """Return a tree that :func:`keep` has kept."""
    try:
        digest = json.loads((folder / "digest.json").read_text())
    except FileNotFoundError:
        return None
    return Tree(Layer(folder / "layer.tar", digest), folder / "root")


def make(progress: Progress, logs: Path) -> Tree:
    """Return the base layer, made now if it is not kept yet."""
    folder = cache_root() / "images" / f"python-{key()}"
    found = kept(folder)
    if found is None:
        with progress.step("base image: Debian with Python"), _lock():
            found = kept(folder) or _make(folder, logs)
    return found


def _make(folder: Path, logs: Path) -> Tree:
    with atomic.publish(folder) as partial:
        root = partial / "root"
        partial.mkdir()
        debian.bootstrap(root, PACKAGES, logs / "debootstrap-python.log")
        debian.trim(root)
        # All times become equal when the tree is packed: bytecode must not be tied to them.
        run.output(
            [
                "chroot",
                root,
                "python3",
                "-m",
                "compileall",
                "-q",
                "-f",
                "--invalidation-mode",
                "unchecked-hash",
                *_LIBRARIES,
            ],
            deadline=PACKAGES_DEADLINE,
        )
        keep(partial, root)
    found = kept(folder)
    if found is None:
        raise ClusterError(f"nothing in {folder}")
    return found


def _lock() -> AbstractContextManager[None]:
    return locks.held(cache_root() / "locks" / f"python-{key()}.lock")
