import pytest

from hemostat_chaos.cluster import binaries, gotool
from hemostat_chaos.cluster.constants import ETCD_IMAGE_TAG, KIND_VERSION, KUBERNETES_VERSION, METRICS_SERVER_VERSION


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go1.27", (1, 27)),
        ("1.26.0", (1, 26, 0)),
        ("nothing", None),
    ],
)
def test_versions_are_found_in_what_go_says(text: str, version: gotool.Version | None) -> None:
    assert gotool.parse_version(text) == version


def test_the_most_demanding_module_decides() -> None:
    assert gotool.wanted_version(["go 1.21\n", "module x\n\ngo 1.26.3\n", "go 1.9\n"]) == (1, 26, 3)


def test_a_toolchain_must_be_at_least_as_new() -> None:
    assert gotool.new_enough((1, 26, 8), (1, 26, 0))
    assert gotool.new_enough((1, 27), (1, 26, 3))
    assert not gotool.new_enough((1, 25, 9), (1, 26, 0))
    assert not gotool.new_enough(None, (1, 1))


def _go_mod(module: str) -> str:
    return (binaries.MODULES / module / "go.mod").read_text()


def test_the_modules_pin_the_versions_that_the_constants_name() -> None:
    assert f"k8s.io/kubernetes {KUBERNETES_VERSION}" in _go_mod("kubernetes")
    assert f"sigs.k8s.io/kind {KIND_VERSION}" in _go_mod("kind")
    assert f"sigs.k8s.io/metrics-server {METRICS_SERVER_VERSION}" in _go_mod("metrics-server")
    etcd = ETCD_IMAGE_TAG.removesuffix("-0")
    assert f"go.etcd.io/etcd/server/v3 v{etcd}" in _go_mod("kubernetes")


def test_every_program_has_a_module_and_its_sums() -> None:
    for binary in binaries.CATALOGUE.values():
        assert (binaries.MODULES / binary.module / "go.mod").is_file()
        assert (binaries.MODULES / binary.module / "go.sum").is_file()
