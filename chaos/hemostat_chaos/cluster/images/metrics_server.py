"""metrics-server as an image, from its Go module, where none can be pulled: autoscalers ask it for CPU and memory."""

from __future__ import annotations

import shutil
from pathlib import Path

from hemostat_chaos.cluster import atomic, binaries
from hemostat_chaos.cluster.archive import Image
from hemostat_chaos.cluster.constants import METRICS_SERVER_LOCAL
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.images import base
from hemostat_chaos.cluster.paths import cache_root
from hemostat_chaos.cluster.progress import Progress

_NAME = "metrics-server"
# As in the published image: the command's arguments are all that a manifest has to give.
_SETTINGS = {"Entrypoint": [f"/{_NAME}"], "User": "65534:65534"}


def image(progress: Progress, logs: Path) -> Image:
    """Return the image, made now if it is not kept yet: the program and nothing else."""
    program = binaries.binaries([_NAME], progress, logs) / _NAME
    folder = cache_root() / "images" / f"{_NAME}-{binaries.module_key(_NAME)}"
    tree = base.kept(folder)
    if tree is None:
        with atomic.publish(folder) as partial:
            root = partial / "root"
            root.mkdir(parents=True)
            shutil.copy(program, root / _NAME)
            (root / _NAME).chmod(0o755)
            base.keep(partial, root)
        tree = base.kept(folder)
    if tree is None:
        raise ClusterError(f"nothing in {folder}")
    return Image(METRICS_SERVER_LOCAL, [tree.layer], _SETTINGS)
