"""However Prometheus answers, and however slowly: a vector, `Refused` or `Retry`, within the deadline."""

import io
import json
import threading
import time

import pytest
import requests
import urllib3

from hemostat.errors import Refused, Retry
from hemostat.telemetry import prometheus
from hemostat.telemetry.answer import QueryFailed
from hemostat.telemetry.prometheus import Prometheus

URL = "http://nowhere.invalid"
NEVER = float("inf")
EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


def asked(answer, timeout=0.1):
    """Return a client whose answer is a body, or what is called for one."""
    client = Prometheus(URL, timeout)
    client._client.custom_query = lambda *_, **__: answer() if callable(answer) else answer
    return client


class Wire(prometheus._Bounded):
    """Answers every request alike, and notes what was sent."""

    def __init__(self, status=200, body=EMPTY, **headers):
        super().__init__(2**20, 5.0)
        self.status, self.body, self.headers, self.sent = status, body, headers, []

    def send(self, request, **_):
        self.sent.append(request.url)
        raw = urllib3.HTTPResponse(io.BytesIO(self.body), self.headers, self.status, preload_content=False)
        return self.build_response(request, raw)


def wired(**answer):
    client, wire = Prometheus(URL), Wire(**answer)
    client._client._session.mount("http://", wire)
    client._client._session.adapters.pop(URL)
    return client, wire


def test_a_redirect_is_not_followed():
    """It would take our headers to another host, whose answer was not bounded: 100 MB were read."""
    client, wire = wired(status=302, Location="http://elsewhere.invalid/login")
    with pytest.raises(Retry, match=r"redirects.*HEMOSTAT_PROMETHEUS_URL"):
        client.instant("q")
    assert [url.startswith(URL) for url in wire.sent] == [True]


def test_what_comes_is_a_vector_within_bounds():
    items = [{"metric": {"pod": f"p{i}"}, "value": [1, str(i)]} for i in range(3000)]
    client, _ = wired(
        body=json.dumps({"status": "success", "data": {"resultType": "vector", "result": items}}).encode()
    )
    found = client.instant("q")
    assert (len(found.series), found.left_out) == (prometheus.MAX_SERIES, 1000)


def test_a_text_of_many_values_is_refused_before_it_is_parsed():
    with pytest.raises(Refused, match="JSON values"):
        asked(b"{}," * prometheus.MAX_BYTES).instant("q")


def test_a_large_error_is_read_no_further_than_it_is_told():
    client, _ = wired(status=503, body=b"no" * 10**6)
    with pytest.raises(Retry, match="503: nono"):
        client.instant("q")


def test_the_breaker_opens_when_it_cannot_be_reached():
    def unreachable():
        raise requests.ConnectionError("refused")

    client = asked(unreachable)
    for _ in range(5):
        with pytest.raises(Retry):
            client.instant("q")
    client._client.custom_query = lambda *_, **__: EMPTY
    with pytest.raises(Retry, match="failed repeatedly"):
        client.instant("q")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(requests.ReadTimeout(), QueryFailed), (Refused("BadQuery", "no"), Refused), (QueryFailed("slow"), QueryFailed)],
)
def test_the_breaker_stays_closed_for_what_is_a_query_s_own_fault(error, kind):
    """One Watch's slow queries opened it, and all others had no answer for 42 s."""

    def fail():
        raise error

    client = asked(fail)
    for _ in range(20):
        with pytest.raises(kind):
            client.instant("q")
    client._client.custom_query = lambda *_, **__: EMPTY
    assert client.instant("q").series == []


def test_a_query_that_is_being_answered_keeps_no_other_waiting():
    """pybreaker holds a lock while it calls: with eight slow queries of one Watch, those of others waited 42 s."""
    begun, release = threading.Event(), threading.Event()

    def answer():
        if not begun.is_set():
            begun.set()
            release.wait(60)
        return EMPTY

    client = asked(answer, timeout=30)
    slow = threading.Thread(target=client.instant, args=("slow",), daemon=True)
    slow.start()
    try:
        assert begun.wait(10)
        quick = threading.Thread(target=client.instant, args=("quick",), daemon=True)
        quick.start()
        quick.join(10)
        assert not quick.is_alive()
        assert slow.is_alive()
    finally:
        release.set()
    slow.join(10)


def test_the_breaker_closes_when_it_can_be_reached_again():
    def unreachable():
        raise requests.ConnectionError("refused")

    client = asked(unreachable)
    client._breaker.reset_timeout = 0
    for _ in range(7):
        with pytest.raises(Retry, match=r"cannot be reached|failed repeatedly"):
            client.instant("q")
    client._client.custom_query = lambda *_, **__: EMPTY
    for _ in range(3):
        assert client.instant("q").series == []
    assert client._breaker.current_state == "closed"


def test_what_could_not_be_reached_is_told_without_the_objects_that_say_it():
    pool = urllib3.HTTPConnectionPool("nowhere.invalid")
    reason = urllib3.exceptions.NewConnectionError(pool, "Failed to establish a new connection: refused")
    error = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/api", reason))
    assert prometheus.reason_of(error) == "Failed to establish a new connection: refused"


def test_a_query_that_is_no_text_is_refused():
    def fail():
        return "\ud800".encode()

    with pytest.raises(Refused, match="no text"):
        asked(fail).instant("q")


def test_an_answer_that_trickles_in_ends_at_the_deadline_and_does_not_pile_up():
    release = threading.Event()
    client = asked(lambda: release.wait(60) or EMPTY)
    assert client._deadline < 10
    client._deadline = 0.05
    began = time.monotonic()
    try:
        with pytest.raises(Retry, match="no whole answer"):
            client.instant("q")
        assert time.monotonic() - began < 10
        for _ in range(prometheus.MAX_ASKED - 1):
            assert client._calls._free.acquire(blocking=False)
        with pytest.raises(Retry, match="earlier queries"):
            client.instant("q")
    finally:
        release.set()


class Body:
    def __init__(self, chunks):
        self.chunks, self.closed = iter(chunks), False

    def read1(self, amount, decode_content=None):
        return next(self.chunks, b"")

    def close(self):
        self.closed = True


def test_an_endless_answer_is_cut_off_and_the_connection_closed():
    body = Body(b"x" * 1000 for _ in range(10**9))
    with pytest.raises(Refused, match="aggregate"):
        list(prometheus._Counted(body, 2**20, NEVER).stream(1))
    assert body.closed


def test_an_answer_within_the_bound_arrives_whole():
    body = Body([b"a" * 1000, b"b" * 24])
    assert b"".join(prometheus._Counted(body, 1024, NEVER).stream(1)) == b"a" * 1000 + b"b" * 24
    assert not body.closed


def test_a_rotated_token_is_used_at_once_and_a_missing_one_is_said(tmp_path):
    token = tmp_path / "token"
    client = Prometheus("http://nowhere.invalid", token_file=str(token))
    for word in ("one", "two"):
        token.write_text(word + "\n")
        request = client._authorise(requests.Request("GET", "http://nowhere.invalid").prepare())
        assert request.headers["Authorization"] == f"Bearer {word}"
    token.unlink()
    with pytest.raises(requests.RequestException, match="token cannot be read"):
        client._authorise(requests.Request("GET", "http://nowhere.invalid").prepare())


def test_an_answer_that_trickles_in_ends_at_the_deadline_and_its_thread_with_it():
    """Only the one who waited gave up: the threads stayed for as long as bytes came, and eight were all there are."""
    body = Body(b"x" for _ in range(10**9))
    with pytest.raises(requests.ReadTimeout):
        list(prometheus._Counted(body, 2**30, time.monotonic()).stream(1))
    assert body.closed
