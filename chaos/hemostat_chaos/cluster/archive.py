"""Container images made from plain files, in the format of ``docker save``."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from hemostat_chaos.cluster import run

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAR_DEADLINE = 300.0


@dataclass(frozen=True)
class Layer:
    """One uncompressed layer: a tar file and its digest (without ``sha256:``)."""

    path: Path
    digest: str


@dataclass(frozen=True)
class Image:
    """A name, layers from the lowest up, and what goes into the image's ``config``."""

    name: str
    layers: Sequence[Layer]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> bytes:
        """Render the image's configuration document."""
        return json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": [f"PATH={PATH}"], **self.settings},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers]},
            },
            sort_keys=True,
        ).encode()


def digest_of(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def layer_of(path: Path) -> Layer:
    """Describe a tar file as a layer."""
    return Layer(path, digest_of(path))


def pack(folder: Path, tar: Path, *, excludes: Sequence[str] = ()) -> Layer:
    """Pack a folder as a layer; the same files always give the same bytes."""
    run.output(
        [
            "tar",
            "--numeric-owner",
            "--sort=name",
            "--mtime=@0",
            "--format=gnu",
            *(f"--exclude={pattern}" for pattern in excludes),
            "-C",
            folder,
            "-cf",
            tar,
            ".",
        ],
        deadline=_TAR_DEADLINE,
    )
    return layer_of(tar)


def stream(images: Sequence[Image], out: IO[bytes]) -> None:
    """Write images to a pipe or file as one archive; a layer that several share is written once."""
    written: set[str] = set()
    manifest = []
    with tarfile.open(fileobj=out, mode="w|", bufsize=1 << 20) as tar:
        for image in images:
            config = image.config()
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(tar, config_name, config, written)
            for layer in image.layers:
                if layer.digest not in written:
                    written.add(layer.digest)
                    tar.add(layer.path, f"{layer.digest}/layer.tar")
            manifest.append(
                {
                    "Config": config_name,
                    "RepoTags": [image.name],
                    "Layers": [f"{layer.digest}/layer.tar" for layer in image.layers],
                }
            )
        _add(tar, "manifest.json", json.dumps(manifest).encode(), written)


def _add(tar: tarfile.TarFile, name: str, data: bytes, written: set[str]) -> None:
    if name not in written:
        written.add(name)
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
