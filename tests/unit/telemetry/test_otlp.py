"""OTLP requests become calls, and garbage becomes a refusal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from hemostat.errors import Refused
from hemostat.telemetry.otlp import MAX_NAME, calls, decode

TRACE = bytes(range(16))
KINDS = {
    Span.SPAN_KIND_UNSPECIFIED: False,
    Span.SPAN_KIND_INTERNAL: False,
    Span.SPAN_KIND_SERVER: False,
    Span.SPAN_KIND_CLIENT: True,
    Span.SPAN_KIND_PRODUCER: True,
    Span.SPAN_KIND_CONSUMER: False,
}


def request(service="checkout", kind=Span.SPAN_KIND_CLIENT, start=10, end=10 + 250_000_000, code=0, **attributes):
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    if service is not None:
        resource.resource.attributes.add(key="service.name").value.string_value = service
    span = resource.scope_spans.add().spans.add(
        trace_id=TRACE, kind=kind, start_time_unix_nano=start, end_time_unix_nano=end, status=Status(code=code)
    )
    for key, value in attributes.items():
        span.attributes.add(key=key.replace("__", ".")).value.string_value = value
    return message


def only(message):
    (call,) = calls(message)
    return call


def test_a_client_span_is_a_call():
    call = only(decode(request(peer__service="payment").SerializeToString()))
    assert (call.caller, call.callee, call.trace_id) == ("checkout", "payment", TRACE.hex())
    assert call.seconds == pytest.approx(0.25)
    assert not call.failed


@pytest.mark.parametrize(("kind", "counts"), KINDS.items())
def test_only_the_calling_side_counts(kind, counts):
    assert bool(list(calls(request(kind=kind, peer__service="payment")))) == counts


def test_every_kind_that_the_protocol_knows_is_decided():
    assert set(Span.SpanKind.values()) == set(KINDS)


@pytest.mark.parametrize(
    ("attributes", "callee"),
    [
        ({"peer__service": "payment", "server__address": "10.0.0.1"}, "payment"),
        ({"server__address": "payment.shop.svc.cluster.local"}, "payment"),
        ({"peer__service": "", "server__address": "payment"}, "payment"),
        ({"peer__service": "payment.v2"}, "payment.v2"),
    ],
)
def test_the_peer_service_names_the_callee_before_the_address(attributes, callee):
    assert only(request(**attributes)).callee == callee


def test_spans_without_caller_or_callee_are_no_calls():
    assert list(calls(request())) == []
    assert list(calls(request(service=None, peer__service="payment"))) == []


@pytest.mark.parametrize(
    ("code", "failed"),
    [(Status.STATUS_CODE_UNSET, False), (Status.STATUS_CODE_OK, False), (Status.STATUS_CODE_ERROR, True)],
)
def test_the_status_says_whether_it_failed(code, failed):
    assert only(request(code=code, peer__service="payment")).failed is failed


def test_a_span_that_ends_before_it_starts_took_no_time():
    assert only(request(start=100, end=50, peer__service="payment")).seconds == 0


def test_hostile_names_are_cut():
    call = only(request(service="c" * 10_000, peer__service="p" * 10_000))
    assert (len(call.caller), len(call.callee)) == (MAX_NAME, MAX_NAME)


def understood(body, *, json=False):
    """Return the calls, or the reason of the refusal; any other exception is a failure."""
    try:
        return list(calls(decode(body, json=json)))
    except Refused as error:
        return error.reason


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else(body):
    assert understood(body) in ("BadOtlp", [])
    assert understood(body, json=True) in ("BadOtlp", [])


@given(st.data())
def test_a_damaged_request_is_refused_or_understood(data):
    body = bytearray(request(peer__service="payment", server__address="a.b", http__route="/pay").SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = understood(bytes(body[: data.draw(st.integers(0, len(body)))]))
    assert found == "BadOtlp" or all(call.seconds >= 0 and call.caller and call.callee for call in found)


KEYS = ["resourceSpans", "resource", "attributes", "scopeSpans", "spans", "traceId", "key", "kind"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "resource", "attributes", "scopeSpans", "spans", "traceId", "key", "kind"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_json_of_any_shape_is_refused_or_understood(value):
    assert understood(json.dumps(value).encode(), json=True) in ("BadOtlp", [])


@pytest.mark.parametrize("body", [b'{"a":' * 20_000, b"[" * 200_000, b'{"resourceSpans":' + b"9" * 10_000 + b"}"])
def test_json_that_is_made_to_hurt_is_refused(body):
    with pytest.raises(Refused):
        decode(body, json=True)


def as_json(trace: str) -> bytes:
    value = {"stringValue": "checkout"}
    span = {
        "traceId": trace,
        "spanId": "eee19b7ec3c1b174",
        "kind": 3,
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "attributes": [{"key": "peer.service", "value": {"stringValue": "payment"}}],
        "status": {"code": 2},
        "flags": 1,
        "unknownToThisVersion": True,
    }
    resource = {"attributes": [{"key": "service.name", "value": value}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).encode()


def test_the_json_form_writes_ids_in_hex():
    trace = "5b8efff798038103d269b633813fc60c"
    call = only(decode(as_json(trace), json=True))
    assert (call.trace_id, call.caller, call.callee) == (trace, "checkout", "payment")
    assert (call.seconds, call.failed) == (1.0, True)
    assert only(decode(as_json(trace.upper()), json=True)).trace_id == trace


def test_an_id_that_is_no_hex_does_not_cost_the_call():
    assert only(decode(as_json("not+hex/"), json=True)).callee == "payment"


def test_a_trace_id_of_megabytes_is_cut():
    message = request(peer__service="payment")
    message.resource_spans[0].scope_spans[0].spans[0].trace_id = b"t" * 1_000_000
    assert len(only(message).trace_id) == 32


def test_names_cannot_break_lines_or_steer_a_terminal():
    assert (
        only(request(service="a\nResolved: \x1b[31mHealed\u202e", peer__service="p")).caller
        == "a?Resolved: ?[31mHealed?"
    )
    assert only(request(service="Zahlung-ü", peer__service="p")).caller == "Zahlung-ü"
