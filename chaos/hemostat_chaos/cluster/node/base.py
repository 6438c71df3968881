"""The lower layer of the node image: Debian with kind's own files, without Kubernetes."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from hemostat_chaos.cluster import archive, atomic, binaries, debian, locks, run
from hemostat_chaos.cluster.archive import Layer
from hemostat_chaos.cluster.constants import (
    DEBIAN_SUITE,
    KIND_VERSION,
    KUBERNETES_VERSION,
    PACKAGES_DEADLINE,
    PAUSE_IMAGE_TAG,
)
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.paths import cache_root
from hemostat_chaos.cluster.progress import Progress

# What kind's images/base/Dockerfile installs. systemd 252 still runs on cgroup v1.
PACKAGES = (
    "systemd",
    "dbus",
    "conntrack",
    "iptables",
    "nftables",
    "iproute2",
    "ethtool",
    "ebtables",
    "socat",
    "util-linux",
    "mount",
    "kmod",
    "libseccomp2",
    "pigz",
    "e2fsprogs",
    "bash",
    "ca-certificates",
    "curl",
    "jq",
    "procps",
    "netbase",
    "containerd",
    "runc",
    "containernetworking-plugins",
)
# Units that make no sense in a container, as in kind's own Dockerfile.
_UNWANTED_UNITS = (
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/basic.target.wants/*",
)
_PROXY_PROGRAMS = ("xtables-nft-multi", "nft", "conntrack", "ethtool")
_IPTABLES_NAMES = tuple(f"{family}tables{suffix}" for family in ("ip", "ip6") for suffix in ("", "-save", "-restore"))


@dataclass(frozen=True)
class NodeBase:
    """Two layers: the node's own, and the programs that kube-proxy calls."""

    root: Layer
    proxy: Layer


def key() -> str:
    """Return the hash of all that goes into the layers."""
    return atomic.key_of(
        [atomic.key_of_code(Path(__file__)), DEBIAN_SUITE, KIND_VERSION, KUBERNETES_VERSION, PAUSE_IMAGE_TAG]
    )


def folder() -> Path:
    """Return where the layers are kept."""
    return cache_root() / "node-base" / key()


def stored() -> NodeBase | None:
    """Return the layers if they have been made."""
    try:
        digests = json.loads((folder() / "digests.json").read_text())
    except FileNotFoundError:
        return None
    return NodeBase(
        root=Layer(folder() / "root.tar", digests["root"]),
        proxy=Layer(folder() / "proxy.tar", digests["proxy"]),
    )


def make(progress: Progress, logs: Path) -> NodeBase:
    """Return the layers, made now if they are not kept yet."""
    lock = cache_root() / "locks" / f"node-base-{key()}.lock"
    found = stored()
    if found is not None:
        return found

    def busy(holder: str) -> None:
        progress.say(f"the node base is being built by {holder}; waiting")

    with progress.step("node image: Debian packages"), locks.held(lock, busy=busy):
        if stored() is None:
            with atomic.publish(folder()) as partial, atomic.scratch(folder().parent, "root") as scratch:
                partial.mkdir()
                root = scratch / "root"
                debian.bootstrap(root, PACKAGES, logs / "debootstrap-node.log")
                _add_kind_files(root, _kind_source())
                _configure(root)
                debian.trim(root)
                proxy = _proxy_tree(root, scratch / "proxy")
                digests = {
                    "root": archive.pack(root, partial / "root.tar", excludes=("./dev/*",)).digest,
                    "proxy": archive.pack(proxy, partial / "proxy.tar").digest,
                }
                (partial / "digests.json").write_text(json.dumps(digests))
    result = stored()
    if result is None:
        raise ClusterError(f"nothing in {folder()}")
    return result


def _kind_source() -> Path:
    """Return the folder of kind's module, whose zip carries the files of its base image."""
    module = binaries.MODULES / "kind"
    run.output(
        [binaries.go(), "mod", "download", "sigs.k8s.io/kind"],
        cwd=module,
        deadline=PACKAGES_DEADLINE,
        env={"GOTOOLCHAIN": "local", "GOWORK": "off"},
    )
    found = run.output(
        [binaries.go(), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind"],
        cwd=module,
        env={"GOTOOLCHAIN": "local", "GOWORK": "off"},
    )
    return Path(found.strip()) / "images" / "base" / "files"


def _add_kind_files(root: Path, files: Path) -> None:
    for top, mode in (("etc", 0o644), ("kind", 0o755), ("usr", 0o755)):
        for source in (files / top).rglob("*"):
            if source.is_file():
                target = root / source.relative_to(files)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copyfile(source, target)
                target.chmod(mode)
    (root / "kind" / "manifests").mkdir()
    (root / "kind" / "version").write_text(KUBERNETES_VERSION)


def _configure(root: Path) -> None:
    for pattern in _UNWANTED_UNITS:
        for path in root.glob(pattern):
            path.unlink()
    with (root / "etc/systemd/journald.conf").open("a") as journald:
        journald.write("ReadKMsg=no\n")
    _link(root / "sbin/init", "/usr/lib/systemd/systemd")
    for name in ("containerd", "ctr", "containerd-shim-runc-v2"):
        _link(root / "usr/local/bin" / name, f"/usr/bin/{name}")
    _move_cni_plugins(root)
    _configure_containerd(root)
    (root / "etc/default/kubelet").write_text(
        "KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service --fail-cgroupv1=false",
    )
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    run.output(
        [
            "chroot",
            root,
            "systemctl",
            "--quiet",
            "enable",
            "kubelet.service",
            "containerd.service",
            "undo-mount-hacks.service",
        ]
    )
    run.output(["chroot", root, "systemctl", "--quiet", "mask", "systemd-binfmt.service"])


def _move_cni_plugins(root: Path) -> None:
    target = root / "opt/cni/bin"
    target.mkdir(parents=True)
    for plugin in ("bridge", "host-local", "loopback", "portmap"):
        shutil.copy2(root / "usr/lib/cni" / plugin, target / plugin)
    shutil.rmtree(root / "usr/lib/cni")
    net = root / "etc/cni/net.d"
    shutil.rmtree(net, ignore_errors=True)
    net.mkdir(parents=True)


def _configure_containerd(root: Path) -> None:
    config = root / "etc/containerd/config.toml"
    text = config.read_text()
    # Without CAP_SYS_RESOURCE a sandbox may not lower its score, and dies trying.
    for old, new in (
        ("restrict_oom_score_adj = false", "restrict_oom_score_adj = true"),
        ('registry.k8s.io/pause:3.10"', f'registry.k8s.io/pause:{PAUSE_IMAGE_TAG}"'),
    ):
        if old not in text:
            raise ClusterError(f"kind {KIND_VERSION} has no `{old}` in its containerd configuration")
        text = text.replace(old, new)
    config.write_text(text)
    unit = root / "etc/systemd/system/containerd.service"
    lines = unit.read_text().splitlines(keepends=True)
    unit.write_text("".join(line for line in lines if not line.startswith("OOMScoreAdjust")))
    spec = json.loads(run.output(["chroot", root, "ctr", "oci", "spec"]))
    spec.setdefault("hooks", {}).setdefault("createContainer", []).append(
        {"path": "/kind/bin/mount-product-files.sh"},
    )
    spec["process"].pop("rlimits", None)
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(spec))


def _proxy_tree(root: Path, tree: Path) -> Path:
    """Copy the packet filter's programs with the libraries that they load."""
    for folder_name in ("usr/sbin", "usr/lib/x86_64-linux-gnu", "lib64", "etc", "run", "tmp", "bin"):
        (tree / folder_name).mkdir(parents=True)
    _link(tree / "lib", "usr/lib")
    for name in _IPTABLES_NAMES:
        _link(tree / "usr/sbin" / name, "xtables-nft-multi")
    wanted = set()
    for program in _PROXY_PROGRAMS:
        shutil.copy2(root / "usr/sbin" / program, tree / "usr/sbin" / program)
        for word in run.output(["chroot", root, "ldd", f"/usr/sbin/{program}"]).split():
            if word.startswith("/"):
                wanted.add(word)
    extensions = "usr/lib/x86_64-linux-gnu/xtables"
    shutil.copytree(root / extensions, tree / extensions, symlinks=True)
    for library in sorted(wanted):
        target = tree / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / library.lstrip("/"), target)
    for name in ("protocols", "services"):
        shutil.copy(root / "etc" / name, tree / "etc" / name)
    return tree


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
