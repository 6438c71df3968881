"""What OTLP/HTTP accepts and answers, and how little a sender can hold, for how short a time."""

import asyncio
import gzip
import json
import re
import threading
from concurrent.futures import Executor, Future

import pytest
from google.rpc.status_pb2 import Status

from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.connection import JSON, MAX_BESIDE, MAX_JSON, PROTOBUF, Connection, Shared
from hemostat.telemetry.receiver import IDLE_SECONDS, MAX_CONNECTIONS, READ_SECONDS, Receiver
from hemostat.telemetry.window import TraceWindows

LIMIT = 4096
CHUNKED = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"


class Later(Executor):
    """A thread that does what it is given when it is told to."""

    def __init__(self):
        self.todo = []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.todo.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def work(self):
        while self.todo:
            self.todo.pop(0)()


class Pipe(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, who="10.0.0.1"):
        super().__init__({"peername": (who, 1)})
        self.written = b""
        self.closed = self.aborted = self.paused = False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = self.aborted = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    @property
    def codes(self):
        return [int(code) for code in re.findall(rb"HTTP/1.1 (\d+) ", self.written)]


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time passes when it is told to."""

    now = 0.0

    def time(self):
        return self.now


class Port:
    """Connections to one port."""

    def __init__(self, waiting=1 << 20, limit=LIMIT):
        self.shared = Shared(
            Receiver(TraceWindows(), threading.Lock(), Backlog(lambda *_: None), limit, waiting), json=Later()
        )

    def connect(self, *chunks, who="10.0.0.1"):
        pipe, connection = Pipe(who), Connection(self.shared)
        connection.connection_made(pipe)
        for chunk in chunks:
            connection.data_received(chunk)
        return pipe, connection


async def after(seconds):
    asyncio.get_running_loop().now += seconds
    for _ in range(4):  # timers, futures of threads, their callbacks
        await asyncio.sleep(0)


def run(conversation):
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(conversation)


def talk(*chunks, waiting=1 << 20):
    """Send chunks over a connection and return what came back."""

    async def ask():
        port = Port(waiting)
        pipe, connection = port.connect(*chunks)
        port.shared.json.work()
        await after(0)
        connection.connection_lost(None)
        return pipe

    return run(ask())


def post(body, content=PROTOBUF, encoding=b"", path=b"/v1/traces"):
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
        (200, post(b"", path=b"/v1/logs")),
        (200, post(b"{}", JSON, path=b"/v1/logs")),
        (400, post(b"\xff\xff", path=b"/v1/logs")),
        (404, post(b"", path=b"/v1/metrics")),
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
    assert pipe.codes == [503]
    assert b"Retry-After: 1\r\n" in pipe.written


def test_requests_on_one_connection_are_answered_in_order():
    pipe = talk(post(b"") + post(b"\xff") + CHUNKED % JSON + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    assert pipe.codes == [200, 400, 200]
    assert not pipe.closed


def test_a_body_without_length_is_bounded_too():
    assert talk(CHUNKED % PROTOBUF, *[b"400\r\n" + b"a" * 1024 + b"\r\n"] * 5).codes == [413]


def test_a_body_in_many_parts_arrives_as_it_was_sent():
    body = b"\x0a\x00" * 500
    chunks = b"".join(b"14\r\n" + body[i : i + 20] + b"\r\n" for i in range(0, len(body), 20)) + b"0\r\n\r\n"
    assert talk(CHUNKED % PROTOBUF, *[chunks[i : i + 11] for i in range(0, len(chunks), 11)]).codes == [200]


@pytest.mark.parametrize("endless", [b"X: " + b"a" * 4093, b"x: y\r\n" * 700])
def test_a_head_without_end_is_bounded(endless):
    assert talk(b"POST /v1/traces HTTP/1.1\r\n", *[endless] * 10).codes == [431]


@pytest.mark.parametrize(
    "endless", [b"0\r\n" + b"k: v\r\n" * 700, b"0\r\nX: " + b"a" * 4093, b"2;" + b"a" * 4093, b"1\r\na\r\n" * 700]
)
def test_what_is_beside_the_body_is_bounded(endless):
    """Trailers without end filled memory: 1.1 GB in 10 s. Names of chunks and chunks of a byte cost time."""

    async def ask():
        port = Port()
        pipe, connection = port.connect(CHUNKED % PROTOBUF, endless)
        for _ in range(20):
            connection.data_received(endless.removeprefix(b"0\r\n").removeprefix(b"X: ").removeprefix(b"2;"))
            if pipe.codes:
                break
        assert len(connection._headers) < 4
        return pipe

    assert run(ask()).codes in ([431], [413])


def test_a_body_in_parts_of_two_bytes_takes_no_more_memory_than_its_bytes():
    """An object for each part took 1.9 GB for seven bodies."""

    async def ask():
        _, connection = Port(1 << 24, 1 << 22).connect(CHUNKED % PROTOBUF, *[b"8\r\n12345678\r\n" * 100] * 100)
        assert len(connection._body) == 80_000
        assert isinstance(connection._body, bytearray)

    run(ask())


def test_who_waits_for_leave_to_send_the_body_gets_it():
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nExpect: 100-continue\r\n"
    assert talk(head + b"Content-Length: 1\r\n\r\n", b"\xff").codes == [100, 400]


def test_the_head_of_a_second_request_has_the_time_of_a_request():
    """It had that of a silent connection, and held its room for two minutes."""

    async def ask():
        port = Port()
        pipe, _ = port.connect(post(b"") + post(b"a" * LIMIT)[:-1])
        await after(READ_SECONDS + 0.1)
        assert pipe.codes == [200, 408]
        assert port.shared.receiver._room.take("another", 1 << 20), "its room is free again"

    run(ask())


def test_a_silent_connection_ends():
    async def ask():
        pipe, _ = Port().connect(post(b""))
        await after(IDLE_SECONDS - 0.1)
        assert not pipe.closed
        await after(0.2)
        assert pipe.closed
        await after(2)
        assert pipe.aborted, "who does not read its answer is not waited for"

    run(ask())


def test_who_is_refused_at_the_door_leaves_in_a_second_and_keeps_nobody_out():
    async def ask():
        port = Port()
        crowd = [port.connect(b"POST /v1/traces") for _ in range(MAX_CONNECTIONS)]
        refused = [c for c in crowd if c[0].codes == [503]]
        assert len(refused) == MAX_CONNECTIONS // 2, "one sender gets half"
        good, _ = port.connect(post(b""), who="10.0.0.2")
        assert good.codes == [200]
        await after(1.1)
        assert all(pipe.closed for pipe, _ in refused)
        for _, connection in crowd:
            connection.connection_lost(None)
        await after(READ_SECONDS)
        assert port.connect(post(b""))[0].codes == [200]

    run(ask())


def test_connections_that_are_being_refused_are_bounded_too():
    async def ask():
        port = Port()
        crowd = [port.connect()[0] for _ in range(2 * MAX_CONNECTIONS + 1)]
        assert [pipe.aborted for pipe in crowd].index(True) == 2 * MAX_CONNECTIONS

    run(ask())


def test_json_is_read_by_a_thread_and_the_connection_waits_for_it():
    async def ask():
        port = Port()
        pipe, connection = port.connect(post(b"{}", JSON))
        other, _ = port.connect(post(b""))
        assert (pipe.codes, pipe.paused, other.codes) == ([], True, [200])
        connection.resume_writing()
        assert pipe.paused
        port.shared.json.work()
        await after(0)
        assert (pipe.codes, pipe.paused, pipe.closed) == ([200], False, False)

    run(ask())


def test_what_is_sent_before_the_answer_to_json_is_not_looked_at_and_the_answer_says_so():
    async def ask():
        port = Port()
        pipe, _ = port.connect(post(b"{}", JSON) + post(b""))
        port.shared.json.work()
        await after(0)
        assert (pipe.codes, pipe.closed) == ([200], True)
        assert b"Connection: close" in pipe.written

    run(ask())


def test_json_that_waits_is_bounded_and_keeps_its_room_until_it_is_counted():
    async def ask():
        port = Port(waiting=MAX_JSON * 4)
        crowd = [port.connect(post(b"{}", JSON)) for _ in range(MAX_JSON)]
        assert [pipe.codes for pipe, _ in crowd] == [[]] * (MAX_JSON // 2) + [[503]] * (MAX_JSON // 2)
        for _, connection in crowd:
            connection.connection_lost(None)
        assert not port.shared.receiver._room.take("another", MAX_JSON * 4)
        port.shared.json.work()
        for pipe, _ in crowd:
            pipe.close()
        await after(0)
        assert port.shared.receiver._room.take("another", MAX_JSON * 4)
        port.shared.receiver._room.give("another", MAX_JSON * 4)
        assert port.connect(post(b"{}", JSON))[0].codes == []

    run(ask())


def test_a_port_that_closes_answers_what_has_arrived():
    async def ask():
        port = Port()
        silent, one = port.connect()
        asking, another = port.connect(post(b"{}", JSON))
        one.finish()
        another.finish()
        assert (silent.closed, asking.closed) == (True, False)
        port.shared.json.work()
        await after(0)
        assert (asking.codes, asking.closed) == ([200], True)

    run(ask())


def test_the_bound_beside_the_body_leaves_room_for_a_large_head():
    assert talk(post(b"").replace(b"Host: x", b"X: " + b"a" * (MAX_BESIDE - 200))).codes == [200]
