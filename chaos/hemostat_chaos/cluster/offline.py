"""A kind cluster where no image registry answers: everything is made on this machine."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

from hemostat_chaos.cluster import (
    addresses,
    atomic,
    binaries,
    cgroups,
    debian,
    dockerd,
    kindconfig,
    locks,
    network,
    processes,
    run,
    seed,
    state,
)
from hemostat_chaos.cluster.archive import Image
from hemostat_chaos.cluster.constants import CREATE_DEADLINE, READY_WAIT
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.kindconfig import Shape
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.node import base
from hemostat_chaos.cluster.node import image as node_image
from hemostat_chaos.cluster.paths import (
    cache_root,
    kubeconfig_path,
    lock_root,
    log_dir,
    project_root,
    state_dir,
)
from hemostat_chaos.cluster.progress import Progress
from hemostat_chaos.cluster.state import State

_STEPS_WHEN_WARM = 2  # the Docker daemon, the cluster
_KEPT = 3  # versions of the node image
PROGRAMS = (*node_image.PROGRAMS, "kind")


def up(name: ClusterName, shape: Shape, progress: Progress, *, fresh: bool) -> None:
    """Bring the cluster up, or find that it already is."""
    _must_be_root()
    record = state.load(name)
    key = _key(shape)
    if record is not None:
        _refuse_if_foreign(name, record)
        if not fresh and record.key == key and record.phase == state.UP and healthy(name, record):
            progress.say(f"cluster {name} is already up since {record.since}; reusing it")
            network.guard()
            return
        if record.phase == state.UP and record.key != key:
            progress.say(f"cluster {name} is up with another configuration; making it anew")
    if record is not None or any_remains(name):
        with progress.step(f"removing what is left of cluster {name}"):
            remove(name)
    image = prepare(progress, log_dir(str(name)))
    try:
        _create(name, shape, image, progress)
    except BaseException as error:
        _give_up(name, progress, keep_logs=isinstance(error, ClusterError))
        raise


def prepare(progress: Progress, logs: Path) -> Image:
    """Return the node image; build what is missing, packages and programs side by side."""
    packages = debian.missing_packages()
    todo = binaries.missing(PROGRAMS)
    kept = (base.stored(), node_image.stored(), seed.folder(node_image.key()).is_dir() or None)
    progress.expect(bool(packages) + len(todo) + kept.count(None) + _STEPS_WHEN_WARM)

    def packages_then_base() -> None:
        if packages:
            debian.install(packages, progress, logs)
        base.make(progress, logs)

    if packages or todo or base.stored() is None:
        binaries.in_parallel(packages_then_base, lambda: binaries.build(PROGRAMS, progress, logs))
    return node_image.make(base.make(progress, logs), progress, logs)


def healthy(name: ClusterName, record: State) -> bool:
    """Tell whether the daemon runs and every node of the cluster is Ready."""
    identity = processes.parse_identity(record.dockerd)
    config = kubeconfig_path(str(name))
    if identity is None or not processes.alive(identity) or not config.exists():
        return False
    answer = run.attempt(
        [
            binaries.kubectl_path(),
            "--kubeconfig",
            config,
            "--request-timeout=5s",
            "get",
            "nodes",
            "-o",
            "jsonpath={range .items[*]}{.status.conditions[?(@.type=='Ready')].status} {end}",
        ],
        deadline=15,
    )
    return answer.returncode == 0 and answer.stdout.split() == ["True"] * (record.workers + 1)


def any_remains(name: ClusterName) -> bool:
    """Tell whether anything of a cluster is on this machine, recorded or not."""
    return (
        state_dir(str(name)).exists()
        or network.namespace_path(name).exists()
        or Path("/sys/class/net", name.host_link).exists()
        or any((hierarchy / name.cgroup).exists() for hierarchy in cgroups.hierarchies())
    )


def remove(name: ClusterName) -> None:
    """Remove every trace of a cluster but its logs: processes, mounts, namespace, data."""
    _must_be_root()
    record = state.load(name)
    identity = processes.parse_identity(record.dockerd) if record is not None else None
    if identity is not None:
        processes.stop(identity, grace=0)
    cgroups.kill_all(name.cgroup)
    network.destroy(name)
    dockerd.socket_path(name).unlink(missing_ok=True)
    with _host_lock():
        atomic.discard(state_dir(str(name)))
        if not state.names():
            network.unguard()
    kubeconfig_path(str(name)).unlink(missing_ok=True)


def docker_environment(name: ClusterName) -> dict[str, str]:
    """Return the environment for ``docker`` against the cluster's own daemon."""
    return dockerd.environment(name)


def _key(shape: Shape) -> str:
    return atomic.key_of([repr(shape), node_image.key()])


def _must_be_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError(
            "a cluster without Docker needs root, for namespaces and control groups",
            hint="run it with sudo, or install Docker and make the image registry reachable",
        )


def _refuse_if_foreign(name: ClusterName, record: State) -> None:
    here = str(project_root())
    if record.directory != here and Path(record.directory).is_dir():
        raise ClusterError(
            f"cluster {name} belongs to {record.directory} since {record.since}",
            hint=f"choose another name (--name {name}-2), or first run "
            f"`python -m hemostat_chaos.cluster down --name {name}`",
        )


def _create(name: ClusterName, shape: Shape, image: Image, progress: Progress) -> None:
    logs = log_dir(str(name))
    with progress.step("starting a Docker daemon in a network namespace of its own"):
        record = _claim(name, shape)
        link = addresses.link(record.link)
        network.create(name, link)
        planted = seed.plant(node_image.key(), dockerd.data_root(name))
        identity = dockerd.start(name, logs / "dockerd.log")
        record = record.with_dockerd(str(identity))
        dockerd.wait(name, identity, logs / "dockerd.log")
        network.refuse_outside(name)
    if not planted:
        with progress.step("loading the node image"):
            dockerd.load(name, image)
            seed.harvest(node_image.key(), dockerd.data_root(name))
    with progress.step(f"creating the cluster: {shape.others + 1} node(s)"):
        _kind_create(name, shape, link.inner, logs)
        network.route_pods(name, _pod_routes(name, shape))
    record.now_up()
    for kind_of_cache in ("node-base", "node", "docker"):
        atomic.prune(cache_root() / kind_of_cache, "*", keep=_KEPT)


def _claim(name: ClusterName, shape: Shape) -> State:
    """Choose a link and write the record before anything is made that it has to find again."""
    with _host_lock():
        used = [other.link for other in state.load_all()]
        link = addresses.first_free(used, network.occupied())
        record = State(
            name=str(name),
            phase=state.STARTING,
            directory=str(project_root()),
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            link=link.index,
            key=_key(shape),
            workers=shape.others,
        )
        record.save()
        network.guard()
    return record


def _kind_create(name: ClusterName, shape: Shape, address: str, logs: Path) -> None:
    folder = state_dir(str(name))
    conflists = []
    for index in range(shape.others + 1):
        conflists.append(folder / f"node-{index}.conflist")
        atomic.write(conflists[index], kindconfig.conflist(index))
    config = folder / "kind.yaml"
    patches = folder / "patches"
    atomic.write(patches / kindconfig.COREDNS_PATCH, kindconfig.coredns_patch())
    atomic.write(config, kindconfig.offline(shape, address, conflists, patches))
    kubeconfig_path(str(name)).unlink(missing_ok=True)
    run.logged(
        [
            binaries.stored("kind"),
            "create",
            "cluster",
            "--name",
            name.kind,
            "--config",
            config,
            "--retain",
            "--kubeconfig",
            kubeconfig_path(str(name)),
            "--wait",
            f"{READY_WAIT}s",
            "--verbosity",
            "1",
        ],
        logs / "kind.log",
        deadline=CREATE_DEADLINE,
        env=_kind_environment(name),
        hint=f"the nodes' own logs are in {logs / 'nodes'}",
    )


def _kind_environment(name: ClusterName) -> dict[str, str]:
    return {**dockerd.environment(name), "PATH": debian.search_path(), "KIND_EXPERIMENTAL_PROVIDER": "docker"}


def _pod_routes(name: ClusterName, shape: Shape) -> list[tuple[str, str]]:
    names = kindconfig.node_names(name.kind, shape.others)
    answer = run.output(
        ["docker", "inspect", "--format", '{{(index .NetworkSettings.Networks "kind").IPAddress}}', *names],
        env=dockerd.environment(name),
    )
    return [(kindconfig.pod_subnet(index), address) for index, address in enumerate(answer.split())]


def _give_up(name: ClusterName, progress: Progress, *, keep_logs: bool) -> None:
    logs = log_dir(str(name))
    if keep_logs and dockerd.socket_path(name).exists():
        run.attempt(
            [binaries.stored("kind"), "export", "logs", logs / "nodes", "--name", name.kind],
            env=_kind_environment(name),
            deadline=30,
        )
    progress.say(f"removing the half-made cluster {name}")
    remove(name)


def _host_lock() -> AbstractContextManager[None]:
    return locks.held(lock_root() / "host.lock")
