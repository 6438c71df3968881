"""What goes into the images: the locked dependencies, and this project's own code."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from hemostat_chaos.cluster import atomic, locks, run
from hemostat_chaos.cluster.constants import AGENTS_IMAGE, OPERATOR_IMAGE, PACKAGES_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.paths import cache_root, project_root
from hemostat_chaos.cluster.progress import Progress

PACKAGES = (
    Path("operator/hemostat"),
    Path("remediations/hemostat_remediations"),
    Path("chaos/hemostat_chaos"),
)
# Wheels for any glibc that bookworm's is newer than.
PLATFORMS = (
    "manylinux_2_34",
    "manylinux_2_31",
    "manylinux_2_28",
    "manylinux_2_17",
    "manylinux_2_12",
    "manylinux_2_5",
    "manylinux2014",
    "manylinux2010",
    "manylinux1",
)
PYTHON = "3.11"
# A web interface that a library brings for a server that is never started here.
_UNUSED = ("litellm/proxy/_experimental/out", "bin")


@dataclass(frozen=True)
class Built:
    """An image of this project: its own code upon its own dependencies. Paths are relative to the project."""

    name: str
    dockerfile: Path
    lock: Path


OPERATOR = Built(OPERATOR_IMAGE, Path("operator/Dockerfile"), Path("operator/requirements.lock"))
AGENTS = Built(AGENTS_IMAGE, Path("chaos/agents/Dockerfile"), Path("chaos/agents/crew.lock"))
BUILT = (OPERATOR, AGENTS)


@dataclass(frozen=True)
class Part:
    """One folder of the build context, and the hash of what is in it."""

    folder: Path
    key: str


def pip_arguments(lock: Path, target: Path) -> list[str]:
    """Return pip's arguments that fetch exactly what the lock names, for the image's Python."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", f"{platform}_x86_64")]
    return [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(target),
        "--no-deps",
        "--no-compile",
        "--require-hashes",
        "--only-binary=:all:",
        "--python-version",
        PYTHON,
        "--implementation",
        "cp",
        *platforms,
        "--requirement",
        str(lock),
    ]


def site_key(lock: bytes) -> str:
    """Return the hash of the dependencies."""
    return atomic.key_of([lock, *PLATFORMS, PYTHON, *_UNUSED])


def site(image: Built, progress: Progress, logs: Path) -> Part:
    """Return the folder of an image's dependencies, fetched now if it is not kept yet."""
    lock = project_root() / image.lock
    if not lock.exists():
        raise ClusterError(f"there is no {image.lock}", hint="it is part of the project: check it out")
    key = site_key(lock.read_bytes())
    folder = cache_root() / "images" / f"site-{key}"
    if not folder.is_dir():
        with (
            progress.step(f"fetching the locked dependencies of {image.name}"),
            locks.held(cache_root() / "locks" / f"site-{key}.lock"),
        ):
            if not folder.is_dir():
                _fetch(lock, folder, logs / f"pip-{lock.stem}.log")
    return Part(folder, key)


def app(progress: Progress, logs: Path) -> Part:
    """Return a folder with the project's own code as it is now."""
    root = project_root()
    metadata = _metadata(progress, logs)
    parts = [str(metadata)]
    parts += [atomic.key_of_tree(root / package) for package in PACKAGES if (root / package).is_dir()]
    key = atomic.key_of(parts)
    folder = cache_root() / "images" / f"app-{key}"
    if not folder.is_dir():
        with atomic.publish(folder) as partial:
            partial.mkdir()
            for package in PACKAGES:
                if (root / package).is_dir():
                    shutil.copytree(
                        root / package, partial / package.name, ignore=shutil.ignore_patterns("__pycache__")
                    )
            shutil.copytree(metadata, partial / metadata.name)
    return Part(folder, key)


def _fetch(lock: Path, folder: Path, log: Path) -> None:
    with atomic.publish(folder) as partial:
        run.logged(
            [sys.executable, "-m", "pip", *pip_arguments(lock, partial)],
            log,
            deadline=PACKAGES_DEADLINE,
            hint="the Python package index must be reachable; then run the same command again",
        )
        for unused in _UNUSED:
            atomic.discard(partial / unused)


def _metadata(progress: Progress, logs: Path) -> Path:
    """Return the installed project's metadata, where its entry points are.

    It depends on pyproject.toml alone, so it is not made anew when only code changes.
    """
    root = project_root()
    key = atomic.key_of([(root / "pyproject.toml").read_bytes()])
    folder = cache_root() / "images" / f"metadata-{key}"
    if not folder.is_dir():
        with progress.step("building the project's metadata"), atomic.publish(folder) as partial:
            installed = partial / "installed"
            run.logged(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-deps",
                    "--no-compile",
                    "--target",
                    installed,
                    root,
                ],
                logs / "wheel.log",
                deadline=PACKAGES_DEADLINE,
            )
            for found in installed.glob("*.dist-info"):
                (found / "RECORD").unlink(missing_ok=True)  # it would list files of another time
                (found / "direct_url.json").unlink(missing_ok=True)
                found.rename(partial / found.name)
            shutil.rmtree(installed)
    found_metadata = next(iter(folder.glob("*.dist-info")), None)
    if found_metadata is None:
        raise ClusterError("building the project gave no metadata", log=logs / "wheel.log")
    return found_metadata
