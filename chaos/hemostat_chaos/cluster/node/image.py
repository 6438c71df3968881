"""The node image: the Debian layer, and above it Kubernetes with its images preloaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from hemostat_chaos.cluster import archive, atomic, binaries, locks, run, spawn
from hemostat_chaos.cluster.archive import Image, Layer
from hemostat_chaos.cluster.constants import NODE_IMAGE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.node import base, images, storage
from hemostat_chaos.cluster.paths import cache_root
from hemostat_chaos.cluster.progress import Progress

_ON_NODE = ("kubeadm", "kubelet", "kubectl")
PROGRAMS = (*_ON_NODE, "runcw", *images.PROGRAMS)
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_SETTINGS = {
    "Env": [f"PATH={archive.PATH}", "container=docker"],
    "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
    "StopSignal": "SIGRTMIN+3",
}
_BLOBS = "io.containerd.content.v1.content/blobs/sha256"
_IMPORT_DEADLINE = 300.0


def key() -> str:
    """Return the hash of all that goes into the image."""
    recipe = [atomic.key_of_code(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
    modules = sorted({binaries.CATALOGUE[name].module for name in PROGRAMS})
    return atomic.key_of([base.key(), *(binaries.module_key(module) for module in modules), *recipe])


def folder() -> Path:
    """Return where the upper layer is kept."""
    return cache_root() / "node" / key()


def stored() -> Image | None:
    """Return the image if both of its layers have been made."""
    lower = base.stored()
    try:
        digest = json.loads((folder() / "digests.json").read_text())["kubernetes"]
    except FileNotFoundError:
        return None
    if lower is None:
        return None
    return Image(NODE_IMAGE, [lower.root, Layer(folder() / "kubernetes.tar", digest)], _SETTINGS)


def make(lower: base.NodeBase, progress: Progress, logs: Path) -> Image:
    """Return the image, made now if it is not kept yet. The programs must have been built."""
    lock = cache_root() / "locks" / f"node-{key()}.lock"
    found = stored()
    if found is not None:
        return found

    def busy(holder: str) -> None:
        progress.say(f"the node image is being built by {holder}; waiting")

    with progress.step("node image: Kubernetes and its images"), locks.held(lock, busy=busy):
        if stored() is None:
            with atomic.publish(folder()) as partial, atomic.scratch(folder().parent, "work") as work:
                partial.mkdir()
                tree = _tree(lower, work, logs)
                digest = archive.pack(tree, partial / "kubernetes.tar").digest
                (partial / "digests.json").write_text(json.dumps({"kubernetes": digest}))
    result = stored()
    if result is None:
        raise ClusterError(f"nothing in {folder()}")
    return result


def _tree(lower: base.NodeBase, work: Path, logs: Path) -> Path:
    programs = binaries.view(PROGRAMS)
    tree = work / "tree"
    for name in _ON_NODE:
        _install(programs / name, tree / "usr/bin" / name)
    _install(programs / "runcw", tree / "usr/local/sbin/runc")
    storage.add(tree)
    store = tree / "var/lib/containerd"
    store.mkdir(parents=True)
    parts = work / "images"
    parts.mkdir()
    with tarfile.open(lower.root.path) as tar:
        member = tar.extractfile(f"./{_CERTIFICATES}")
        if member is None:
            raise ClusterError(f"no {_CERTIFICATES} in the node base")
        (work / "certificates").write_bytes(member.read())
    made = images.all_images(programs, lower.proxy, work / "certificates", parts)
    _preload(made, store, work, logs / "preload.log")
    return tree


def _install(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    target.chmod(0o755)


def _preload(made: list[Image], store: Path, work: Path, log: Path) -> None:
    """Import and unpack the images into the store that the node's containerd will find."""
    # A unix socket's name may have only 107 bytes, and the cache may lie deep.
    socket = Path(f"/run/hemostat/preload-{os.getpid()}.sock")
    socket.parent.mkdir(parents=True, exist_ok=True)
    config = work / "containerd.toml"
    config.write_text(
        f'version = 2\nroot = "{store}"\nstate = "{work / "state"}"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\n  address = "{socket}"\n[ttrpc]\n  address = "{socket}.ttrpc"\n',
    )
    ctr = ["ctr", "--address", str(socket), "--namespace", "k8s.io"]
    # Its mounts are its own, and end with it.
    daemon = spawn.background(["unshare", "--mount", "containerd", "--config", config], log)
    try:
        run.wait_for("containerd", lambda: run.succeeds([*ctr, "version"]), deadline=30, log=log)
        _import(made, ctr, log)
        for image in made:
            run.output(
                [
                    *ctr,
                    "images",
                    "label",
                    image.name,
                    "io.cri-containerd.pinned=pinned",
                    "io.cri-containerd.image=managed",
                ]
            )
        # They are unpacked: the layers themselves would only make each node's start slower.
        layers = {layer.digest for image in made for layer in image.layers}
        run.output([*ctr, "content", "rm", *(f"sha256:{digest}" for digest in layers)])
    finally:
        spawn.end(daemon, grace=10)
        for leftover in (socket, Path(f"{socket}.ttrpc")):
            leftover.unlink(missing_ok=True)
    for digest in layers:  # the garbage collector may not have come round before the end
        (store / _BLOBS / digest).unlink(missing_ok=True)
    atomic.discard(store / "tmpmounts")


def _import(made: list[Image], ctr: list[str], log: Path) -> None:
    with (
        log.open("ab") as out,
        subprocess.Popen(
            run.bound([*ctr, "images", "import", "-"]),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        ) as process,
    ):
        assert process.stdin is not None
        archive.stream(made, process.stdin)
        process.stdin.close()
        if process.wait(_IMPORT_DEADLINE) != 0:
            raise ClusterError("the images could not be imported", log=log)
