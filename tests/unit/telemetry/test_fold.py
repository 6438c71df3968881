"""The compiled scanner counts exactly what the plain decoder does, whatever protobuf allows a request to look like."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.telemetry.requests import (
    CLIENT,
    CONSUMER,
    PRODUCER,
    SERVER,
    TRACE,
    counted,
    message,
    request,
    span,
    told,
)

from hemostat.errors import Refused
from hemostat.telemetry.kernel import tables, wire
from hemostat.telemetry.kernel.scan import PEER_KEYS
from hemostat.telemetry.oracle import Oracle
from hemostat.telemetry.window import TraceWindows

NAMES = st.sampled_from(["a", "checkout", "Zahlung-ü", "payment.shop.svc.cluster.local", "n" * 252 + "üü", "x\ny", ""])
IDS = st.sampled_from([b"", bytes(8), b"1" * 8, b"2" * 8, b"3" * 8, b"4" * 7, b"5" * 9])
ERRORS = ["", "timeout", "ToolNotFoundError", "unknown_tool", "JSONDecodeError", "ValidationError", "FileNotFoundError"]
KEYS = [
    *(key.decode() for key in PEER_KEYS),
    "http.route",
    "server.port",
    "gen_ai.operation.name",
    "gen_ai.agent.name",
    "gen_ai.tool.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.response.finish_reasons",
    "error.type",
    "service.name",
    "gen_ai",
    "",
]
OPERATIONS = ["invoke_agent", "execute_tool", "chat", "generate_content", "text_completion", "embeddings", "plan"]
VALUES = st.one_of(
    NAMES,
    st.sampled_from(ERRORS + OPERATIONS),
    st.integers(-5, 1 << 40),
    st.lists(st.sampled_from(["stop", "length", "MAX_TOKENS", "tool_calls"]), max_size=3),
)
SPANS = st.builds(
    lambda kind, name, attributes, **rest: span(kind, name, **rest, **attributes),
    st.integers(0, 7),
    NAMES,
    st.dictionaries(st.sampled_from(KEYS).map(lambda k: k.replace(".", "__")), VALUES, max_size=6),
    seconds=st.sampled_from([0, 1e-9, 1e-5, 0.1, 3600, 1e7]) | st.floats(0, 100),
    failed=st.booleans(),
    trace=st.sampled_from([TRACE, b"t" * 16, b"", b"t" * 15]),
    own=IDS,
    parent=IDS,
    links=st.lists(IDS, max_size=3),
    start=st.sampled_from([0, 1, 10**18, (1 << 63) + 5]),
)
REQUESTS = st.lists(st.tuples(st.none() | NAMES, st.lists(SPANS, max_size=6)), min_size=1, max_size=6)


def repeated(*order):
    """Return a request in which a span id comes several times, as callers and as callees, in an order."""
    spans = {"caller": span(CLIENT, own=b"2" * 8), "callee": span(SERVER, parent=b"2" * 8)}
    spans |= {"named": span(CLIENT, own=b"2" * 8, peer__service="b"), "link": span(CONSUMER, links=[b"2" * 8] * 2)}
    return [("a", [spans[end]]) for end in order]


@given(REQUESTS)
@example(repeated("callee", "caller", "caller"))
@example(repeated("caller", "caller", "callee"))
@example(
    [("a", [span(SERVER, parent=b"2" * 8), span(own=b"2" * 8)]), ("b", [span(SERVER, parent=b"2" * 8, failed=True)])]
)
@example(repeated("link", "callee", "named", "caller", "link", "callee"))
def test_what_is_counted_is_what_the_oracle_counts(requests):
    windows, oracle = TraceWindows(), Oracle()
    for service, spans in requests:
        body = request(service, *spans)
        assert windows.take(body, 5.0).spans == oracle.take(body)
    assert counted(windows, 5.0) == told(oracle)


def field(number, kind, payload):
    tag = number << 3 | kind
    return varint(tag) + (varint(len(payload)) + payload if kind == 2 else payload)


def varint(value, pad=0):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value | (0x80 if pad else 0))
    return bytes(out) + b"\x80" * (pad - 1) + (b"\0" if pad else b"")


def fields(body, depth=0):
    """Split a message into its fields."""
    at, found = 0, []
    while at < len(body):
        begin = at
        tag, at = read(body, at)
        if tag & 7 == 0:
            _, at = read(body, at)
        elif tag & 7 == 1:
            at += 8
        elif tag & 7 == 5:
            at += 4
        else:
            n, at = read(body, at)
            at += n
        found.append(body[begin:at])
    return found


def read(body, at):
    value = shift = 0
    while True:
        value |= (body[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if body[at - 1] < 0x80:
            return value, at


PATHS = [(1,), (1, 1), (1, 2), (1, 2, 2), (1, 2, 2, 9), (1, 2, 2, 9, 2), (1, 1, 1), (1, 2, 2, 15), (1, 2, 2, 13)]
UNKNOWN = [
    field(99, 2, b"future"),
    field(98, 0, varint(7)),
    field(97, 5, b"1234"),
    field(96, 1, b"12345678"),
    field(5000, 2, b""),
]


def changed(body, path, change):
    """Return a message with every field along a path changed by a function of its list of fields."""
    parts = fields(body)
    if not path:
        return b"".join(change(parts))
    out = []
    for part in parts:
        tag, at = read(part, 0)
        if tag >> 3 == path[0] and tag & 7 == 2:
            _, at = read(part, at)
            part = field(path[0], 2, changed(part[at:], path[1:], change))
        out.append(part)
    return b"".join(out)


@given(st.lists(SPANS, min_size=1, max_size=4), st.sampled_from(PATHS), st.data())
def test_unusual_but_valid_encodings_mean_the_same(spans, path, data):
    """Fields in another order, unknown ones, several of one kind, lengths and tags written longer than needed."""
    body = request("checkout", *spans)

    def change(parts):
        parts = data.draw(st.permutations([*parts, *data.draw(st.lists(st.sampled_from(UNKNOWN + parts), max_size=3))]))
        return [longer(p) if data.draw(st.booleans()) else p for p in parts]

    odd = changed(body, path, change)
    windows, oracle = TraceWindows(), Oracle()
    oracle.take(odd)
    windows.take(odd, 5.0)
    assert counted(windows, 5.0) == told(oracle)


def longer(part):
    tag, at = read(part, 0)
    return varint(tag, pad=2) + part[at:] if tag < 0x4000 else part


@given(st.lists(SPANS, min_size=1, max_size=3), st.data())
def test_a_damaged_request_is_refused_or_counted_as_the_oracle_counts_it(spans, data):
    """What the scanner passes over it need not check; but what protobuf takes, it counts exactly."""
    body = bytearray(request("checkout", *spans))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = bytes(body[: data.draw(st.integers(0, len(body)) | st.just(len(body)))])
    windows, oracle = TraceWindows(), Oracle()
    ours = theirs = True
    try:
        windows.take(body, 5.0)
    except Refused:
        ours = False
    try:
        oracle.take(body)
    except Refused:
        theirs = False
    if not ours:
        assert counted(windows, 5.0) == told(Oracle())
        assert not theirs or has_group(body)
    elif theirs:
        assert counted(windows, 5.0) == told(oracle)


def has_group(body):
    """Groups are the one thing of protobuf that is refused; look for a tag that might begin or end one."""
    return any(byte & 7 in (3, 4) for byte in body)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else(body):
    windows = TraceWindows()
    try:
        windows.take(body, 1.0)
    except Refused:
        assert not counted(windows, 1.0)["operations"]


@pytest.mark.parametrize("where", ["service", "name", "peer"])
def test_a_name_that_is_not_utf8_is_refused_and_nothing_counted(where):
    names = {"service": "payment", "name": "payment", "peer": "payment"} | {where: "hostile"}
    body = request(names["service"], span(name=names["name"], peer__service=names["peer"]))
    windows = TraceWindows()
    for bad in (b"host\xffle", b"\xc0\x80stile", b"\xed\xa0\x80tile", b"hostil\xc3", b"\xf4\x90\x80\x80ile"):
        with pytest.raises(Refused, match="UTF-8"):
            windows.take(body.replace(b"hostile", bad), 1.0)
    assert not counted(windows, 1.0)["operations"]


def test_the_buckets_upper_bounds_hold():
    assert np.all(np.diff(tables.UPPER) > 0)
    assert tables.UPPER[0] == tables.SMALLEST
    assert wire.MAX_NAME <= tables.NAME_BYTES


def test_too_many_spans_in_a_request_are_rejected_and_said():
    body = request("checkout", *[span(own=b"")] * 33_000)
    folded = TraceWindows().take(body, 1.0)
    assert (folded.spans, folded.rejected) == (33_000, 33_000 - 32_768)


def test_spans_without_service_are_rejected_and_said():
    windows = TraceWindows()
    assert windows.take(request(None, span(), span(PRODUCER)), 1.0).rejected == 2
    assert windows.take(request("", span(CONSUMER)), 1.0).rejected == 1
    assert windows.dropped()["no_service"] == 3


def test_a_resource_after_its_spans_is_found():
    found = message("checkout", span(CLIENT, peer__service="payment")).resource_spans[0]
    inner = found.SerializeToString()
    resource, scope = fields(inner)
    windows = TraceWindows()
    windows.take(field(1, 2, scope + resource), 1.0)
    assert [(e.caller, e.callee) for e in windows.read(1.0).graph(10).edges] == [("checkout", "payment")]
