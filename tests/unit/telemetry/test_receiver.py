"""What the receiver accepts: bounded bodies, the two content types, gzip."""

import asyncio
import gzip
import threading
import zlib

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused
from hemostat.telemetry.receiver import JSON, PROTOBUF, Receiver, inflate
from hemostat.telemetry.window import EdgeWindows

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
    packed = gzip.compress(bytes(range(64)))
    assert reason(packed[:-cut]) == "BadGzip"


@given(st.binary(max_size=64))
def test_garbage_is_refused(body):
    assert reason(b"no gzip" + body) == "BadGzip"


def test_a_damaged_checksum_is_refused():
    packed = bytearray(gzip.compress(b"payload"))
    packed[-5] ^= 1
    assert reason(bytes(packed)) == "BadGzip"


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


def answer(body: bytes, content: str = PROTOBUF, encoding: str = "") -> web.Response:
    receiver = Receiver(EdgeWindows(), threading.Lock(), LIMIT)
    headers = {"Content-Type": content} | ({"Content-Encoding": encoding} if encoding else {})
    request = make_mocked_request("POST", "/v1/traces", headers, payload=Body(body), client_max_size=LIMIT)
    return asyncio.run(receiver.traces(request))


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
    ],
)
def test_the_answer_says_what_is_wrong(status, arguments):
    response = answer(*arguments)
    assert response.status == status
    if status == 200:
        assert response.content_type == (arguments[1] if len(arguments) > 1 else PROTOBUF)
    else:
        assert response.text
