"""Files and folders that are either there whole or not there at all."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hemostat_chaos.cluster.processes import alive, own_identity, parse_identity

KEY_LENGTH = 16
_MARK = ".partial-"


def key_of(parts: Iterable[bytes | str]) -> str:
    """Hash parts into a short key; how they are divided matters."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:KEY_LENGTH]


def key_of_tree(root: Path, *, skip: Iterable[str] = ("__pycache__",)) -> str:
    """Hash the names and contents of all files below a folder."""
    skipped = set(skip)
    parts: list[bytes | str] = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not skipped.intersection(relative.parts):
            parts += [str(relative), path.read_bytes()]
    return key_of(parts)


def write(path: Path, data: str | bytes, *, mode: int = 0o644) -> None:
    """Write a file in one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _partial(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data.encode() if isinstance(data, str) else data)
    temporary.replace(path)


def key_of_code(path: Path) -> str:
    """Hash what a Python file does: comments and layout do not count."""
    return key_of([ast.dump(ast.parse(path.read_bytes()))])


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """Give a temporary name to build at; it becomes ``path`` if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    temporary = _partial(path)
    discard(temporary)
    try:
        yield temporary
        if temporary.is_dir() and path.exists():
            discard(path)
        temporary.replace(path)
    finally:
        discard(temporary)


@contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder that is removed at the end, or later if this process is killed."""
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    folder = _partial(parent / name)
    discard(folder)
    folder.mkdir()
    try:
        yield folder
    finally:
        discard(folder)


def sweep(parent: Path) -> None:
    """Remove what processes that no longer live have left half done."""
    for path in parent.glob(f"{_MARK}*"):
        identity = parse_identity(path.name.removeprefix(_MARK).split("-", 1)[0])
        if identity is None or not alive(identity):
            discard(path)


def prune(parent: Path, pattern: str, *, keep: int) -> None:
    """Remove all but the newest of what was published under names of one pattern."""
    dated = sorted(((path.stat().st_mtime, path) for path in parent.glob(pattern)), reverse=True)
    for _, path in dated[keep:]:
        discard(path)


def discard(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f"{_MARK}{own_identity()}-{path.name}")
