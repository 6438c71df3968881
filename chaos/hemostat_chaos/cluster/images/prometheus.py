"""Prometheus as an image, from Debian's package, where none can be pulled."""

from __future__ import annotations

from pathlib import Path

from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.archive import PATH, Image
from hemostat_chaos.cluster.constants import DEBIAN_SUITE, PACKAGES_DEADLINE, PROMETHEUS_LOCAL
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.images import base
from hemostat_chaos.cluster.images.base import Tree
from hemostat_chaos.cluster.paths import cache_root
from hemostat_chaos.cluster.progress import Progress

# As in the published image: the command's arguments are all that a manifest has to give.
_SETTINGS = {
    "Entrypoint": ["/bin/prometheus"],
    "User": "65534:65534",
    "WorkingDir": "/prometheus",
    "Env": [f"PATH={PATH}"],
}


def image(bottom: Tree, progress: Progress, logs: Path) -> Image:
    """Return the image, made now if it is not kept yet."""
    key = atomic.key_of([atomic.key_of_code(Path(__file__)), DEBIAN_SUITE])
    folder = cache_root() / "images" / f"prometheus-{key}"
    tree = base.kept(folder)
    if tree is None:
        with progress.step("image layer: prometheus"), atomic.publish(folder) as partial:
            partial.mkdir()
            base.keep(partial, _tree(partial / "root", logs / "prometheus.log"))
        tree = base.kept(folder)
    if tree is None:
        raise ClusterError(f"nothing in {folder}")
    return Image(PROMETHEUS_LOCAL, [bottom.layer, tree.layer], _SETTINGS)


def _tree(root: Path, log: Path) -> Path:
    with atomic.scratch(cache_root() / "images", "prometheus") as work:
        run.logged(
            ["apt-get", "download", "prometheus"],
            log,
            deadline=PACKAGES_DEADLINE,
            cwd=work,
            hint="run apt-get update, then the same command again",
        )
        for package in work.glob("*.deb"):
            run.output(["dpkg", "--extract", package, work / "content"])
        for name in ("prometheus", "promtool"):
            target = root / "usr/bin" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (work / "content/usr/bin" / name).rename(target)
    data = root / "prometheus"
    data.mkdir()
    data.chmod(0o777)
    (root / "etc/prometheus").mkdir(parents=True)
    return root
