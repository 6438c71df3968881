"""What the receivers accept: bounded bodies, content types, gzip, and no more than there is room for."""

import asyncio
import gzip
import json
import threading
import zlib

import grpc
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused, Retry
from hemostat.telemetry.http import JSON, PROTOBUF, HttpServer
from hemostat.telemetry.receiver import Receiver, inflate
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
    packed = gzip.compress(b"\0" * 50_000_000)
    assert len(packed) < 100_000
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


def test_what_follows_the_stream_is_not_lost_in_silence():
    assert reason(gzip.compress(b"a") + gzip.compress(b"b")) == "BadGzip"


def test_another_compression_is_not_taken_for_gzip():
    assert reason(zlib.compress(b"payload")) == "BadGzip"


class Body:
    """The body of a request, as aiohttp reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def set_read_chunk_size(self, size: int) -> None:
        """Say how much may be buffered; all is here already."""

    async def readany(self) -> bytes:
        data, self._data = self._data, b""
        return data


def receiver(waiting: int = 1 << 20) -> Receiver:
    return Receiver(TraceWindows(), threading.Lock(), LIMIT, waiting)


def answer(body: bytes, content: str = PROTOBUF, encoding: str = "", waiting: int = 1 << 20) -> web.Response:
    async def ask() -> web.Response:
        server = HttpServer(receiver(waiting), 0)
        headers = {"Content-Type": content} | ({"Content-Encoding": encoding} if encoding else {})
        request = make_mocked_request("POST", "/v1/traces", headers, payload=Body(body), client_max_size=LIMIT)
        try:
            return await server.traces(request)
        finally:
            await server.stop()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (200, (b"",)),
        (200, (b"{}", JSON)),
        (200, (gzip.compress(b""), PROTOBUF, "gzip")),
        (400, (b"\xff\xff",)),
        (400, (b"{", JSON)),
        (400, (b"{}", PROTOBUF, "gzip")),
        (413, (b"a" * (LIMIT + 1),)),
        (413, (gzip.compress(b"a" * (LIMIT + 1)), PROTOBUF, "gzip")),
        (415, (b"", "text/plain")),
        (415, (b"", PROTOBUF, "br")),
        (503, (b"", PROTOBUF, "", LIMIT - 1)),
    ],
)
def test_the_answer_says_what_is_wrong_in_the_requests_own_encoding(status, arguments):
    response = answer(*arguments)
    assert response.status == status
    if status == 415:
        assert response.text
        return
    assert response.content_type == (arguments[1] if len(arguments) > 1 else PROTOBUF)
    assert ("Retry-After" in response.headers) == (status == 503)
    if status != 200:
        assert isinstance(response.body, bytes)
        words = (
            json.loads(response.body)["message"]
            if response.content_type == JSON
            else Status.FromString(response.body).message
        )
        assert words


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
