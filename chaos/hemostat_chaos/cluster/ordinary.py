"""An ordinary kind cluster: Docker pulls the node image, kindnet is the pod network."""

from __future__ import annotations

import shutil
from pathlib import Path

from hemostat_chaos.cluster import atomic, binaries, kindconfig, run
from hemostat_chaos.cluster.constants import CREATE_DEADLINE, READY_WAIT
from hemostat_chaos.cluster.kindconfig import Shape
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.paths import build_dir, kubeconfig_path, log_dir
from hemostat_chaos.cluster.progress import Progress

_DELETE_DEADLINE = 120.0


def up(name: ClusterName, shape: Shape, progress: Progress, *, fresh: bool) -> None:
    """Bring the cluster up, or find that it already is."""
    logs = log_dir(str(name))
    kind = kind_command(progress, logs)
    config = build_dir(str(name)) / "kind.yaml"
    wanted = kindconfig.ordinary(shape)
    if exists(name, kind):
        same = config.exists() and config.read_text() == wanted
        if same and not fresh and _answers(name, kind):
            progress.say(f"cluster {name} is already up; reusing it")
            return
        with progress.step(f"removing the old cluster {name}"):
            _delete(name, kind)
    atomic.write(config, wanted)
    with progress.step(f"creating the cluster: {shape.others + 1} node(s)"):
        run.logged(
            [
                kind,
                "create",
                "cluster",
                "--name",
                name.kind,
                "--config",
                config,
                "--kubeconfig",
                kubeconfig_path(str(name)),
                "--wait",
                f"{READY_WAIT}s",
            ],
            logs / "kind.log",
            deadline=CREATE_DEADLINE,
            hint="see kind's page of known issues for what Docker may lack",
        )


def remove(name: ClusterName) -> None:
    """Delete the cluster, if kind knows it."""
    kind = _known_kind()
    if kind is not None and exists(name, kind):
        _delete(name, kind)
    kubeconfig_path(str(name)).unlink(missing_ok=True)


def exists(name: ClusterName, kind: Path) -> bool:
    """Tell whether kind knows the cluster."""
    answer = run.attempt([kind, "get", "clusters"])
    return answer.returncode == 0 and name.kind in answer.stdout.split()


def kind_command(progress: Progress, logs: Path) -> Path:
    """Return kind: the machine's own, else one built from its Go module."""
    found = shutil.which("kind")
    return Path(found) if found else binaries.binaries(["kind"], progress, logs) / "kind"


def _known_kind() -> Path | None:
    found = shutil.which("kind")
    if found:
        return Path(found)
    return binaries.stored("kind") if binaries.stored("kind").exists() else None


def _answers(name: ClusterName, kind: Path) -> bool:
    config = kubeconfig_path(str(name))
    exported = run.succeeds([kind, "export", "kubeconfig", "--name", name.kind, "--kubeconfig", config])
    return exported and run.succeeds(
        [
            binaries.kubectl_path(),
            "--kubeconfig",
            config,
            "--request-timeout=5s",
            "get",
            "--raw",
            "/readyz",
        ]
    )


def _delete(name: ClusterName, kind: Path) -> None:
    run.output(
        [kind, "delete", "cluster", "--name", name.kind, "--kubeconfig", kubeconfig_path(str(name))],
        deadline=_DELETE_DEADLINE,
    )
