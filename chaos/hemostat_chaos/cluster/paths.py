"""Where caches, state and results live."""

from __future__ import annotations

import os
from pathlib import Path

STATE_ROOT = Path("/var/lib/hemostat/clusters")


def lock_root() -> Path:
    """Return the folder of locks that all checkouts on this machine share."""
    return Path("/run/hemostat") if os.geteuid() == 0 else cache_root() / "locks"


def cache_root() -> Path:
    """Return the folder of everything that is built once and kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification says that a relative path there is to be ignored.
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "hemostat"


def project_root() -> Path:
    """Return the checkout that this package belongs to, else the working directory."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder
    return Path.cwd()


def build_dir(name: str) -> Path:
    """Return the folder of a cluster's kubeconfig and logs inside the checkout."""
    return project_root() / "build" / "cluster" / name


def kubeconfig_path(name: str) -> Path:
    """Return the kubeconfig that ``up`` writes."""
    return build_dir(name) / "kubeconfig"


def log_dir(name: str) -> Path:
    """Return the folder of a cluster's logs, and create it."""
    folder = build_dir(name) / "log"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def state_dir(name: str) -> Path:
    """Return the folder that holds all of an offline cluster's data on this machine."""
    return STATE_ROOT / name
