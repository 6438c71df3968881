"""One real API server for the whole session, with everything the repository ships installed and in force."""

from collections.abc import Iterator

import pytest
from tests.api.support import Cluster

from hemostat_chaos.cluster.apiserver import ApiServer


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with ApiServer(controllers=False) as server:
        made = Cluster(server)
        made.install()
        yield made


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """Return a namespace of the test's own."""
    return cluster.make_namespace()
