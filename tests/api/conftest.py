"""One real API server for the whole session, with everything the repository ships installed and in force."""

import json
from collections.abc import Iterator

import pytest
from tests.api.modules import ENVOY_GATEWAY, ISTIO, KEDA
from tests.api.support import Cluster

from hemostat_chaos.cluster.apiserver import ApiServer


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with ApiServer(controllers=False) as server:
        made = Cluster(server)
        made.install()
        yield made


@pytest.fixture(scope="session")
def neighbours(cluster: Cluster) -> Cluster:
    """Return the cluster with the kinds of Istio, Envoy Gateway and KEDA that actions write."""
    for module in (ISTIO, ENVOY_GATEWAY, KEDA):
        for definition in module.definitions():
            cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(definition))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """Return a namespace of the test's own."""
    return cluster.make_namespace()
