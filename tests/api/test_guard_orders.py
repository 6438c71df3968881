"""The guard's orders through a real API server: how fast they come, what right it takes, what is left without."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.contract import Rule
from hemostat.api.identity import GUARD_ROLE
from hemostat.guard import EdgeCut, Guard, OrderConfigMap, configmap
from hemostat.guard.orders import CONFIG_MAP, Cut, render
from hemostat.kube import Kube

READER = "crew"
COMES_WITHIN_SECONDS = 2.0


class Application:
    """A process with a guard that reads its orders as a pod would: by its own token, from its own namespace."""

    def __init__(self, cluster: Cluster, namespace: str, directory: Path) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.user = cluster.account(namespace, READER)
        token = directory / "token"
        token.write_text(cluster.kubectl("create", "token", READER, f"--namespace={namespace}").stdout)
        ca = str(cluster.server.directory / "pki" / "ca.crt")
        self.orders = OrderConfigMap(cluster.server.url, namespace, ca=ca, token=str(token))
        self.guard = Guard("crew", LoggerProvider(shutdown_on_exit=False))

    @property
    def kube(self) -> Kube:
        return self.cluster.service_account(self.namespace, READER)

    def path(self, name: str = CONFIG_MAP) -> str:
        return rest("configmaps", self.namespace, name=name)

    def config_map(self, data: dict[str, str], name: str = CONFIG_MAP) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        return self.cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    def patch(self, op: str, path: str, value: Any = None, kube: Kube | None = None) -> None:
        change = {"op": op, "path": path} | ({} if op == "remove" else {"value": value})
        (kube or self.cluster.admin).json_patch(self.path(), [change], MANAGER)

    def passes(self, callee: str = "critic") -> bool:
        try:
            with self.guard.call(callee, caller="planner", conversation="c"):
                return True
        except EdgeCut:
            return False

    def comes(self, check: Any, what: str) -> None:
        eventually(check, what, COMES_WITHIN_SECONDS)


@pytest.fixture
def application(cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch) -> Iterator[Application]:
    monkeypatch.setattr(configmap, "WATCH_SECONDS", 1)  # so that watches end and begin again under the test
    monkeypatch.setattr(configmap, "QUICK_SECONDS", 0.5)
    made = Application(cluster, namespace, tmp_path)
    cluster.grant(made.user, namespace, role=GUARD_ROLE)
    eventually(lambda: can(made.kube, "get", "configmaps", namespace, name=CONFIG_MAP), "the guard may read")
    made.guard.ticker.start()
    made.guard.follow(made.orders)
    yield made
    made.guard.shutdown()


def cut(name: str, callee: str = "critic", seconds: float = 60, **more: Any) -> str:
    order = Cut(id=name, caller="planner", callee=callee, until=time.time() + seconds, reason="ping-pong", **more)
    return render(order)


def test_an_order_comes_at_once_and_its_inverse_lifts_it(application: Application):
    time.sleep(1.5)  # there is no ConfigMap at first, and a watch has ended for the first time
    assert application.passes()
    application.config_map({})
    application.patch("add", "/data", {"one": cut("one")})  # an empty `data` is not stored: /data/one has no parent yet
    application.comes(lambda: not application.passes(), "cut")
    application.patch("add", "/data/two", cut("two", "search"))
    application.comes(lambda: not application.passes("search"), "the second cut")
    application.patch("remove", "/data/one")
    application.comes(application.passes, "lifted by the inverse")
    assert not application.passes("search"), "the other Remediation's order stands"
    assert application.orders.failures == 0


def test_orders_are_obeyed_across_watches_and_a_deleted_config_map_lifts_all(application: Application):
    made = application.config_map({"one": cut("one")})
    application.comes(lambda: not application.passes(), "cut")
    time.sleep(2.5)  # two watches end
    assert not application.passes()
    application.cluster.admin.delete(application.path(), made["metadata"]["uid"])
    application.comes(application.passes, "lifted with the ConfigMap")


def test_a_hold_ends_as_it_was_said_though_nobody_takes_the_order_back(application: Application):
    """`act` is not there. The watch ends and begins again meanwhile, and each time the order is read anew."""
    hold, probe = 6, 2
    made = application.config_map({"hold": cut("hold", seconds=3600, hold_seconds=hold)})
    probed = cut("probe", "search", seconds=3600, hold_seconds=60, probe_seconds=probe)
    application.patch("add", "/data/probe", probed)
    application.comes(lambda: not application.passes(), "cut")
    began = time.monotonic()
    application.comes(lambda: not application.passes("search"), "the other cut")
    eventually(lambda: application.passes("search"), "the probe goes through, and closes the edge", probe + 6)
    assert not application.passes()
    eventually(application.passes, "the hold is over", hold + 6)
    assert hold - 2 < time.monotonic() - began < hold + 6
    time.sleep(1.5)  # it is read once more
    assert application.passes()
    live = application.cluster.admin.get(application.path())
    assert live["data"].keys() == {"hold", "probe"}, "the keys are still there"
    assert live["metadata"]["uid"] == made["metadata"]["uid"]


def test_the_right_is_to_read_that_one_config_map_and_nothing_else(application: Application):
    kube, namespace = application.kube, application.namespace
    application.config_map({}, name="other")
    assert {verb for verb in ("get", "watch") if can(kube, verb, "configmaps", namespace, name=CONFIG_MAP)} == {
        "get",
        "watch",
    }
    for verb in ("list", "create", "update", "patch", "delete"):
        assert not can(kube, verb, "configmaps", namespace, name=CONFIG_MAP), verb
    assert not can(kube, "get", "configmaps", namespace, name="other")
    assert not can(kube, "get", "configmaps", "default", name=CONFIG_MAP)
    assert "orbidden" in refusal(lambda: kube.get(application.path("other")))
    assert "orbidden" in refusal(lambda: kube.list(rest("configmaps", namespace)))


def test_without_the_right_what_holds_goes_on_to_its_end_and_no_longer(application: Application):
    application.config_map({"one": cut("one", seconds=4)})
    application.comes(lambda: not application.passes(), "cut")
    (binding,) = application.cluster.admin.list(rest("rolebindings", application.namespace, RBAC))
    path = rest("rolebindings", application.namespace, RBAC, binding["metadata"]["name"])
    application.cluster.admin.delete(path, binding["metadata"]["uid"])
    eventually(lambda: application.orders.failures > 0, "the guard notices that it may not read any more")
    assert not application.passes()
    eventually(application.passes, "the cut ends by itself", 5)


def test_act_can_be_given_the_right_to_write_orders_and_no_other_config_map(application: Application):
    cluster, namespace = application.cluster, application.namespace
    rule = Rule("", ("configmaps",), ("get", "patch"), (CONFIG_MAP,))
    application.config_map({"about": "x"})
    application.config_map({}, name="other")
    cluster.grant("writer", namespace, [rule])
    writer = cluster.user("writer")
    eventually(lambda: can(writer, "patch", "configmaps", namespace, name=CONFIG_MAP), "the writer may write")
    application.patch("add", "/data/one", cut("one"), writer)
    application.comes(lambda: not application.passes(), "cut by the writer")
    assert not can(writer, "patch", "configmaps", namespace, name="other")
    eventually(lambda: application.guard.desk.refused == 1, "what is no order is refused and counted")
