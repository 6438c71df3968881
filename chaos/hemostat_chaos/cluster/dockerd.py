"""A Docker daemon of a cluster's own, inside the cluster's network namespace."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from hemostat_chaos.cluster import archive, atomic, binaries, cgroups, debian, network, processes, run
from hemostat_chaos.cluster.archive import Image
from hemostat_chaos.cluster.constants import DOCKERD_DEADLINE, NODE_CIDR
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.paths import lock_root, state_dir
from hemostat_chaos.cluster.processes import Identity

_LOAD_DEADLINE = 300.0


def socket_path(name: ClusterName) -> Path:
    """Return the daemon's socket, whose name has to be short."""
    return lock_root() / f"docker-{name}.sock"


def environment(name: ClusterName) -> dict[str, str]:
    """Return what makes ``docker`` and ``kind`` talk to this daemon and to no other."""
    return {
        "DOCKER_HOST": f"unix://{socket_path(name)}",
        "DOCKER_CONTEXT": "",
        "DOCKER_TLS_VERIFY": "",
        "DOCKER_BUILDKIT": "0",
    }


def data_root(name: ClusterName) -> Path:
    """Return the folder of the daemon's images, layers and volumes."""
    return state_dir(str(name)) / "docker"


def configuration(name: ClusterName, runtime: Path) -> str:
    """Render the daemon's configuration file."""
    folder = state_dir(str(name))
    return json.dumps(
        {
            "data-root": str(data_root(name)),
            "exec-root": str(folder / "exec"),
            "pidfile": str(folder / "docker.pid"),
            "hosts": [f"unix://{socket_path(name)}"],
            "default-runtime": "runcw",
            "runtimes": {"runcw": {"path": str(runtime)}},
            "storage-driver": "overlay2",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/{name.cgroup}",
            "default-address-pools": [{"base": NODE_CIDR, "size": 24}],
        },
        indent=1,
    )


def start(name: ClusterName, log: Path) -> Identity:
    """Start the daemon; it outlives this program. :func:`wait` waits until it answers."""
    config = state_dir(str(name)) / "daemon.json"
    atomic.write(config, configuration(name, binaries.stored("runcw")))
    # Mounts of its own too: none of a container's appears on the host, and all end with it.
    argv = [*network.inside(name), "unshare", "--mount", "dockerd", "--config-file", str(config)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            cgroups.joining(cgroups.daemon_group(name.cgroup), argv),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"PATH": debian.search_path(), "HOME": "/root", "RUNCW_RUNC": debian.which("runc") or "runc"},
        )
    identity = processes.identify(process.pid)
    if identity is None:
        raise ClusterError("dockerd ended at once", log=log)
    return identity


def wait(name: ClusterName, identity: Identity, log: Path) -> None:
    """Wait until the daemon answers."""

    def answers() -> bool:
        if not processes.alive(identity):
            raise ClusterError("dockerd ended before it answered", log=log)
        return run.succeeds(["docker", "version"], env=environment(name), deadline=5)

    run.wait_for("dockerd answers", answers, deadline=DOCKERD_DEADLINE, log=log)


def load(name: ClusterName, image: Image) -> None:
    """Give the daemon an image made of local files."""
    with subprocess.Popen(
        run.bound(["docker", "load", "--quiet"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": debian.search_path(), **environment(name)},
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            archive.stream([image], process.stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass  # what docker says about it follows
        if process.wait(_LOAD_DEADLINE) != 0:
            raise ClusterError(f"docker load: {process.stderr.read().decode(errors='replace').strip()}")
