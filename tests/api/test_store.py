"""What `act` reads of its own objects is chosen by the API server: a thousand others must not slow it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from tests.api import objects
from tests.api.support import Cluster
from tests.unit.builders import T0

from hemostat.act.store import Store
from hemostat.api.identity import OBSERVE_USER
from hemostat.api.meta import Condition, set_condition
from hemostat.api.remediation import ADMITTED, FINISHED


@pytest.fixture
def store(cluster: Cluster) -> Store:
    return Store(cluster.act, lambda entry, kept=None: None)


def propose(cluster: Cluster, namespace: str, name: str, incident: str) -> None:
    body = objects.moved(objects.remediation(name, OBSERVE_USER), namespace)
    ref = {"name": "trouble", "uid": incident}
    cluster.make(objects.changed(body, "spec.incidentRef", ref), cluster.observe)


def test_the_remediations_of_one_incident(cluster: Cluster, namespace: str, store: Store) -> None:
    one, other = str(uuid4()), str(uuid4())
    for name, incident in (("a", one), ("b", other), ("c", one)):
        propose(cluster, namespace, name, incident)
    assert [r.metadata.name for r in store.proposed(namespace, one)] == ["a", "c"]
    assert store.proposed(namespace, str(uuid4())) == []


def test_what_only_waits_is_not_among_what_was_decided(cluster: Cluster, namespace: str, store: Store) -> None:
    conditions: dict[str, tuple[Condition, ...]] = {
        "new": (),
        "waits": set_condition((), ADMITTED, "Unknown", "NeedsApproval", "", T0),
        "admitted": set_condition((), ADMITTED, True, "Approved", "", T0),
        "ended": set_condition((), FINISHED, True, "Denied", "", T0),
    }
    for name, said in conditions.items():
        propose(cluster, namespace, name, str(uuid4()))
        found = store.remediation(namespace, name)
        assert found is not None
        store.write(found, found.status.model_copy(update={"conditions": said}))
    assert [r.metadata.name for r in store.decided(namespace)] == ["admitted", "ended"]
    for since, wanted in ((T0 - timedelta(seconds=1), {"admitted", "ended"}), (T0, {"admitted"})):
        found = (r for r in store.decided_everywhere(since) if r.metadata.namespace == namespace)
        assert {r.metadata.name for r in found} == wanted
    taken_back = store.remediation(namespace, "admitted")
    assert taken_back is not None
    store.write(taken_back, taken_back.status.model_copy(update={"conditions": conditions["waits"]}))
    assert [r.metadata.name for r in store.decided(namespace)] == ["ended"]


def test_the_approvals_of_one_remediation(cluster: Cluster, namespace: str, store: Store) -> None:
    for name, about in (("a", "one"), ("b", "other")):
        cluster.planned(namespace, about, objects.HASH_A)
        cluster.make(objects.moved(objects.approval(about, objects.HASH_A, "admin", name), namespace))
    assert [a.metadata.name for a in store.approvals(namespace, "one")] == ["a"]
