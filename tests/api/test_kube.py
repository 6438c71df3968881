"""The client against a real API server: its errors say what to do, its deadlines hold, its patches are guarded."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api import objects
from tests.api.support import MANAGER, Cluster, eventually, rest

from hemostat.errors import HemostatError, Refused, Retry
from hemostat.kube import PAGE, TIMEOUT_SECONDS, Conflict, Kube, NotFound, path_of
from hemostat_chaos.cluster.apiserver import ApiServer

OURS = "hemostat-rem-0001"
OWNER = "pipeline"


@pytest.fixture
def live(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return a Deployment as the API server holds it."""
    return cluster.make(objects.deployment("payment", namespace))


def at(live: dict[str, Any], subresource: str = "") -> str:
    return path_of("apps/v1", "Deployment", live["metadata"]["namespace"], live["metadata"]["name"], subresource)


def test_json_patch_whose_test_fails_is_a_conflict_and_changes_nothing(cluster: Cluster, live: dict[str, Any]) -> None:
    ops = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "replace", "path": "/spec/replicas", "value": 7},
    ]
    with pytest.raises(Conflict):
        cluster.admin.json_patch(at(live), ops, OURS)
    assert cluster.admin.get(at(live)) == live


def test_json_patch_whose_test_holds_lands(cluster: Cluster, live: dict[str, Any]) -> None:
    ops = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/spec/replicas", "value": 7},
    ]
    assert cluster.admin.json_patch(at(live), ops, OURS)["spec"]["replicas"] == 7
    with pytest.raises(Conflict):
        cluster.admin.json_patch(at(live), ops, OURS)  # the same write a second time finds another version


def test_dry_run_answers_and_changes_nothing(cluster: Cluster, live: dict[str, Any]) -> None:
    ops = [{"op": "replace", "path": "/spec/replicas", "value": 7}]
    assert cluster.admin.json_patch(at(live), ops, OURS, dry_run=True)["spec"]["replicas"] == 7
    assert cluster.admin.get(at(live)) == live


@pytest.mark.parametrize("dry_run", [True, False])
def test_invalid_result_is_refused_with_the_servers_words(
    cluster: Cluster, live: dict[str, Any], dry_run: bool
) -> None:
    ops = [{"op": "replace", "path": "/spec/replicas", "value": -1}]
    with pytest.raises(Refused, match=r"spec.replicas: Invalid value.*must be greater than or equal to 0") as caught:
        cluster.admin.json_patch(at(live), ops, OURS, dry_run=dry_run)
    assert caught.value.reason == "Invalid"
    assert cluster.admin.get(at(live)) == live


def test_patch_of_a_path_that_is_not_there_is_refused(cluster: Cluster, live: dict[str, Any]) -> None:
    ops = [{"op": "replace", "path": "/spec/nothing/here", "value": 1}]
    with pytest.raises((Refused, Conflict)):
        cluster.admin.json_patch(at(live), ops, OURS)
    assert cluster.admin.get(at(live)) == live


def test_forbidden_is_refused_with_the_servers_words(cluster: Cluster, live: dict[str, Any]) -> None:
    with pytest.raises(Refused, match='User "nobody" cannot get resource "deployments"') as caught:
        cluster.user("nobody").get(at(live))
    assert caught.value.reason == "Forbidden"


def test_missing_is_not_found_and_taken_is_a_conflict(cluster: Cluster, live: dict[str, Any], namespace: str) -> None:
    with pytest.raises(NotFound):
        cluster.admin.get(path_of("apps/v1", "Deployment", namespace, "absent"))
    with pytest.raises(Conflict):
        cluster.make(objects.deployment("payment", namespace))


def test_replace_is_compare_and_set(cluster: Cluster, live: dict[str, Any]) -> None:
    first = objects.changed(live, "spec.replicas", 3)
    cluster.admin.replace(at(live), first, OURS)
    with pytest.raises(Conflict):
        cluster.admin.replace(at(live), objects.changed(live, "spec.replicas", 9), OURS)
    assert cluster.admin.get(at(live))["spec"]["replicas"] == 3


def test_merge_patch_and_apply_name_their_manager(cluster: Cluster, live: dict[str, Any]) -> None:
    merged = cluster.admin.merge_patch(at(live), {"metadata": {"labels": {"a": "b"}}}, "merger")
    assert "merger" in managers(merged)
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"c": "d"}}}
    applied = cluster.admin.apply(at(live), body, "applier")
    assert ("applier", "Apply") in {(m["manager"], m["operation"]) for m in applied["metadata"]["managedFields"]}
    assert applied["metadata"]["labels"] == {"a": "b", "c": "d"}


def test_apply_of_anothers_field_is_a_conflict_until_forced(cluster: Cluster, live: dict[str, Any]) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 5}}
    with pytest.raises(Conflict, match=r"conflict with \"tests\".*\.spec\.replicas"):
        cluster.admin.apply(at(live), body, OWNER)
    assert cluster.admin.apply(at(live), body, OWNER, force=True)["spec"]["replicas"] == 5


def managers(body: dict[str, Any]) -> list[str]:
    return [entry["manager"] for entry in body["metadata"]["managedFields"]]


def test_scale_records_its_manager(cluster: Cluster, live: dict[str, Any]) -> None:
    cluster.admin.json_patch(at(live, "scale"), [{"op": "replace", "path": "/spec/replicas", "value": 4}], OURS)
    after = cluster.admin.get(at(live))
    (entry,) = [entry for entry in after["metadata"]["managedFields"] if entry["manager"] == OURS]
    assert after["spec"]["replicas"] == 4
    assert entry["subresource"] == "scale"
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize("subresource", ["", "scale"])
def test_letting_go_of_a_field_lets_its_owner_apply_without_force(
    cluster: Cluster, namespace: str, subresource: str
) -> None:
    owned = objects.deployment("payment", namespace, replicas=2)
    live = cluster.admin.apply(path_of("apps/v1", "Deployment", namespace, "payment"), owned, OWNER)
    for replicas in (4, 2):  # act, then undo
        ops = [{"op": "replace", "path": "/spec/replicas", "value": replicas}]
        cluster.admin.json_patch(at(live, subresource), ops, OURS)
    wanted = objects.deployment("payment", namespace, replicas=3)
    with pytest.raises(Conflict, match=OURS):
        cluster.admin.apply(at(live), wanted, OWNER)

    held = cluster.admin.get(at(live))
    let_go = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": held["metadata"]["resourceVersion"]},
        {"op": "remove", "path": f"/metadata/managedFields/{managers(held).index(OURS)}"},
    ]
    freed = cluster.admin.json_patch(at(live), let_go, OURS)
    assert OURS not in managers(freed)
    assert freed["spec"] == held["spec"]
    assert freed["metadata"]["generation"] == held["metadata"]["generation"]
    assert cluster.admin.apply(at(live), wanted, OWNER)["spec"]["replicas"] == 3
    with pytest.raises(Conflict):
        cluster.admin.json_patch(at(live), let_go, OURS)  # the guard: the index may be another's by now


def test_delete_takes_only_the_object_of_that_uid(cluster: Cluster, live: dict[str, Any]) -> None:
    with pytest.raises(Conflict):
        cluster.admin.delete(at(live), objects.UID)
    assert cluster.admin.get(at(live)) == live
    cluster.admin.delete(at(live), live["metadata"]["uid"])
    with pytest.raises(NotFound):
        cluster.admin.get(at(live))


def test_server_now_is_the_servers_clock(cluster: Cluster, namespace: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)  # the header has a resolution of one second
    now = cluster.admin.server_now()
    assert now.tzinfo is not None
    assert before <= now <= datetime.now(UTC)


def test_user_is_who_the_server_sees(cluster: Cluster) -> None:
    assert cluster.user("ann", ("oncall", "dev")).user() == ("ann", ("oncall", "dev", "system:authenticated"))
    name, groups = cluster.act.user()
    assert name == "system:serviceaccount:hemostat-system:hemostat-act"
    assert "system:serviceaccounts" in groups


def test_list_pages_through_everything_once(cluster: Cluster, namespace: str) -> None:
    count = PAGE + 20
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"map-{i:04}", "namespace": namespace, "labels": {"half": str(i % 2)}},
        }
        for i in range(count)
    ]
    bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    cluster.kubectl("create", "--filename=-", input=bundle)
    path = rest("configmaps", namespace)
    listed = cluster.admin.list(path)
    assert [item["metadata"]["name"] for item in listed] == [f"map-{i:04}" for i in range(count)]
    assert {(item["apiVersion"], item["kind"]) for item in listed} == {("v1", "ConfigMap")}
    assert len(cluster.admin.list(path, labelSelector="half=1")) == count // 2
    assert cluster.admin.list(rest("pods", namespace)) == []


@pytest.fixture(scope="module")
def brittle() -> Iterator[ApiServer]:
    """Return an API server of our own, to be stopped, that forgets old versions within a second."""
    forgetful = ["--etcd-compaction-interval=1s", "--feature-gates=ListFromCacheSnapshot=false"]
    with ApiServer(controllers=False, extra_args=forgetful) as server:
        yield server


def test_list_that_expired_between_two_pages_is_tried_again(brittle: ApiServer) -> None:
    path = rest("configmaps", "default")
    client = Kube.connect(str(brittle.kubeconfig))
    client.create(path, {"metadata": {"name": "one"}}, MANAGER)
    first_page = json.dumps({"v": "meta.k8s.io/v1", "rv": 2, "start": "one\u0000"})
    token = base64.urlsafe_b64encode(first_page.encode()).decode().rstrip("=")
    raised: list[Exception] = []

    def expired() -> bool:
        try:
            client.get(path, **{"continue": token, "limit": "1"})
        except HemostatError as error:
            raised.append(error)
        return bool(raised)

    eventually(expired, "the version of the first page is compacted")
    assert "too old" in str(raised[0])
    assert isinstance(raised[0], Retry), repr(raised[0])


def test_a_stopped_server_is_tried_again_within_the_deadline(brittle: ApiServer) -> None:
    client = Kube.connect(str(brittle.kubeconfig))
    client.server_now()
    brittle.halt()
    began = time.monotonic()
    try:
        with pytest.raises(Retry, match="did not answer"):
            client.get("/version")
        with pytest.raises(Retry, match="did not answer"):
            client.json_patch("/api/v1/namespaces/default", [], OURS)
        assert time.monotonic() - began < 10
    finally:
        brittle.resume()
    assert client.get("/version")["major"] == "1"


def test_a_silent_server_is_tried_again_after_the_deadline(cluster: Cluster, tmp_path: Path) -> None:
    assert TIMEOUT_SECONDS <= 10
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = cluster.server.kubeconfig.read_text()
        port = silent.getsockname()[1]
        (tmp_path / "config").write_text(config.replace(cluster.server.url, f"https://127.0.0.1:{port}"))
        began = time.monotonic()
        with pytest.raises(Retry, match="did not answer"):
            Kube.connect(str(tmp_path / "config")).within(0.3).get("/version")
        assert time.monotonic() - began < 5
