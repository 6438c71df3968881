"""JSON requests mean what their binary form does; answers say what the specification wants."""

import json

import numpy as np
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused
from hemostat.telemetry.kernel.elements import elements
from hemostat.telemetry.kernel.fold import Folded
from hemostat.telemetry.otlp import MAX_ELEMENTS, UNAVAILABLE, accepted, as_json, from_json, status
from hemostat.telemetry.window import TraceWindows

TRACE = "5b8efff798038103d269b633813fc60c"


def understood(body):
    try:
        return TraceWindows().take(from_json(body), 1.0).spans
    except Refused as error:
        return error.reason


def as_body(trace=TRACE, own="eee19b7ec3c1b174"):
    span = {
        "traceId": trace,
        "spanId": own,
        "kind": 3,
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "attributes": [{"key": "peer.service", "value": {"stringValue": "payment"}}],
        "status": {"code": 2},
        "unknownToThisVersion": True,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).encode()


@pytest.mark.parametrize("trace", [TRACE, TRACE.upper()])
def test_the_json_form_writes_ids_in_hex(trace):
    windows = TraceWindows()
    windows.take(from_json(as_body(trace)), 1.0)
    (edge,) = windows.read(1.0).into("payment", 5)
    assert (edge.caller, edge.failures, edge.total_seconds, edge.failed_traces) == ("checkout", 1, 1.0, (TRACE,))


def test_an_id_that_is_no_hex_does_not_cost_the_call():
    assert understood(as_body("not+hex/", "zz")) == 1


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(["resourceSpans", "resource", "attributes", "scopeSpans", "spans", "traceId", "key", "kind"])
SHAPES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@given(SHAPES)
def test_json_of_any_shape_is_refused_or_understood(value):
    assert understood(json.dumps(value).encode()) in ("BadOtlp", *range(10))


@given(st.binary(max_size=200).filter(lambda body: body.strip() != b"{}"))
def test_garbage_is_refused(body):
    assert understood(body) == "BadOtlp"


@pytest.mark.parametrize("body", [b'{"a":' * 20_000, b"[" * 200_000, b'{"resourceSpans":' + b"9" * 10_000 + b"}"])
def test_json_that_is_made_to_hurt_is_refused(body):
    with pytest.raises(Refused):
        from_json(body)


def test_json_of_too_many_things_is_refused_before_anything_is_made_of_it():
    """8 MB of empty spans, 8 KB when packed, took half a minute and 900 MB."""
    for thing in (b"{},", b"[],", b"0,"):
        body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + thing * MAX_ELEMENTS + b"{}]}]}]}"
        with pytest.raises(Refused) as caught:
            from_json(body)
        assert caught.value.reason == "TooLarge"


def plain_elements(value):
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(len(inner) - 1, 0) + sum(map(plain_elements, inner))


@given(
    st.recursive(
        st.integers() | st.text(alphabet='\\"{[,a', max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='\\",{', max_size=3), inner),
    )
)
def test_what_is_inside_of_strings_does_not_count(value):
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    assert elements(text, MAX_ELEMENTS) == plain_elements(value)
    assert elements(text, 2) == min(plain_elements(value), 3)


def test_the_answer_says_how_many_spans_were_not_counted():
    assert accepted(Folded(5, 0, 0)).SerializeToString() == b""
    assert json.loads(as_json(accepted(Folded(5, 2, 0))))["partialSuccess"]["rejectedSpans"] == "2"


def test_an_error_says_when_to_come_again():
    retry = RetryInfo()
    assert status(UNAVAILABLE, "full", 3).details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 3
    assert not status(UNAVAILABLE, "full").details
