"""What the receivers accept: bounded bodies, content types, gzip, and no more than there is room for."""

import asyncio
import gzip
import json
import re
import threading
import zlib

import grpc
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused, Retry
from hemostat.telemetry.http import JSON, PROTOBUF, Connection
from hemostat.telemetry.receiver import MAX_MEMBERS, Receiver, inflate
from hemostat.telemetry.rpc import EXPORT, MAX_WAITING, GrpcServer
from hemostat.telemetry.window import TraceWindows

LIMIT = 4096


def reason(body: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(Refused) as caught:
        inflate(body, limit)
    return caught.value.reason


@given(st.binary(max_size=2 * LIMIT))
def test_up_to_the_limit_all_is_inflated_and_beyond_it_nothing(body):
    packed = gzip.compress(body)
    if len(body) <= LIMIT:
        assert inflate(packed, LIMIT) == body
    else:
        assert reason(packed) == "TooLarge"


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_the_limit_itself_is_allowed(size, level):
    assert len(inflate(gzip.compress(b"a" * size, level), LIMIT)) == size
    assert reason(gzip.compress(b"a" * (LIMIT + 1), level)) == "TooLarge"


def test_a_bomb_is_refused_without_being_inflated():
    packed = gzip.compress(b"\0" * 5_000_000)
    assert len(packed) < 10_000
    assert reason(packed) == "TooLarge"


@given(st.integers(1, 60))
def test_a_truncated_stream_is_refused(cut):
    assert reason(gzip.compress(bytes(range(64)))[:-cut]) == "BadGzip"


@given(st.binary(max_size=64))
def test_garbage_is_refused(body):
    assert reason(b"no gzip" + body) == "BadGzip"


def test_a_damaged_checksum_is_refused():
    packed = bytearray(gzip.compress(b"payload"))
    packed[-5] ^= 1
    assert reason(bytes(packed)) == "BadGzip"


def test_members_after_each_other_are_one_body():
    assert inflate(gzip.compress(b"a" * 10) + gzip.compress(b"") + gzip.compress(b"b"), 11) == b"a" * 10 + b"b"


def test_members_are_bounded_together():
    member = gzip.compress(b"a" * (LIMIT // 2))
    assert len(inflate(member * 2, LIMIT)) == LIMIT
    assert reason(member * 2 + gzip.compress(b"b")) == "TooLarge"
    assert len(inflate(gzip.compress(b"a") * MAX_MEMBERS, LIMIT)) == MAX_MEMBERS
    assert reason(gzip.compress(b"") * (MAX_MEMBERS + 1)) == "BadGzip"


@pytest.mark.parametrize("rest", [b"x", b"\0", gzip.compress(b"b")[:-1], zlib.compress(b"b")])
def test_what_follows_the_stream_is_not_lost_in_silence(rest):
    assert reason(gzip.compress(b"a") + rest) == "BadGzip"


def test_another_compression_is_not_taken_for_gzip():
    assert reason(zlib.compress(b"payload")) == "BadGzip"


def receiver(waiting: int = 1 << 20) -> Receiver:
    return Receiver(TraceWindows(), threading.Lock(), LIMIT, waiting)


class Pipe(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


def talk(*chunks: bytes, waiting: int = 1 << 20) -> Pipe:
    """Send chunks over a connection and return what came back."""

    async def ask() -> Pipe:
        pipe, connection = Pipe(), Connection(receiver(waiting), set())
        connection.connection_made(pipe)
        for chunk in chunks:
            connection.data_received(chunk)
        connection.connection_lost(None)
        return pipe

    return asyncio.run(ask())


def post(body: bytes, content: bytes = PROTOBUF, encoding: bytes = b"", path: bytes = b"/v1/traces") -> bytes:
    more = b"Content-Encoding: " + encoding + b"\r\n" if encoding else b""
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n"
    return head % (path, content, more, len(body)) + body


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (200, post(b"")),
        (200, post(b"{}", JSON)),
        (200, post(b"{}", JSON + b"; charset=utf-8")),
        (200, post(gzip.compress(b""), encoding=b"gzip")),
        (400, post(b"\xff\xff")),
        (400, post(b"{", JSON)),
        (400, post(b"{}", encoding=b"gzip")),
        (400, b"GET HTTP /// what\r\n\r\n"),
        (404, post(b"", path=b"/v1/logs")),
        (405, b"GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n"),
        (413, post(b"a" * (LIMIT + 1))),
        (413, post(gzip.compress(b"a" * (LIMIT + 1)), encoding=b"gzip")),
        (415, post(b"", b"text/plain")),
        (415, post(b"", encoding=b"br")),
    ],
)
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_the_answer_says_what_is_wrong_in_the_requests_own_encoding(code, sent, size):
    pipe = talk(*(sent[i : i + size] for i in range(0, len(sent), size)))
    head, _, body = pipe.written.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == code, head
    if code != 200:
        kind = JSON if b"application/json" in sent else PROTOBUF
        assert b"Content-Type: " + kind in head
        assert (json.loads(body)["message"] if kind == JSON else Status.FromString(body).message) != ""


def test_who_comes_when_there_is_no_room_is_told_when_to_come_again():
    pipe = talk(post(b"\n\x00" * 50), waiting=99)
    assert pipe.written.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in pipe.written


def test_requests_on_one_connection_are_answered_in_order():
    chunked = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    pipe = talk(post(b"") + post(b"\xff") + chunked + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+) ", pipe.written) == [b"200", b"400", b"200"]
    assert not pipe.closed


def test_a_body_without_length_is_bounded_too():
    head = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n"
    pipe = talk(head, *[b"400\r\n" + b"a" * 1024 + b"\r\n"] * 5)
    assert pipe.written.startswith(b"HTTP/1.1 413 ")


def test_a_head_without_end_is_bounded():
    pipe = talk(b"POST /v1/traces HTTP/1.1\r\nX: ", *[b"a" * 4096] * 10)
    assert pipe.written.startswith(b"HTTP/1.1 431 ")


def test_who_waits_for_leave_to_send_the_body_gets_it():
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nExpect: 100-continue\r\n"
    pipe = talk(head + b"Content-Length: 1\r\n\r\n", b"\xff")
    assert pipe.written.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")


def test_room_that_was_taken_is_given_back():
    found = receiver(100)
    found.admit(60)
    with pytest.raises(Retry):
        found.admit(41)
    found.leave(60)
    found.admit(100)


class Aborted(Exception):
    pass


class Context:
    """A call as gRPC hands it to its servicer."""

    def __init__(self):
        self.trailing = ()

    def set_trailing_metadata(self, metadata):
        self.trailing = metadata

    def abort(self, code, words):
        raise Aborted(code, words)


def export(body, waiting=1 << 20):
    server, context = GrpcServer(receiver(waiting), 0), Context()
    try:
        return server._take(body, context)
    except Aborted as aborted:
        return aborted.args[0], dict(context.trailing)


def test_grpc_answers_as_the_specification_wants():
    assert export(b"") == b""
    assert export(b"\xff\xff") == (grpc.StatusCode.INVALID_ARGUMENT, {})
    code, trailing = export(b"\n\x00", waiting=1)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert Status.FromString(trailing["grpc-status-details-bin"]).details[0].type_url.endswith("RetryInfo")


class Details:
    method = EXPORT


def test_grpc_refuses_before_it_reads_when_too_many_wait():
    server = GrpcServer(receiver(), 0)
    assert server.service(Details()) is server._export
    server._pool.waiting = MAX_WAITING
    assert server.service(Details()) is server._refusal
    context = Context()
    with pytest.raises(Aborted):
        server._busy(iter([]), context)
    assert dict(context.trailing)


def test_grpc_knows_no_other_method():
    other = Details()
    other.method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    assert GrpcServer(receiver(), 0).service(other) is None
