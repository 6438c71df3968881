"""What the API server answers is believed only if it is a ConfigMap: anything else changes nothing that holds."""

import http.client
import io
import threading

import pytest

from hemostat.guard import OrderConfigMap, configmap
from hemostat.guard.configmap import MAX_BYTES, Unreadable


class Connection:
    """Answers once, as http.client does, and keeps what was asked."""

    sock = None

    def __init__(self, status, body):
        self.asked = []
        self.answer = Answer(body)
        self.answer.status, self.answer.reason = status, http.client.responses[status]

    def request(self, method, path, headers):
        self.asked.append((method, path, headers["Authorization"]))

    def getresponse(self):
        return self.answer


class Answer(io.BytesIO):
    status = 200
    reason = "OK"


@pytest.fixture
def made(tmp_path):
    (tmp_path / "token").write_text("first\n")
    orders = OrderConfigMap("https://[::1]:1", "agents", ca="none", token=str(tmp_path / "token"))
    delivered = []
    orders._deliver = delivered.append
    return orders, delivered


def test_what_is_read_is_delivered_and_watched_from_there(made):
    orders, delivered = made
    found = Connection(200, b'{"metadata": {"resourceVersion": "7"}, "data": {"one": "{}"}}')
    assert orders._read(found) == "7"
    assert delivered == [{"one": "{}"}]
    changed = b'{"type": "MODIFIED", "object": {"data": {"two": "{}"}}}\n'
    deleted = b'{"type": "DELETED", "object": {"data": {"x": "y"}}}\n'
    watch = Connection(200, changed + deleted)
    orders._watch(watch, "7")
    assert delivered[1:] == [{"two": "{}"}, {}]
    (asked,) = watch.asked
    assert asked[1].endswith("&fieldSelector=metadata.name%3Dhemostat-guard&resourceVersion=7")
    assert asked[2] == "Bearer first"


def test_the_token_is_read_anew_for_it_rotates(made, tmp_path):
    orders, _ = made
    orders._read(Connection(404, b""))
    (tmp_path / "token").write_text("second")
    found = Connection(404, b"")
    orders._read(found)
    assert found.asked[0][2] == "Bearer second"


def test_no_config_map_orders_nothing(made):
    orders, delivered = made
    assert orders._read(Connection(404, b"{}")) == ""
    assert delivered == [{}]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"{}"),
        (500, b"{}"),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"data": ["one"]}'),
        (200, b'{"data": {"one": 1}}'),
        (200, b"[" * 100_000),
        (200, b" " * (MAX_BYTES + 1)),
        (200, b"\xff\xfe"),
    ],
)
def test_another_answer_delivers_nothing(made, status, body):
    orders, delivered = made
    with pytest.raises(Unreadable):
        orders._read(Connection(status, body))
    assert delivered == []


def test_a_watch_that_is_too_old_begins_anew(made):
    orders, delivered = made
    orders._watch(Connection(200, b'{"type": "ERROR", "object": {"code": 410}}\n'), "7")
    assert delivered == []


def test_a_line_without_end_is_not_read_to_its_end(made):
    orders, delivered = made
    with pytest.raises(Unreadable, match="more than"):
        orders._watch(Connection(200, b"x" * (2 * MAX_BYTES)), "7")
    assert delivered == []


def test_the_thread_outlives_whatever_happens_and_ends_when_told(made, monkeypatch):
    orders, delivered = made
    failed = threading.Event()

    def session():
        failed.set()
        raise RecursionError

    monkeypatch.setattr(orders, "_session", session)
    orders.start(delivered.append)
    assert failed.wait(5)
    thread = orders._thread
    orders.stop(5)
    assert orders.failures == 1
    assert not thread.is_alive()


def test_a_watch_that_ends_at_once_is_begun_again_after_growing_pauses(made, monkeypatch):
    """A proxy that cuts it off, or a version that is too old for ever: without pauses it is asked all the time."""
    orders, delivered = made
    orders._deliver = delivered.append
    pauses = []

    class Stopped:
        def is_set(self):
            return len(pauses) >= 7

        def wait(self, seconds):
            pauses.append(seconds)

    lasted = iter([0, 0, 0, 30, 0, 0, 0, 0, 0, 0])
    now = [0.0]

    def session():
        now[0] += next(lasted)

    monkeypatch.setattr(orders, "_session", session)
    monkeypatch.setattr(orders, "_stopped", Stopped())
    monkeypatch.setattr(configmap.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(configmap.random, "uniform", lambda *_: 1.0)
    orders._follow()
    assert pauses == [1, 2, 4, 1, 2, 4, 8], "it begins anew after a session that lasted"
    assert orders.failures == 0
