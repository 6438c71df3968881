"""Real ports, hostile senders: a clear answer, the event loop goes on, memory stays where it was."""

import asyncio
import gzip
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from tests.fuzz.damage import damaged
from tests.fuzz.test_parsers import SEEDS
from tests.unit.telemetry.requests import INTERNAL, request, span

from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.ingest import Ingest
from hemostat.telemetry.receiver import Receiver
from hemostat.telemetry.rpc import EXPORT, MAX_CALLS
from hemostat.telemetry.window import TraceWindows

LIMIT = 1 << 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Running:
    """The two servers on a loop of their own, whose lag is watched."""

    def __init__(self):
        self.http, self.grpc, self.lag = free_port(), free_port(), 0.0
        self.windows, self.lock = TraceWindows(), threading.Lock()
        self._receiver = Receiver(self.windows, self.lock, Backlog(lambda *_: None), LIMIT, max_waiting_bytes=8 * LIMIT)
        self._loop = asyncio.new_event_loop()
        self._up, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self):
        self._ingest = ingest = Ingest(self._receiver, self.http, self.grpc, "127.0.0.1")
        await ingest.start()
        self._up.set()
        while not self._stop.is_set():
            before = time.thread_time()
            await asyncio.sleep(0.005)
            self.lag = max(self.lag, time.thread_time() - before)  # CPU time: others use this machine too
        await ingest.stop()

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(300)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._loop.close()

    def busy(self):
        """Return how many gRPC messages are waited for."""
        return len(self._ingest._servers[0]._since)

    def raw(self, data, wait=5.0):
        """Send bytes and return the status line, or nothing when the connection was closed."""
        with socket.create_connection(("127.0.0.1", self.http), 5) as s:
            s.settimeout(wait)
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                return s.recv(4096).split(b"\r\n")[0].decode("latin1")
            except (ConnectionError, TimeoutError):
                return ""

    def post(self, body, **headers):
        lines = {"Content-Type": "application/x-protobuf", "Content-Length": str(len(body))}
        lines |= {k.replace("_", "-"): v for k, v in headers.items()}
        head = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
        return int(self.raw(f"POST /v1/traces HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body).split()[1])

    def call(self, body, **options):
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc}") as channel:
            try:
                channel.unary_unary(EXPORT)(body, timeout=20, **options)
            except grpc.RpcError as error:
                return error.code()
        return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def running():
    with Running() as found:
        yield found


def rss_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def test_garbage_on_the_http_port_gets_an_answer_or_the_door(running):
    start = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    seeds = [
        start + b"Content-Length: 5\r\n\r\nabcde",
        start + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ]
    for data in damaged(random.Random(5), seeds, 60):
        line = running.raw(data)
        assert not line or line.startswith("HTTP/1."), data
        assert " 500" not in line, data
    assert running.post(SEEDS[0]) == 200


def test_damaged_requests_get_a_clear_answer(running):
    for body in damaged(random.Random(6), SEEDS, 30):
        assert running.post(body) in (200, 400)
        assert running.post(gzip.compress(body), Content_Encoding="gzip") in (200, 400)
        assert running.post(body, Content_Type="application/json") == 400
        assert running.call(body) in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT)


def test_bombs_and_giants_are_refused_and_move_neither_memory_nor_the_loop(running):
    running.call(SEEDS[0])
    bomb = gzip.compress(b"\0" * (200 * LIMIT))
    before, running.lag = rss_mb(), 0.0
    for _ in range(3):
        assert running.post(bomb, Content_Encoding="gzip") == 413
        assert running.post(b"", Content_Length=str(1 << 40)) == 413
        assert running.call(b"\0" * (2 * LIMIT)) == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (
            running.call(b"\0" * (50 * LIMIT), compression=grpc.Compression.Gzip) == grpc.StatusCode.RESOURCE_EXHAUSTED
        )
    assert rss_mb() - before < 120  # the senders are in this process too
    assert running.lag < 1


def test_millions_of_names_are_bounded_and_told(running):
    before, running.lag = rss_mb(), 0.0
    for i in range(150):
        spans = [span(INTERNAL, name=f"GET /{i}/{k}", own=b"", trace=b"") for k in range(1000)]
        assert running.post(request(f"flood-{i % 50}", *spans)) == 200
    with running.lock:
        dropped = running.windows.dropped()
    assert dropped["operations"] > 50_000
    assert rss_mb() - before < 120
    assert running.lag < 1


def test_too_much_at_once_is_told_to_come_again(running):
    """Bodies that trickle in hold their room, one sender half of it; who has none then gets 503 until they are gone."""
    kind = "Content-Type: application/x-protobuf"
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {LIMIT}\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", running.http), 5, (f"127.0.0.{n}", 0)) for n in range(2, 10)]
    for s in slow[1:]:
        s.sendall(head.encode())
    assert running.post(SEEDS[0]) == 200
    slow[0].sendall(head.encode())
    deadline = time.monotonic() + 5
    while running.post(SEEDS[0]) != 503:
        assert time.monotonic() < deadline
    assert running.call(SEEDS[0]) == grpc.StatusCode.RESOURCE_EXHAUSTED
    for s in slow:
        s.close()
    while running.post(SEEDS[0]) != 200:
        assert time.monotonic() < deadline + 10


def test_silent_calls_hold_up_nobody(running):
    """Four held the only threads of the port."""
    over = threading.Event()

    def never():
        over.wait(60)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{running.grpc}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        calls = [channel.stream_unary(EXPORT).future(never()) for _ in range(4)]
        deadline = time.monotonic() + 10
        while running.busy() < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert running.call(SEEDS[0]) == grpc.StatusCode.OK
        over.set()
        for call in calls:
            call.cancel()


def test_calls_beyond_the_threads_are_refused_at_once_and_told_when_to_come_again(running):
    over, threads = threading.Event(), running._ingest._servers[0]._threads
    for _ in range(MAX_CALLS):
        threads.submit(over.wait, 20)
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc}") as channel:
        calls = [channel.unary_unary(EXPORT).future(SEEDS[0], timeout=10) for _ in range(100)]
        refused = [call.exception() for call in calls]
    over.set()
    assert {error.code() for error in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert all(b"RetryInfo" in dict(error.trailing_metadata())["grpc-status-details-bin"] for error in refused)
    deadline = time.monotonic() + 10
    while threads.full:
        assert time.monotonic() < deadline
    assert running.call(SEEDS[0]) == grpc.StatusCode.OK


def test_many_threads_count_every_span_once():
    with Running() as running, ThreadPoolExecutor(8) as pool:
        bodies = [request("checkout", *[span(own=b"", peer__service="payment")] * 20)] * 200
        assert set(pool.map(running.post, bodies)) == {200}
        assert set(pool.map(running.call, bodies)) == {grpc.StatusCode.OK}
        with running.lock:
            (edge,) = running.windows.read(time.monotonic()).into("payment", 600)
        assert edge.calls == 2 * 200 * 20
