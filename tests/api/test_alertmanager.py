"""The webhook as it is served, against a real Alertmanager, and against everybody else who finds the port."""

import asyncio
import gzip
import json
import resource
import select
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.api.programs import alertmanager, free_port, until

from hemostat import pages
from hemostat.api.meta import TargetRef
from hemostat.api.watch import AlertSignal
from hemostat.clock import SystemClock, rfc3339
from hemostat.metrics import REGISTRY
from hemostat.pages import Pages
from hemostat.signals.alert import concerns, judge
from hemostat.telemetry.alerts import Standing
from hemostat.telemetry.webhook import ARRIVING, MAX_BYTES, PATH, Webhook

TOKEN = "a secret of two"
JSON = "application/json"
GOOD = {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Slow", "namespace": "shop"}}]}


def application() -> web.Application:
    """Return an application as `observe` has it."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(handler_args={"auto_decompress": False})
    app.router.add_get("/healthz", healthz)
    return app


@contextmanager
def served(token_file: Path | None) -> Iterator[tuple[Webhook, int]]:
    """Serve what `observe` serves on its own port, on loopback."""
    loop, port = asyncio.new_event_loop(), free_port()
    webhook = Webhook(SystemClock(), str(token_file) if token_file else None, timedelta(hours=5))
    app = application()
    webhook.serve(app)
    own = Pages(app)
    loop.run_until_complete(own.start(port, "127.0.0.1"))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield webhook, port
    finally:
        asyncio.run_coroutine_threadsafe(own.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def open_port() -> Iterator[tuple[Webhook, int]]:
    with served(None) as found:
        yield found


def post(port: int, body: bytes, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        sent = {"Content-Type": JSON} | {k.replace("_", "-"): v for k, v in headers.items()}
        connection.request("POST", PATH, body, sent)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def wire(value: object) -> bytes:
    return json.dumps(value).encode()


# --- a real Alertmanager -------------------------------------------------------------------------------------------


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}{PATH}"


def fire(port: int, *, ended: bool = False, **labels: str) -> None:
    """Send an alert to Alertmanager as Prometheus does."""
    now = datetime.now(UTC)
    alert: dict[str, Any] = {
        "labels": {"alertname": "Slow", "namespace": "shop"} | labels,
        "annotations": {"summary": "p95 is 2 s"},
        "startsAt": rfc3339(now - timedelta(minutes=1)),
        "endsAt": rfc3339(now - timedelta(seconds=1) if ended else now + timedelta(minutes=5)),
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v2/alerts", wire([alert]), {"Content-Type": JSON}, method="POST"
    )
    assert urllib.request.urlopen(request, timeout=5).status == 200


def wrong(webhook: Webhook) -> list[bool | None]:
    """What a Watch of Deployment payment sees."""
    signal, target = AlertSignal(), TargetRef(name="payment")
    known = [t for t in webhook.about((), "shop") if concerns(t[0], signal, "shop", target)]
    return [o.wrong for o in judge("alerts", known)]


def test_a_real_alertmanager_fires_and_resolves(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    with served(token) as (webhook, port), alertmanager(tmp_path, [at(port)], TOKEN) as sender:
        fire(sender, deployment="payment", pod="payment-7d4b9c6f5-x2x9z")
        fire(sender, deployment="checkout")
        until(lambda: wrong(webhook) == [True], 30, "the alert fires at payment")
        ((alert, standing),) = [pair for pair in webhook.about((), "shop") if pair[0].label("deployment") == "payment"]
        assert (alert.name, alert.summary, standing) == ("Slow", "p95 is 2 s", Standing.FIRING)
        assert alert.ends is None, "Alertmanager leaves the end of what fires open"
        fire(sender, ended=True, deployment="payment", pod="payment-7d4b9c6f5-x2x9z")
        until(lambda: wrong(webhook) == [False], 30, "the alert is resolved")


def test_an_alertmanager_with_another_token_is_not_heard_until_it_has_the_right_one(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("another")
    with served(token) as (webhook, port), alertmanager(tmp_path, [at(port)], TOKEN) as sender:
        fire(sender, deployment="payment")
        until(lambda: "401" in (tmp_path / "log").read_text(), 30, "Alertmanager logs that it was refused")
        assert wrong(webhook) == []
        token.write_text(TOKEN)  # rotated; Alertmanager tells it with the next change of the group
        fire(sender, deployment="payment", pod="payment-7d4b9c6f5-x2x9z")
        until(lambda: wrong(webhook) == [True], 30, "the alert is heard")


# --- everybody else ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (wire(GOOD), {}, 200, "ok"),
        (gzip.compress(wire(GOOD)), {"Content_Encoding": "gzip"}, 200, "ok"),
        (b"", {}, 400, "body"),
        (b"garbage", {}, 400, "not an Alertmanager notification"),
        (wire(GOOD | {"version": "3"}), {}, 400, "version"),
        (wire(GOOD | {"alerts": [1]}), {}, 400, "alerts.0"),
        (b"[" * 1_000, {}, 400, "body"),
        (b"[" * 1_000_000, {}, 413, "max_alerts"),
        (wire(GOOD)[:-2], {}, 400, "body"),
        (b"garbage", {"Content_Encoding": "gzip"}, 400, "gzip"),
        (gzip.compress(wire(GOOD))[:-5], {"Content_Encoding": "gzip"}, 400, "truncated"),
        (wire(GOOD), {"Content_Encoding": "br"}, 415, "gzip"),
        (wire(GOOD), {"Content_Type": "text/plain"}, 415, JSON),
        (b" " * (MAX_BYTES + 1), {}, 413, "max_alerts"),
        (gzip.compress(b" " * (50 * MAX_BYTES)), {"Content_Encoding": "gzip"}, 413, "decompresses"),
        (b'{"version": "4", "alerts": [' + b"{}," * 1_000_000 + b"{}]}", {}, 413, "max_alerts"),
    ],
)
def test_each_wrong_request_is_told_what_is_wrong(
    open_port: tuple[Webhook, int], body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    webhook, port = open_port
    found, said = post(port, body, **headers)
    assert (found, words in said) == (status, True), said
    assert len(webhook.about((), "shop")) == (status == 200)


def test_what_alertmanager_left_out_is_seen(open_port: tuple[Webhook, int]) -> None:
    _, port = open_port
    assert post(port, wire(GOOD | {"truncatedAlerts": 500}))[0] == 200
    assert REGISTRY.get_sample_value("hemostat_alerts_dropped") == 500


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic " + TOKEN, TOKEN, "Bearer \xff"])
def test_without_the_token_nothing_is_read(tmp_path: Path, header: str) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with served(token) as (webhook, port):
        assert post(port, b"garbage", Authorization=header)[0] == 401
        assert post(port, wire(GOOD), Authorization=f"Bearer {TOKEN}")[0] == 200
        token.unlink()
        assert post(port, wire(GOOD), Authorization=f"Bearer {TOKEN}")[0] == 503
        token.write_text("")
        assert post(port, wire(GOOD), Authorization="Bearer ")[0] == 503
        assert len(webhook.about((), "shop")) == 1


def test_an_endless_body_is_cut_off(open_port: tuple[Webhook, int]) -> None:
    _, port = open_port
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(MAX_BYTES // 65536 + 1):
            client.sendall(chunk)
        assert b" 413 " in client.recv(200)


def half(port: int, text: str) -> socket.socket:
    """Connect and send the beginning of a request."""
    client = socket.create_connection(("127.0.0.1", port), 20)
    client.sendall(text.encode())
    return client


def ended(clients: list[socket.socket]) -> int:
    """Return how many of them were answered or closed."""
    return len(select.select(clients, [], [], 0)[0])


def test_senders_that_trickle_in_keep_nobody_waiting(open_port: tuple[Webhook, int]) -> None:
    """A dozen of them kept a good one waiting for a minute: they held the two places where bodies are parsed."""
    _, port = open_port
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 1000\r\n\r\n{{"
    slow = [half(port, head) for _ in range(ARRIVING + 10)]
    try:
        began = time.monotonic()
        assert post(port, wire(GOOD))[0] == 200
        assert time.monotonic() - began < 20
        until(lambda: ended(slow) >= 10, 10, "those for whom there was no room are told so")
        given_up = select.select(slow, [], [], 0)[0][0]
        assert b" 503 " in given_up.recv(200), "Alertmanager sends again what it gets a 5xx for"
    finally:
        for client in slow:
            client.close()


def test_half_heads_make_room_for_whole_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 of them stayed for more than two minutes, and none was too many."""
    assert pages.SILENT_SECONDS < 15
    monkeypatch.setattr(pages, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(pages, "MAX_CONNECTIONS", 20)
    with served(None) as (_, port):
        slow = [half(port, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ") for _ in range(50)]
        try:
            assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).status == 200
            until(lambda: ended(slow) >= 30, 5, "those that came first are closed")
            until(lambda: ended(slow) == 50, 15, "the others when they have said nothing for long")
        finally:
            for client in slow:
                client.close()


def test_a_flood_moves_neither_memory_nor_the_loop(open_port: tuple[Webhook, int]) -> None:
    webhook, port = open_port
    bomb = gzip.compress(b"\0" * (100 * MAX_BYTES))
    deep = b'{"version": "4", "alerts": ' + b"[" * (MAX_BYTES - 100)
    labels = {f"l{i}": "x" * 200 for i in range(300)}
    wide = wire({"version": "4", "alerts": [{"status": "firing", "labels": labels | {"n": str(i)}} for i in range(50)]})
    post(port, wire(GOOD))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worst: list[float] = []

    def flood() -> None:
        for _ in range(4):
            post(port, bomb, Content_Encoding="gzip")
            post(port, deep)
            post(port, wide)

    senders = [threading.Thread(target=flood) for _ in range(4)]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        began = time.monotonic()
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20).status == 200
        worst.append(time.monotonic() - began)
        time.sleep(0.05)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024, f"{grown} KiB more than before the flood"
    assert sorted(worst)[len(worst) // 2] < 0.5, "the loop answers meanwhile"
    assert len(webhook.about((), "")) == 50
