"""The ``image`` command: build what has changed, load what is not loaded yet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from hemostat_chaos.cluster import atomic, kindconfig, offline, ordinary, run, state
from hemostat_chaos.cluster.archive import Image
from hemostat_chaos.cluster.binaries import in_parallel
from hemostat_chaos.cluster.constants import (
    BUILD_DEADLINE,
    METRICS_SERVER_IMAGE,
    METRICS_SERVER_LOCAL,
    PACKAGES_DEADLINE,
    PROMETHEUS_IMAGE,
    PROMETHEUS_LOCAL,
)
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.images import base, context, dockerfile, layers, load, metrics_server, prometheus
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.paths import cache_root, kubeconfig_path, log_dir, project_root
from hemostat_chaos.cluster.progress import Progress
from hemostat_chaos.cluster.state import State

_KEPT = 8  # versions of the code: more than checkouts that work at the same time
_REGISTRY_VARIABLE = "IMAGE_REGISTRY"
_OURS = tuple(image.name for image in context.BUILT)


def deliver(name: ClusterName, progress: Progress, *, autoscaling: bool) -> None:
    """Build the images and bring them to where the cluster finds them.

    :param autoscaling: metrics-server too, without which an autoscaler knows no load.
    """
    logs = log_dir(str(name))
    record = state.load(name)
    if record is not None:
        _offline(name, record, progress, logs, autoscaling)
        return
    published = {PROMETHEUS_LOCAL: PROMETHEUS_IMAGE}
    if autoscaling:
        published[METRICS_SERVER_LOCAL] = METRICS_SERVER_IMAGE
    kind = ordinary.kind_command(progress, logs)
    if ordinary.exists(name, kind):
        _docker_build(published, progress, logs)
        with progress.step("loading the images"):
            run.logged(
                [kind, "load", "docker-image", *_OURS, *published, "--name", name.kind],
                logs / "load.log",
                deadline=BUILD_DEADLINE,
            )
    elif kubeconfig_path(str(name)).exists():
        _push(published, progress, logs)
    else:
        raise ClusterError(f"cluster {name} is not up", hint=f"python -m hemostat_chaos.cluster up --name {name}")


def build_offline(progress: Progress, logs: Path, autoscaling: bool) -> list[Image]:
    """Build all images from packages and Go modules."""
    sites: dict[context.Built, context.Part] = {}
    bottom: list[base.Tree] = []
    more: list[Image] = []
    in_parallel(
        lambda: bottom.append(base.make(progress, logs)),
        lambda: sites.update({image: context.site(image, progress, logs) for image in context.BUILT}),
        lambda: more.append(metrics_server.image(progress, logs)) if autoscaling else None,
    )
    app = context.app(progress, logs)
    return [
        *(_build(image, bottom[0], {"site": sites[image], "app": app}, progress, logs) for image in context.BUILT),
        prometheus.image(bottom[0], progress, logs),
        *more,
    ]


def _build(
    image: context.Built, bottom: base.Tree, parts: Mapping[str, context.Part], progress: Progress, logs: Path
) -> Image:
    recipe = dockerfile.parse((project_root() / image.dockerfile).read_text())
    return layers.build(image.name, recipe, bottom, parts, progress, logs / "image.log")


def _offline(name: ClusterName, record: State, progress: Progress, logs: Path, autoscaling: bool) -> None:
    images = build_offline(progress, logs, autoscaling)
    atomic.prune(cache_root() / "images", "app-*", keep=_KEPT)
    atomic.prune(cache_root() / "images", "layer-app-*", keep=_KEPT * len(context.BUILT))
    environment = offline.docker_environment(name)
    nodes = kindconfig.node_names(name.kind, record.workers)
    work = {node: load.outdated(node, images, environment) for node in nodes}
    work = {node: todo for node, todo in work.items() if todo}
    if not work:
        progress.say("all images are loaded already")
        return
    names = sorted({image.name for todo in work.values() for image in todo})
    with progress.step(f"loading {', '.join(names)} into {len(work)} node(s)"):
        load.load_everywhere(work, environment)


def _docker_build(published: Mapping[str, str], progress: Progress, logs: Path) -> None:
    """Build and pull with Docker itself.

    :param published: names of ours, and where the images come from.
    """
    app = context.app(progress, logs)
    for image in context.BUILT:
        parts = {"site": context.site(image, progress, logs), "app": app}
        with progress.step(f"building {image.name}"), atomic.scratch(cache_root() / "images", "context") as work:
            for part_name, part in parts.items():
                shutil.copytree(part.folder, work / part_name, symlinks=True, copy_function=os.link)
            run.logged(
                ["docker", "build", "--tag", image.name, "--file", project_root() / image.dockerfile, work],
                logs / "image.log",
                deadline=BUILD_DEADLINE,
            )
    for ours, theirs in published.items():
        if not run.succeeds(["docker", "image", "inspect", ours]):
            with progress.step(f"pulling {theirs}"):
                run.logged(["docker", "pull", theirs], logs / "pull.log", deadline=PACKAGES_DEADLINE)
                run.output(["docker", "tag", theirs, ours])


def _push(published: Mapping[str, str], progress: Progress, logs: Path) -> None:
    registry = os.environ.get(_REGISTRY_VARIABLE, "").rstrip("/")
    if not registry:
        raise ClusterError(
            "the cluster that kubectl points at must get the images from a registry",
            hint=f"set {_REGISTRY_VARIABLE} to one that you may push to and that its nodes can pull from",
        )
    if not run.succeeds(["docker", "info"], deadline=10):
        raise ClusterError("no Docker daemon answers, so no image can be pushed", hint="start Docker")
    _docker_build(published, progress, logs)
    for image in (*_OURS, *published):
        target = f"{registry}/{image}"
        with progress.step(f"pushing {target}"):
            run.output(["docker", "tag", image, target])
            run.logged(["docker", "push", target], logs / "push.log", deadline=PACKAGES_DEADLINE, append=True)
