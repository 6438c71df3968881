"""What OTLP/gRPC answers, and that neither silent nor many callers keep the others waiting."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest
from google.rpc.status_pb2 import Status

from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.otlp import Kind
from hemostat.telemetry.receiver import READ_SECONDS, Receiver
from hemostat.telemetry.rpc import EXPORT, EXPORT_LOGS, HURRY_SECONDS, MAX_CALLS, MAX_READING, GrpcServer
from hemostat.telemetry.window import TraceWindows


class Aborted(Exception):
    pass


class Context:
    """A call as gRPC hands it to its servicer."""

    def __init__(self, who="10.0.0.1"):
        self.who, self.trailing, self.cancelled = who, (), False

    def peer(self):
        return f"ipv4:{self.who}:4711"

    def set_trailing_metadata(self, metadata):
        self.trailing = metadata

    def abort(self, code, words):
        raise Aborted(code, words)

    def cancel(self):
        self.cancelled = True


@dataclass
class Called:
    method: str = EXPORT


def serving(waiting=1 << 20):
    return GrpcServer(Receiver(TraceWindows(), threading.Lock(), Backlog(lambda *_: None), 4096, waiting), 0)


def export(*messages, waiting=1 << 20, server=None, kind=Kind.TRACES):
    context = Context()
    try:
        return (server or serving(waiting))._take(kind, iter(messages), context)
    except Aborted as aborted:
        return aborted.args[0], dict(context.trailing)


def says_when_to_come_again(answer):
    code, trailing = answer
    details = Status.FromString(trailing["grpc-status-details-bin"]).details
    return code == grpc.StatusCode.RESOURCE_EXHAUSTED and details[0].type_url.endswith("RetryInfo")


@pytest.mark.parametrize("kind", Kind)
def test_grpc_answers_as_the_specification_wants(kind):
    assert export(b"", kind=kind) == b""
    assert export(b"\xff\xff", kind=kind) == (grpc.StatusCode.INVALID_ARGUMENT, {})
    assert export(kind=kind) == (grpc.StatusCode.INVALID_ARGUMENT, {})
    assert says_when_to_come_again(export(b"\n\x00", waiting=1, kind=kind))


def test_there_are_two_services_and_no_more():
    server = serving()
    assert server.service(Called(EXPORT)) is not server.service(Called(EXPORT_LOGS))
    assert server.service(Called("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")) is None


def test_a_call_that_finds_no_thread_is_refused_without_one():
    server, over = serving(), threading.Event()
    for _ in range(MAX_CALLS):
        assert server.service(Called()) is server._exports[EXPORT]
        server._threads.submit(over.wait, 10)
    assert server.service(Called()) is server._refusal
    refuse = server._refusal.stream_unary
    context = Context()
    with pytest.raises(Aborted):
        refuse.experimental_thread_pool.submit(refuse, iter([]), context)
    assert dict(context.trailing)
    assert export(b"", server=server) == b""
    over.set()
    while server._threads.full:
        time.sleep(0.001)
    assert server.service(Called()) is server._exports[EXPORT], "a call that ended makes room"
    server._threads.shutdown()


def test_one_sender_has_half_of_the_calls():
    server = serving()
    while server._shares.take("ipv4:10.0.0.1"):
        pass
    assert says_when_to_come_again(export(b"", server=server))
    assert server._take(Kind.TRACES, iter([b""]), Context("10.0.0.2")) == b""


class Silent:
    """A message that comes when the call is ended, or not at all."""

    def __init__(self):
        self.ended = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        self.ended.wait(10)
        raise grpc.RpcError


@contextmanager
def silent_callers(server, n):
    """Calls of one sender that wait for their message; they end with the block."""
    message = Silent()
    contexts = [Context() for _ in range(n)]
    threads = [threading.Thread(target=server._take, args=(Kind.TRACES, message, context)) for context in contexts]
    for thread in threads:
        thread.start()
    while len(server._since) + server._turns.waiting < n:
        threads[0].join(0.001)
    yield contexts
    message.ended.set()
    for thread in threads:
        thread.join(10)


def test_silent_callers_hold_up_nobody_and_are_ended():
    """Four of them held the only threads, and every good export waited for ever."""
    server = serving()
    with silent_callers(server, MAX_READING // 2) as contexts:
        assert server._take(Kind.TRACES, iter([b""]), Context("10.0.0.2")) == b""
        server.end_overdue(min(server._since.values()) + READ_SECONDS - 0.1)
        assert not any(c.cancelled for c in contexts)
        server.end_overdue(max(server._since.values()) + READ_SECONDS + 0.1)
        assert all(c.cancelled for c in contexts)
    assert export(b"", server=server) == b"", "their turns are free again"


def test_who_is_silent_while_others_wait_is_ended_sooner():
    server = serving()
    with silent_callers(server, MAX_READING // 2 + 1) as contexts:
        server.end_overdue(max(server._since.values()) + HURRY_SECONDS + 0.1)
        assert sum(c.cancelled for c in contexts) == MAX_READING // 2
