"""Builds a Dockerfile's layers without Docker, and keeps each by content hash."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from hemostat_chaos.cluster import archive, atomic, run
from hemostat_chaos.cluster.archive import Image
from hemostat_chaos.cluster.constants import BUILD_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.images import base
from hemostat_chaos.cluster.images.base import Tree
from hemostat_chaos.cluster.images.context import Part
from hemostat_chaos.cluster.images.dockerfile import Recipe, Step
from hemostat_chaos.cluster.paths import cache_root
from hemostat_chaos.cluster.progress import Progress

# In namespaces of its own: no network, and mounts that end with it.
_ISOLATED = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
_ENTER = """set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
mount -t tmpfs tmpfs "$4/dev"; mkdir "$4/dev/shm"; touch "$4/dev/null"; mount --bind /dev/null "$4/dev/null"
mount -t proc proc "$4/proc"
root=$4; shift 4; exec chroot "$root" "$@"
"""


def key_of_step(parent: str, step: Step, source: str) -> str:
    """Return the key of a layer: of what lies below, of its instructions, of what is copied."""
    return atomic.key_of([parent, repr(step), source])


def build(name: str, recipe: Recipe, bottom: Tree, parts: Mapping[str, Part], progress: Progress, log: Path) -> Image:
    """Build the image; layers whose inputs are unchanged are not built again."""
    trees = [bottom]
    key = bottom.layer.digest
    for step in recipe.steps:
        part = parts[step.source]
        key = key_of_step(key, step, part.key)
        trees.append(_layer(key, step, part, trees, progress, log))
    environment = [f"PATH={archive.PATH}", *(f"{name}={value}" for name, value in recipe.environment.items())]
    return Image(name, [tree.layer for tree in trees], {**recipe.settings, "Env": environment})


def _layer(key: str, step: Step, part: Part, below: Sequence[Tree], progress: Progress, log: Path) -> Tree:
    folder = cache_root() / "images" / f"layer-{step.source}-{key}"
    found = base.kept(folder)
    if found is None:
        with progress.step(f"image layer: {step.source}"), atomic.publish(folder) as partial:
            root = partial / "root"
            (root / step.target).parent.mkdir(parents=True)
            shutil.copytree(part.folder, root / step.target, symlinks=True)
            for command in step.commands:
                _run(command, [tree.root for tree in below], root, partial, log)
            _refuse_whiteouts(root)
            base.keep(partial, root)
        found = base.kept(folder)
    if found is None:
        raise ClusterError(f"nothing in {folder}")
    return found


def _run(command: Sequence[str], below: Sequence[Path], upper: Path, folder: Path, log: Path) -> None:
    work, mount = folder / "work", folder / "mount"
    for needed in (work, mount):
        needed.mkdir()
    lower = ":".join(str(path) for path in reversed(below))
    run.logged(
        [*_ISOLATED, "sh", "-c", _ENTER, "sh", lower, upper, work, mount, *command],
        log,
        deadline=BUILD_DEADLINE,
        append=True,
        env={"PATH": archive.PATH, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    for needed in (work, mount):
        shutil.rmtree(needed)


def _refuse_whiteouts(root: Path) -> None:
    for path in root.rglob("*"):
        if stat.S_ISCHR(path.lstat().st_mode):
            raise ClusterError(f"RUN removed /{path.relative_to(root)}: that needs Docker")
