"""The whole loop on real pods: `make loop` brings the cluster up and loads the images first."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import config

from hemostat.clock import SystemClock
from hemostat.kube import Kube
from hemostat_chaos.cluster import on_node as nodes
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.demo import play
from hemostat_chaos.demo.command import APPROVER
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.inflict import Inflictor
from hemostat_chaos.experiment.runner import Options
from hemostat_chaos.experiment.waiting import Waiter, print_line

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if items and "KUBECONFIG" not in os.environ:
        pytest.exit("no cluster: run `make loop`, which brings one up", returncode=2)


@pytest.fixture(scope="session")
def stage() -> play.Stage:
    """The operator, the shop and Prometheus, installed from this checkout and healthy."""
    kube = Kube.connect()
    waiter = Waiter(SystemClock(), time.sleep, print_line)
    stage = play.Stage(ROOT, kube, Kubectl(ROOT), waiter, Options(approver=APPROVER.connect()), steps=3)
    play.install(stage, restart=True)
    play.wait_ready(stage)
    play.wait_baseline(stage)
    return stage


@pytest.fixture(autouse=True)
def _nothing_before(stage: play.Stage) -> None:
    """Trouble that returns reopens its Incident; each test looks at those of its own."""
    play.forget(stage, play.SHOP)


@pytest.fixture
def kube(stage: play.Stage) -> Kube:
    return stage.kube


@pytest.fixture
def kubectl(stage: play.Stage) -> Kubectl:
    return stage.kubectl


@pytest.fixture
def inflictor(stage: play.Stage, request: pytest.FixtureRequest) -> Iterator[Inflictor]:
    """A namespace of the test's own: what fires at the same time belongs to one Incident."""
    name = f"fault-{abs(hash(request.node.name)) % 10**8}"
    stage.kubectl("create", "namespace", name)
    yield Inflictor(stage.kube, stage.kubectl, stage.waiter, name, on_node)
    stage.kubectl("delete", "namespace", name, "--wait=false")


def on_node(node: str, *words: str) -> str:
    """Run a command on a node of the cluster that kubectl points at, which must be one made here."""
    _, active = config.list_kube_config_contexts()
    return nodes.on_node(ClusterName.of_context(active["name"]), node, *words)


@pytest.fixture
def waiter(stage: play.Stage) -> Waiter:
    return stage.waiter
