"""What `act` reads of its own objects is chosen by the API server: a thousand others must not slow it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from tests.api import objects
from tests.api.support import Cluster, rest
from tests.unit.builders import T0

from hemostat.act.store import Store
from hemostat.api.identity import AUDIT, NAMESPACE, OBSERVE_USER
from hemostat.api.incident import RESOLVED
from hemostat.api.meta import Condition, set_condition
from hemostat.api.remediation import ADMITTED, FINISHED
from hemostat.errors import Retry
from hemostat.kube import Conflict


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


def test_what_was_decided_about_an_incident_as_it_was_before_is_not_written(
    cluster: Cluster, namespace: str, store: Store
) -> None:
    """A request of a replica that was stopped may land while another one acts."""
    body = objects.moved(objects.named("Incident", objects.MINIMAL["Incident"], "trouble"), namespace)
    cluster.make(body, cluster.observe)
    before = store.incident(namespace, "trouble")
    assert before is not None
    open_, over = (set_condition((), RESOLVED, said, "Tested", "", T0) for said in (False, True))
    store.write_incident(before, over, ())
    with pytest.raises(Retry, match="changed while it was worked on"):
        store.write_incident(before, open_, ())
    after = store.incident(namespace, "trouble")
    assert after is not None
    assert after.status.conditions == over
    store.write_incident(after, open_, ())


def test_a_head_lands_only_on_the_version_that_was_looked_at(cluster: Cluster) -> None:
    """Server-side apply heeds the resourceVersion, forced or not: `act.publishing` rests on it."""
    path = rest("configmaps", NAMESPACE, name=AUDIT)
    live = cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": AUDIT, "namespace": NAMESPACE}})
    try:
        body = {key: live[key] for key in ("apiVersion", "kind")}
        seen = {"name": AUDIT, "resourceVersion": live["metadata"]["resourceVersion"]}
        cluster.act.apply(path, body | {"metadata": seen, "data": {"head": "new"}}, "hemostat-audit", force=True)
        with pytest.raises(Conflict):
            cluster.act.apply(path, body | {"metadata": seen, "data": {"head": "old"}}, "hemostat-audit", force=True)
        assert cluster.admin.get(path)["data"] == {"head": "new"}
    finally:
        cluster.admin.delete(path, live["metadata"]["uid"])
