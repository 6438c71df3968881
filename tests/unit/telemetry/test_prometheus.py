"""Whatever Prometheus answers, and however slowly: a vector, `Refused` or `Retry`, within the deadline."""

import threading
import time

import pytest

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
