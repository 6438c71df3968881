"""Whatever Prometheus answers, and however slowly: a vector, `Refused` or `Retry`, within the deadline."""

import threading
import time

import pytest
import requests

from hemostat.errors import Refused, Retry
from hemostat.telemetry import prometheus
from hemostat.telemetry.prometheus import Prometheus


def asked(answer, timeout=0.1):
    client = Prometheus("http://nowhere.invalid", timeout)
    client._ask = lambda _: answer() if callable(answer) else answer  # type: ignore[method-assign]
    return client


@pytest.mark.parametrize(
    "answer",
    [
        [{"metric": {}, "values": [[1, "2"]]}],  # a range vector: `up[5m]`
        [{"metric": {}, "value": [1, "text"]}],
        [{"metric": {}, "histogram": [1, {"count": "1"}]}],
        [{"metric": None, "value": [1, "1"]}],
        [{"metric": {}, "value": []}],
        [[]],
    ],
)
def test_what_is_no_instant_vector_is_the_query_s_fault(answer):
    with pytest.raises(Refused, match="instant vector"):
        asked(answer).instant("q")


@pytest.mark.parametrize("error", [TypeError(), AttributeError(), IndexError(), KeyError("data"), ValueError()])
def test_garbage_is_no_answer(error):
    def garbage():
        raise error

    with pytest.raises(Retry):
        asked(garbage).instant("q")


def test_not_a_number_is_left_out():
    found = asked([{"metric": {}, "value": [1, "NaN"]}, {"metric": {"a": "b"}, "value": [1, "2"]}]).instant("q")
    assert [s.value for s in found] == [2.0]


def test_an_answer_that_trickles_in_ends_at_the_deadline_and_does_not_pile_up():
    release = threading.Event()
    client = asked(lambda: release.wait(60) or [])
    client._breaker.fail_max = 1000
    assert client._deadline < 10
    client._deadline = 0.05
    began = time.monotonic()
    try:
        with pytest.raises(Retry, match="no whole answer"):
            client.instant("q")
        assert time.monotonic() - began < 10
        for _ in range(prometheus.MAX_ASKED - 1):
            assert client._free.acquire(blocking=False)
        with pytest.raises(Retry, match="earlier queries"):
            client.instant("q")
    finally:
        release.set()


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (
            """HTTP Status Code 400 (b'{"status":"error","errorType":"bad_data","error":"1:5: parse error"}')""",
            400,
            "1:5: parse error",
        ),
        ("""HTTP Status Code 422 (b'{"error":"many-to-many\\\\nmatching"}')""", 422, "many-to-many matching"),
        ("""HTTP Status Code 404 (b"<html>it's not here</html>")""", 404, "<html>it's not here</html>"),
        ("""HTTP Status Code 502 (b'')""", 502, ""),
        ("something else", 0, "something else"),
    ],
)
def test_errors_are_told_in_prometheus_own_words(text, status, said):
    """People saw the repr of a whole answer: `b'{"status":...`."""
    assert prometheus.what_it_said(text) == (status, said)


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (400, Refused, "refuses the query: no"),
        (422, Refused, "refuses the query: no"),
        (401, requests.RequestException, "HEMOSTAT_PROMETHEUS_TOKEN_FILE"),
        (404, requests.RequestException, "HEMOSTAT_PROMETHEUS_URL"),
        (503, requests.RequestException, "503: no"),
    ],
)
def test_what_a_person_must_change_is_told_apart_from_what_passes(status, kind, hint):
    told = Prometheus("http://nowhere.invalid")._told(Exception(f"HTTP Status Code {status} (b'no')"))
    assert isinstance(told, kind)
    assert hint in str(told)


class Body:
    def __init__(self, chunks):
        self.chunks, self.closed = chunks, False

    def stream(self, amount, decode_content=None):
        yield from self.chunks

    def close(self):
        self.closed = True


def test_an_endless_answer_is_cut_off_and_the_connection_closed():
    body = Body(b"x" * 1000 for _ in range(10**9))
    with pytest.raises(Refused, match="aggregate"):
        list(prometheus._Counted(body, 2**20).stream(1))
    assert body.closed


def test_an_answer_within_the_bound_arrives_whole():
    body = Body([b"a" * 1000, b"b" * 24])
    assert b"".join(prometheus._Counted(body, 1024).stream(1)) == b"a" * 1000 + b"b" * 24
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


def test_a_history_leaves_out_what_is_not_a_number():
    found = prometheus._history({"metric": {"b": "1", "a": "2"}, "values": [[1, "1"], [2, "NaN"], [3.5, "+Inf"]]})
    assert found.labels == (("a", "2"), ("b", "1"))
    assert found.points == ((1.0, 1.0), (3.5, float("inf")))
