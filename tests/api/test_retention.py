"""`act` may delete what is finished of its own and nothing else; and does, on a real API server."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.api import objects
from tests.api.objects import HASH_A, condition
from tests.api.support import Cluster, can, refusal
from tests.unit.act.double import Records

from hemostat.act.retention import Keep
from hemostat.act.store import Store
from hemostat.act.sweeping import EVERYWHERE, Sweeper
from hemostat.action.execute import Executor
from hemostat.api import GROUP
from hemostat.api.identity import NAMESPACE, OBSERVE_USER
from hemostat.api.resources import APPROVAL, INCIDENT, REMEDIATION
from hemostat.gate.input import Go
from hemostat.kube import Kube, NotFound

Make = Callable[[str, str], dict]


@pytest.fixture
def made(cluster: Cluster) -> Make:
    """Make a Remediation of this name that ended with this status of Finished, for an Incident that is gone."""

    def make(namespace: str, name: str, finished: str = "True") -> dict:
        body = cluster.make(objects.moved(objects.remediation(name, OBSERVE_USER), namespace), cluster.observe)
        status = {"stage": "Decided", "conditions": [condition("Finished", finished)]}
        return cluster.set_status(body, status, cluster.act)

    return make


def delete(kube: Kube, path: str, live: dict) -> Callable[[], object]:
    return lambda: kube.delete(path, live["metadata"]["uid"], live["metadata"]["resourceVersion"])


def test_act_deletes_what_is_finished_and_nothing_that_is_not(cluster: Cluster, namespace: str, made: Make) -> None:
    for name, finished in (("ended", "True"), ("not-yet", "Unknown"), ("not", "False")):
        live, path = made(namespace, name, finished), REMEDIATION.path(namespace, name)
        assert "cannot delete" in refusal(delete(cluster.observe, path, live))
        said = refusal(delete(cluster.act, path, live))
        assert ("delete nothing but" in said) is (name != "ended"), said


def test_act_deletes_what_ended_in_a_protected_namespace(cluster: Cluster, made: Make) -> None:
    """It was denied there, and would stay for ever."""
    live = made(NAMESPACE, name := cluster.new_name())
    assert refusal(delete(cluster.act, REMEDIATION.path(NAMESPACE, name), live)) == ""


@pytest.mark.parametrize(("resolved", "refused"), [("True", False), ("False", True), ("Unknown", True)])
def test_act_deletes_no_incident_that_is_open(cluster: Cluster, namespace: str, resolved: str, refused: bool) -> None:
    body = objects.moved(objects.named("Incident", objects.MINIMAL["Incident"], "trouble"), namespace)
    live = cluster.set_status(cluster.make(body, cluster.observe), {"conditions": [condition("Resolved", resolved)]})
    path = INCIDENT.path(namespace, "trouble")
    assert "cannot delete" in refusal(delete(cluster.observe, path, live)), "it reads what may be forged"
    assert ("delete nothing but" in refusal(delete(cluster.act, path, live))) is refused


def test_it_deletes_nothing_that_people_wrote(cluster: Cluster, namespace: str) -> None:
    for plural in ("runbooks", "watches", "gatepolicies"):
        assert not can(cluster.act, "delete", plural, namespace, GROUP), plural


def test_what_is_long_ago_goes_with_its_approvals(cluster: Cluster, namespace: str, made: Make) -> None:
    cluster.planned(namespace, "approved", HASH_A)
    cluster.make(objects.moved(objects.approval("approved", HASH_A, "admin", "its-word"), namespace))
    cluster.make(
        objects.moved(objects.named("Incident", objects.MINIMAL["Incident"], "open"), namespace), cluster.observe
    )
    made(namespace, "long-ago")
    live = cluster.admin.get(REMEDIATION.path(namespace, "approved"))
    cluster.admin.delete(REMEDIATION.path(namespace, "approved"), live["metadata"]["uid"])
    asked, records = [], Records()
    sweeper = Sweeper(
        Store(cluster.act, records),
        Executor(cluster.act),
        Keep(timedelta(seconds=-1), 0),
        records,
        lambda: Go(begin=True, undo=True),
        cluster.act.server_now,
        asked.append,
    )
    sweeper.look(EVERYWHERE)
    assert namespace in asked
    assert sweeper.look(namespace) is None
    for path in (REMEDIATION.path(namespace, "long-ago"), APPROVAL.path(namespace, "its-word")):
        with pytest.raises(NotFound):
            cluster.admin.get(path)
    assert cluster.admin.get(INCIDENT.path(namespace, "open"))
    assert [entry.remediation for entry in records.entries] == ["long-ago"]
