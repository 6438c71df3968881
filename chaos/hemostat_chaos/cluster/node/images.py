"""The images that kubeadm asks for, made from Go programs and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from hemostat_chaos.cluster import archive
from hemostat_chaos.cluster.archive import Image, Layer
from hemostat_chaos.cluster.constants import (
    COREDNS_IMAGE_TAG,
    ETCD_IMAGE_TAG,
    KUBERNETES_VERSION,
    PAUSE_IMAGE_TAG,
)

_REGISTRY = "registry.k8s.io"
# kubeadm writes the full command of these into its manifests.
_PLAIN = {
    "kube-apiserver": KUBERNETES_VERSION,
    "kube-controller-manager": KUBERNETES_VERSION,
    "kube-scheduler": KUBERNETES_VERSION,
    "etcd": ETCD_IMAGE_TAG,
}
PROGRAMS = (*_PLAIN, "kube-proxy", "coredns", "pause")


def all_images(programs: Path, proxy: Layer, root: Path, work: Path) -> list[Image]:
    """Build every image below ``work`` from a folder of programs.

    ``proxy`` holds kube-proxy's packet filter, ``root`` the certificates for CoreDNS.
    """
    images = [
        Image(f"{_REGISTRY}/{name}:{tag}", [_program(programs, name, work, "usr/local/bin")])
        for name, tag in _PLAIN.items()
    ]
    images.append(
        Image(
            f"{_REGISTRY}/kube-proxy:{KUBERNETES_VERSION}",
            [proxy, _program(programs, "kube-proxy", work, "usr/local/bin")],
        )
    )
    images.append(
        Image(
            f"{_REGISTRY}/coredns/coredns:{COREDNS_IMAGE_TAG}",
            [_program(programs, "coredns", work, ".", {"etc/ssl/certs/ca-certificates.crt": root})],
            {"Entrypoint": ["/coredns"]},
        )
    )
    images.append(
        Image(
            f"{_REGISTRY}/pause:{PAUSE_IMAGE_TAG}",
            [_program(programs, "pause", work, ".")],
            {"Entrypoint": ["/pause"]},
        )
    )
    return images


def _program(
    programs: Path,
    name: str,
    work: Path,
    where: str,
    extra: Mapping[str, Path] | None = None,
) -> Layer:
    tree = work / name
    for folder in (where, "etc", "tmp"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(programs / name, tree / where / name)
    (tree / where / name).chmod(0o755)
    for target, source in (extra or {}).items():
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / target)
    return archive.pack(tree, work / f"{name}.tar")
