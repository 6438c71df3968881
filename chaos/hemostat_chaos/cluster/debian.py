"""Debian packages: on this machine, and as root file systems."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from hemostat_chaos.cluster import locks, run
from hemostat_chaos.cluster.constants import DEBIAN_SUITE, PACKAGES_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.paths import cache_root, lock_root
from hemostat_chaos.cluster.progress import Progress

# The command that is needed, and the package that brings it.
HOST_COMMANDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "tar": "tar",
    "openssl": "openssl",
}
_SBIN = "/usr/sbin:/sbin"
_FOLDERS_TO_TRIM = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/cache/debconf",
    "var/log",
)


def search_path() -> str:
    """Return a PATH that also looks where only an administrator's usually does."""
    return f"{os.environ.get('PATH', '')}:{_SBIN}"


def which(command: str) -> str | None:
    """Find a command on :func:`search_path`."""
    return shutil.which(command, path=search_path())


def missing_packages() -> list[str]:
    """Return the packages whose commands are not there."""
    return sorted({package for command, package in HOST_COMMANDS.items() if which(command) is None})


def install(packages: Sequence[str], progress: Progress, logs: Path) -> None:
    """Install packages; never remove one, and start no service where that can be helped."""
    if which("apt-get") is None:
        raise ClusterError(
            f"these packages are missing and there is no apt-get: {', '.join(packages)}",
            hint="install them by hand, or use a machine where Docker and an image registry answer",
        )
    # RUNLEVEL=1 keeps invoke-rc.d from starting a system-wide dockerd next to ours.
    env = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    log = logs / "packages.log"
    with progress.step(f"installing {', '.join(packages)}"), locks.held(lock_root() / "apt.lock"):
        hint = "run apt-get update and apt-get install by hand to see what is wrong"
        run.logged(["apt-get", "update"], log, deadline=PACKAGES_DEADLINE, env=env, hint=hint)
        run.logged(
            [
                "apt-get",
                "install",
                "--yes",
                "--no-remove",
                "--no-install-recommends",
                "-o",
                "DPkg::Lock::Timeout=300",
                *packages,
            ],
            log,
            deadline=PACKAGES_DEADLINE,
            env=env,
            append=True,
            hint=hint,
        )


def bootstrap(root: Path, packages: Sequence[str], log: Path) -> None:
    """Make a minimal Debian root file system that holds these packages."""
    debs = cache_root() / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    script = [
        which("debootstrap") or "debootstrap",
        "--variant=minbase",
        f"--cache-dir={debs}",
        f"--include={','.join(packages)}",
        DEBIAN_SUITE,
        str(root),
        *_mirror(),
    ]
    # Namespaces of its own: what it mounts and starts is gone when it ends, also by kill -9.
    run.logged(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", *script],
        log,
        deadline=PACKAGES_DEADLINE,
        env={"PATH": search_path()},
        hint="a Debian mirror must be reachable; then run the same command again",
    )


def trim(root: Path) -> None:
    """Remove what no container needs: documentation, translations, package caches."""
    for folder in _FOLDERS_TO_TRIM:
        for path in (root / folder).glob("*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def mirror_from(targets: str) -> str | None:
    """Pick the mirror that apt uses for the suite out of ``apt-get indextargets``."""
    for line in targets.splitlines():
        uri, _, codename = line.partition(" ")
        if codename == DEBIAN_SUITE and re.match(r"https?://", uri):
            return uri
    return None


def _mirror() -> list[str]:
    answer = run.attempt(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"])
    mirror = mirror_from(answer.stdout) if answer.returncode == 0 else None
    return [] if mirror is None else [mirror]
