"""The whole loop on real pods: `make loop` brings the cluster up and loads the images first."""

import os
import time
from pathlib import Path

import pytest

from hemostat.clock import SystemClock
from hemostat.kube import Kube
from hemostat_chaos.demo import play
from hemostat_chaos.demo.command import APPROVER
from hemostat_chaos.demo.kubectl import Kubectl
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
    play.forget(stage)


@pytest.fixture
def kube(stage: play.Stage) -> Kube:
    return stage.kube


@pytest.fixture
def kubectl(stage: play.Stage) -> Kubectl:
    return stage.kubectl


@pytest.fixture
def waiter(stage: play.Stage) -> Waiter:
    return stage.waiter
