"""Spans say who called whom, and what came of it."""

import logging
import threading
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from hemostat_chaos.shop.roles import ROLES, Call
from hemostat_chaos.shop.settings import read
from hemostat_chaos.shop.tracing import Seldom, Tracing, answered, failed, resource

ROUTE = ROLES["frontend"].routes[0]
CALL = Call("catalog", "GET", "/items")


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter):
    env = {"POD_NAME": "frontend-1", "POD_NAMESPACE": "shop", "SHOP_VERSION": "7"}
    provider = TracerProvider(resource=resource(read("frontend", env)), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = Tracing(provider)
    yield made
    assert made.close(1.0)


def test_the_callee_continues_the_callers_trace(tracing, exporter):
    headers = {}
    with tracing.server_span(ROUTE, {}), tracing.client_span(CALL, "http://127.0.0.1:18081", headers):
        pass
    with tracing.server_span(ROLES["catalog"].routes[0], {"Traceparent": headers["traceparent"]}):
        pass
    client, server, callee = exporter.get_finished_spans()
    assert server.parent is None
    assert client.parent.span_id == server.context.span_id
    assert callee.parent.span_id == client.context.span_id
    assert len({span.context.trace_id for span in (client, server, callee)}) == 1
    assert (client.kind, callee.kind) == (SpanKind.CLIENT, SpanKind.SERVER)


def test_a_client_span_names_the_service_not_the_address(tracing, exporter):
    with tracing.client_span(CALL, "http://127.0.0.1:18081", {}) as span:
        answered(span, 200, error_from=400)
    (span,) = exporter.get_finished_spans()
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/items",
        "http.response.status_code": 200,
        "server.address": "catalog",
        "server.port": 18081,
        "url.full": "http://127.0.0.1:18081/items",
    }
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(("code", "error"), [(200, False), (404, False), (500, True), (503, True)])
def test_a_server_span_is_an_error_from_500_on(tracing, exporter, code, error):
    with tracing.server_span(ROUTE, {}) as span:
        answered(span, code, error_from=500)
    (span,) = exporter.get_finished_spans()
    assert (span.status.status_code is StatusCode.ERROR) == error
    assert span.attributes.get("error.type") == (str(code) if error else None)


def test_no_answer_and_exceptions_are_errors(tracing, exporter):
    with tracing.client_span(CALL, "http://catalog:8080", {}) as span:
        failed(span, "timeout")
    with pytest.raises(RuntimeError), tracing.server_span(ROUTE, {}):
        raise RuntimeError("broken")
    client, server = exporter.get_finished_spans()
    assert (client.status.status_code, client.attributes["error.type"]) == (StatusCode.ERROR, "timeout")
    assert server.status.status_code is StatusCode.ERROR
    assert server.events[0].name == "exception"


def test_the_resource_says_who(tracing, exporter):
    with tracing.server_span(ROUTE, {}):
        pass
    attributes = exporter.get_finished_spans()[0].resource.attributes
    for name, value in {
        "service.name": "frontend",
        "service.namespace": "shop",
        "service.version": "7",
        "k8s.pod.name": "frontend-1",
    }.items():
        assert attributes[name] == value


class Hanging(SpanExporter):
    def __init__(self):
        self.release = threading.Event()

    def export(self, spans):
        self.release.wait(5)


def test_closing_does_not_wait_for_a_receiver_that_hangs():
    hanging = Hanging()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(hanging, schedule_delay_millis=60_000))
    tracing = Tracing(provider)
    with tracing.server_span(ROUTE, {}):
        pass
    started = time.monotonic()
    assert tracing.close(0.05) is False
    assert time.monotonic() - started < 4
    hanging.release.set()


def test_an_absent_receiver_is_news_once():
    seldom = Seldom(60)
    record = logging.makeLogRecord({"levelno": logging.ERROR})
    assert [seldom.filter(record) for _ in range(3)] == [True, False, False]
