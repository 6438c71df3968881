"""An image as an OCI archive that leaves out the layers which its reader has."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Container
from dataclasses import dataclass
from typing import IO, Any

from hemostat_chaos.cluster.archive import Image

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Manifest:
    """A rendered manifest, and the digest that names it."""

    data: bytes
    config: bytes

    @property
    def digest(self) -> str:
        """Return the manifest's own digest."""
        return digest(self.data)


def digest(data: bytes) -> str:
    """Return the digest of some bytes, as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def full_name(name: str) -> str:
    """Return the name under which containerd files an image without a registry."""
    return f"docker.io/library/{name}"


def manifest(image: Image) -> Manifest:
    """Render an image's manifest."""
    config = image.config()
    document = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": digest(config), "size": len(config)},
        "layers": [
            {"mediaType": _LAYER, "digest": f"sha256:{layer.digest}", "size": layer.path.stat().st_size}
            for layer in image.layers
        ],
    }
    return Manifest(json.dumps(document, sort_keys=True).encode(), config)


def write(image: Image, out: IO[bytes], *, present: Container[str]) -> None:
    """Write an archive with all but the layers whose digests are ``present``."""
    rendered = manifest(image)
    index: dict[str, Any] = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": _MANIFEST,
                "digest": rendered.digest,
                "size": len(rendered.data),
                "annotations": {"io.containerd.image.name": full_name(image.name)},
            }
        ],
    }
    with tarfile.open(fileobj=out, mode="w|", bufsize=1 << 20) as tar:
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, _blob(digest(rendered.config)), rendered.config)
        for layer in image.layers:
            if f"sha256:{layer.digest}" not in present:
                tar.add(layer.path, _blob(f"sha256:{layer.digest}"))
        _add(tar, _blob(rendered.digest), rendered.data)
        _add(tar, "index.json", json.dumps(index).encode())


def _blob(name: str) -> str:
    return f"blobs/{name.replace(':', '/')}"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
