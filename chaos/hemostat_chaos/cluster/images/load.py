"""Gives images to the nodes of a cluster, without what they already have."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial

from hemostat_chaos.cluster import debian, run
from hemostat_chaos.cluster.archive import Image
from hemostat_chaos.cluster.binaries import in_parallel
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.images import oci

_IMPORT_DEADLINE = 300.0
_CTR = ("ctr", "--namespace=k8s.io")


def outdated(node: str, images: Sequence[Image], environment: Mapping[str, str]) -> list[Image]:
    """Return those images that a node does not have in exactly this state."""
    listed = run.output(["docker", "exec", node, *_CTR, "images", "ls"], env=environment)
    found = parse_listing(listed)
    return [image for image in images if found.get(oci.full_name(image.name)) != oci.manifest(image).digest]


def parse_listing(text: str) -> dict[str, str]:
    """Read names and digests out of ``ctr images ls``."""
    found = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        digest = next((word for word in words if word.startswith("sha256:")), None)
        if digest is not None and words[0] != digest:
            found[words[0]] = digest
    return found


def load(node: str, images: Sequence[Image], environment: Mapping[str, str]) -> None:
    """Import images into a node's containerd."""
    for image in images:
        present = set(
            run.output(
                ["docker", "exec", node, *_CTR, "content", "ls", "--quiet"],
                env=environment,
            ).split()
        )
        _import(node, image, present, environment)


def load_everywhere(work: Mapping[str, Sequence[Image]], environment: Mapping[str, str]) -> None:
    """Import into all nodes side by side."""
    in_parallel(*(partial(load, node, images, environment) for node, images in work.items()))


def _import(node: str, image: Image, present: set[str], environment: Mapping[str, str]) -> None:
    command = ["docker", "exec", "--interactive", node, *_CTR, "images", "import", "-"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            run.bound(command),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            env={"PATH": debian.search_path(), **environment},
        ) as process,
    ):
        assert process.stdin is not None
        try:
            oci.write(image, process.stdin, present=present)
            process.stdin.close()
        except BrokenPipeError:
            pass  # what ctr says about it follows
        if process.wait(_IMPORT_DEADLINE) != 0:
            said.seek(0)
            message = said.read().decode(errors="replace").strip()
            raise ClusterError(f"{image.name} could not be imported into {node}: {message[-600:]}")
