"""Kubernetes' own programs, built from Go modules and kept by content hash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hemostat_chaos.cluster import atomic, gotool, locks, run
from hemostat_chaos.cluster.constants import BUILD_DEADLINE, KUBERNETES_VERSION
from hemostat_chaos.cluster.paths import cache_root, project_root
from hemostat_chaos.cluster.progress import Progress

MODULES = Path(__file__).parent / "gomod"
_MAJOR, _MINOR = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
_STAMP = "k8s.io/component-base/version"
LDFLAGS = " ".join(
    [
        "-s",
        "-w",
        f"-X {_STAMP}.gitVersion={KUBERNETES_VERSION}",
        f"-X {_STAMP}.gitMajor={_MAJOR}",
        f"-X {_STAMP}.gitMinor={_MINOR}",
        f"-X {_STAMP}.gitTreeState=clean",
    ]
)


@dataclass(frozen=True)
class Binary:
    """One program: the folder of its go.mod and the package to build there."""

    name: str
    module: str
    package: str


def _kubernetes(name: str) -> Binary:
    return Binary(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}")


# In the order in which they are built: what a bare API server needs comes first.
CATALOGUE: dict[str, Binary] = {
    binary.name: binary
    for binary in (
        _kubernetes("kube-apiserver"),
        Binary("etcd", "kubernetes", "go.etcd.io/etcd/server/v3"),
        _kubernetes("kubectl"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kubelet"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kube-proxy"),
        _kubernetes("kubeadm"),
        Binary("runcw", "runtime", "./runcw"),
        Binary("pause", "runtime", "./pause"),
        Binary("kind", "kind", "sigs.k8s.io/kind"),
        Binary("coredns", "coredns", "."),
        Binary("alertmanager", "alertmanager", "github.com/prometheus/alertmanager/cmd/alertmanager"),
        Binary("metrics-server", "metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
    )
}


def module_key(module: str) -> str:
    """Return the hash of all that goes into a module's programs."""
    return atomic.key_of([atomic.key_of_tree(MODULES / module), LDFLAGS])


def stored(name: str) -> Path:
    """Return where a program is kept, whether or not it has been built."""
    module = CATALOGUE[name].module
    return cache_root() / "bin" / f"{module}-{module_key(module)}" / name


def missing(names: Iterable[str]) -> list[str]:
    """Return those that still have to be built, in building order."""
    wanted = set(names)
    return [name for name in CATALOGUE if name in wanted and not stored(name).exists()]


def go() -> Path:
    """Return a Go command that can build every module here."""
    return gotool.go_command(gotool.wanted_version(path.read_text() for path in MODULES.glob("*/go.mod")))


def binaries(names: Sequence[str], progress: Progress | None = None, logs: Path | None = None) -> Path:
    """Build what is missing and return a folder that holds all the named programs."""
    progress = progress or Progress()
    progress.expect(len(missing(names)))
    build(names, progress, logs or project_root() / "build" / "cluster" / "log")
    return view(names)


def build(names: Sequence[str], progress: Progress, logs: Path) -> None:
    """Build what is missing, which the caller has announced: modules side by side."""
    todo = missing(names)
    if not todo:
        return
    command = go()
    kubernetes = [name for name in todo if CATALOGUE[name].module == "kubernetes"]
    others = [name for name in todo if CATALOGUE[name].module != "kubernetes"]

    def chain(members: list[str]) -> None:
        for name in members:
            _build_one(command, CATALOGUE[name], progress, logs)

    in_parallel(lambda: chain(kubernetes), lambda: chain(others))


def view(names: Sequence[str]) -> Path:
    """Return one folder of links to programs that are kept in several."""
    targets = {name: stored(name) for name in sorted(set(names))}
    folder = cache_root() / "bin" / f"view-{atomic.key_of(map(str, targets.values()))}"
    if not folder.is_dir():
        with atomic.publish(folder) as partial:
            partial.mkdir()
            for name, target in targets.items():
                (partial / name).symlink_to(target)
    return folder


def kubectl_path(progress: Progress | None = None) -> Path:
    """Return the kubectl of the cluster's own version, built if need be."""
    return binaries(["kubectl"], progress) / "kubectl"


def in_parallel(*jobs: Callable[[], object]) -> None:
    """Run jobs side by side to their end; then raise the first failure."""
    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()


def _build_one(command: Path, binary: Binary, progress: Progress, logs: Path) -> None:
    target = stored(binary.name)
    lock = cache_root() / "locks" / f"{target.parent.name}-{binary.name}.lock"

    def busy(holder: str) -> None:
        progress.say(f"{binary.name} is being built by {holder}; waiting")

    with progress.step(f"building {binary.name}"), locks.held(lock, busy=busy):
        if target.exists():
            return
        with atomic.publish(target) as partial:
            run.logged(
                [command, "build", "-trimpath", "-ldflags", LDFLAGS, "-o", partial, binary.package],
                logs / f"build-{binary.name}.log",
                deadline=BUILD_DEADLINE,
                cwd=MODULES / binary.module,
                env={
                    "CGO_ENABLED": "0",
                    "GOFLAGS": "-mod=readonly -buildvcs=false",
                    "GOTOOLCHAIN": "local",
                    "GOWORK": "off",
                },
                hint="Go modules must be reachable (see `go env GOPROXY`); then run the same command again",
            )
