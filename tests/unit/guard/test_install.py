"""Whose orders a process takes, and what it is told when something is missing."""

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider
from tests.unit.guard.support import WALL, FakeTime

from hemostat.guard import OrderConfigMap, OrderDirectory, install
from hemostat.guard.installing import _orders
from hemostat.guard.orders import Halt, render


def test_the_directory_comes_before_the_pod():
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert isinstance(_orders(pod | {"HEMOSTAT_GUARD_ORDERS": "/etc/orders"}), OrderDirectory)
    assert _orders({}) is None


def test_in_a_pod_its_own_namespace_is_read_with_its_own_token(tmp_path):
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert OrderConfigMap.of_this_pod(environment, tmp_path) is None, "a pod without a token"
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("agents\n")
    found = OrderConfigMap.of_this_pod(environment, tmp_path)
    assert (found._url.hostname, found._url.port) == ("fd00::1", 6443)
    assert found._one == "/api/v1/namespaces/agents/configmaps/hemostat-guard"
    assert OrderConfigMap.of_this_pod({}, tmp_path) is None, "no pod at all"


def test_without_the_sdk_it_says_so():
    with pytest.raises(TypeError, match="opentelemetry-sdk"):
        install(tracer_provider=NoOpTracerProvider())


def test_without_a_logger_provider_it_warns_and_works(caplog):
    provider = TracerProvider(resource=Resource({"service.name": "crew"}), shutdown_on_exit=False)
    guard = install(tracer_provider=provider)
    assert "LoggerProvider" in caplog.text
    provider.get_tracer("t").start_span("x", attributes={"gen_ai.operation.name": "chat"}).end()
    assert guard.processor.failures == 0
    guard.shutdown()


def test_the_service_is_the_resources(tmp_path):
    provider = TracerProvider(resource=Resource({"service.name": "crew"}), shutdown_on_exit=False)
    logs = LoggerProvider(shutdown_on_exit=False)
    guard = install(tracer_provider=provider, logger_provider=logs, clock=FakeTime())
    order = Halt(id="one", conversation="c", until=WALL + 10, reason="r", service="crew")
    guard.desk.deliver({"one": render(order)})
    assert guard.governor.halted("c") is not None
    guard.shutdown()
