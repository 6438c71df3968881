import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from hemostat_chaos.cluster import archive
from hemostat_chaos.cluster.archive import Image, Layer
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.images import context, dockerfile, load, oci
from hemostat_chaos.cluster.paths import project_root


def _layer(folder: Path, name: str) -> Layer:
    path = folder / name
    path.write_bytes(name.encode() * 100)
    return archive.layer_of(path)


def _names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_the_projects_own_dockerfile_can_be_built_without_docker() -> None:
    recipe = dockerfile.parse((project_root() / context.OPERATOR.dockerfile).read_text())
    assert [(step.source, step.target) for step in recipe.steps] == [
        ("site", "opt/hemostat/site"),
        ("app", "opt/hemostat/app"),
    ]
    assert recipe.base == "python:3.11-slim-bookworm"
    assert recipe.settings["User"] == "65532:65532"
    assert recipe.settings["Entrypoint"] == ["python3", "-m", "hemostat"]
    assert recipe.environment["PYTHONDONTWRITEBYTECODE"] == "1"


@pytest.mark.parametrize("image", context.BUILT, ids=lambda image: image.name)
def test_every_image_can_be_built_without_docker_and_runs_as_nobody(image: context.Built) -> None:
    recipe = dockerfile.parse((project_root() / image.dockerfile).read_text())
    assert [step.source for step in recipe.steps] == ["site", "app"]
    assert recipe.settings["User"] == "65532:65532"
    lock = (project_root() / image.lock).read_text()
    assert "--hash=sha256:" in lock
    assert "--index-url" not in lock


@pytest.mark.parametrize(
    "line",
    [
        "ADD x /y",
        "RUN pip install x",
        "COPY a b",
        "COPY --from=x a/ b/",
        "HEALTHCHECK NONE",
    ],
)
def test_what_would_be_misread_is_refused(line: str) -> None:
    with pytest.raises(ClusterError):
        dockerfile.parse(f"FROM x\nCOPY a/ /b/\n{line}\n")


def test_several_stages_are_refused() -> None:
    with pytest.raises(ClusterError):
        dockerfile.parse("FROM x\nFROM y\n")


def test_continued_lines_and_comments() -> None:
    assert dockerfile.logical_lines("# c\nENV A=1 \\\n  B=2\n\n  # d\nUSER 1") == ["ENV A=1  B=2", "USER 1"]


def test_a_layer_that_images_share_is_written_once(tmp_path: Path) -> None:
    base, one, two = (_layer(tmp_path, name) for name in ("base", "one", "two"))
    out = io.BytesIO()
    archive.stream([Image("a:1", [base, one]), Image("b:1", [base, two])], out)
    assert _names(out.getvalue()).count(f"{base.digest}/layer.tar") == 1


def test_layers_that_a_node_has_are_left_out(tmp_path: Path) -> None:
    base, top = _layer(tmp_path, "base"), _layer(tmp_path, "top")
    image = Image("hemostat:dev", [base, top])
    out = io.BytesIO()
    oci.write(image, out, present={f"sha256:{base.digest}"})
    names = _names(out.getvalue())
    assert f"blobs/sha256/{top.digest}" in names
    assert f"blobs/sha256/{base.digest}" not in names
    manifest = json.loads(oci.manifest(image).data)
    assert [layer["digest"] for layer in manifest["layers"]] == [f"sha256:{base.digest}", f"sha256:{top.digest}"]
    assert f"sha256:{hashlib.sha256(oci.manifest(image).data).hexdigest()}" == oci.manifest(image).digest


def test_a_nodes_images_are_read_with_their_digests() -> None:
    text = (
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
        "docker.io/library/hemostat:dev application/x sha256:aa 1.0 MiB linux/amd64 -\n"
        "sha256:bb application/x sha256:cc 1.0 MiB linux/amd64 -\n"
    )
    assert load.parse_listing(text) == {"docker.io/library/hemostat:dev": "sha256:aa"}


def test_pip_takes_only_what_the_lock_names() -> None:
    arguments = context.pip_arguments(Path("lock"), Path("target"))
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(arguments)
