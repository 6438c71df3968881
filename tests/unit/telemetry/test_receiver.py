"""What is unpacked, and how much of it there may be at once."""

import gzip
import threading
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused, Retry
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.receiver import MAX_MEMBERS, Receiver, inflate
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
    return Receiver(TraceWindows(), threading.Lock(), Backlog(lambda *_: None), LIMIT, waiting)


def test_room_that_was_taken_is_given_back():
    found = receiver(100)
    found.admit("a", 60)
    with pytest.raises(Retry):
        found.admit("b", 41)
    found.leave("a", 60)
    found.admit("b", 100)
