"""Whatever comes instead of a vector is told in words that a person can act on."""

import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.errors import Refused, Retry
from hemostat.telemetry.answer import QueryFailed, failure, matrix, vector
from hemostat.telemetry.sample import Answer, Series


def success(result, kind="vector", **more):
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}} | more).encode()


def sample(value, **labels):
    return {"metric": labels, "value": [1700000000.1, value]}


def error(kind, said="no", **more):
    return json.dumps({"status": "error", "errorType": kind, "error": said} | more).encode()


def test_a_vector_as_prometheus_writes_it():
    found = vector(success([sample("NaN"), sample("+Inf", b="2", a="1"), sample("2.5", a="3")]), 10)
    assert found == Answer([Series((("a", "1"), ("b", "2")), math.inf), Series((("a", "3"),), 2.5)])
    assert vector(success([1.5, "3"], "scalar"), 10) == Answer([Series((), 3.0)])
    assert vector(success([]), 10) == Answer([])


def test_series_that_are_too_many_are_counted():
    found = vector(success([sample(str(i)) for i in range(7)]), 3)
    assert ([s.value for s in found.series], found.left_out) == ([0.0, 1.0, 2.0], 4)


def test_partial_data_is_data_and_says_so():
    """Thanos answers so when a store is down; what `infos` say is about the query alone."""
    body = success([sample("5")], warnings=["store 3\x1b[31m is\ndown", "b", "c", "d" * 9999], infos=["not a counter"])
    found = vector(body, 10)
    assert [s.value for s in found.series] == [5.0]
    assert found.warnings == ("store 3 [31m is down", "b", "c")


def test_a_history_leaves_out_what_is_not_a_number():
    body = success([{"metric": {"b": "1", "a": "2"}, "values": [[1, "1"], [2, "NaN"], [3.5, "+Inf"]]}], "matrix")
    (found,) = matrix(body)
    assert found.labels == (("a", "2"), ("b", "1"))
    assert tuple(found.points) == ((1.0, 1.0), (3.5, float("inf")))


def test_a_day_of_points_takes_16_bytes_each():
    """As tuples, the past of a hundred Watches took 80 MB while they began."""
    (found,) = matrix(success([{"metric": {}, "values": [[i, str(i / 2)] for i in range(1440)]}], "matrix"))
    assert sys.getsizeof(found.points._flat) < 16 * 1440 * 1.2
    assert (len(found.points), found.points[-1], found.points[0]) == (1440, (1439.0, 719.5), (0.0, 0.0))
    assert list(found.points[1:3]) == [(1.0, 0.5), (2.0, 1.0)]
    with pytest.raises(IndexError):
        found.points[1440]


@pytest.mark.parametrize(
    "body",
    [
        success([{"metric": {}, "values": [[1, "2"]]}], "matrix"),  # a range vector: `up[5m]`
        success([1, "text"], "string"),
        success([sample("text")]),
        success([{"metric": {}, "histogram": [1, {"count": "1"}]}]),
        success([{"metric": None, "value": [1, "1"]}]),
        success([{"metric": {}, "value": []}]),
        success([[]]),
        success(None),
        success([sample("1", a=["x"])]),  # such labels reached the detectors
        success([sample("1", a={"x": 1})]),
        success([sample("1", a=5)]),
    ],
)
def test_what_is_no_instant_vector_is_the_query_s_fault(body):
    with pytest.raises(Refused, match="instant vector"):
        vector(body, 10)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b" <!DOCTYPE html><title>Log in</title>", "HTML page, perhaps a login; check HEMOSTAT_PROMETHEUS_URL"),
        (b"", "answered nothing; check"),
        (b"null", "not of the Prometheus API"),
        (b"[]", "not of the Prometheus API"),
        (b'{"status":"success"}', "not of the Prometheus API"),
        (b'{"status":"success","data":{"resultType":"other","result":[]}}', "not of the Prometheus API"),
        (b"[" * 300_000, "recursion"),
        (b'{"a":' * 200_000, "recursion"),
        (success([sample("1", a="x")]).replace(b'"x"', b'"\\ud800"'), "Invalid JSON"),
        (success([sample("1", a="x")]).replace(b'"x"', b'"\xe9"'), "unicode"),
        (b'{"a":' + b"9" * 10_000 + b"}", "number out of range"),
    ],
)
def test_what_is_not_prometheus_is_told_as_what_it_is(body, words):
    """People read "Expecting value: line 1 column 1" and "'NoneType' object is not subscriptable"."""
    with pytest.raises(Retry, match=words) as told:
        vector(body, 10)
    assert "HEMOSTAT_PROMETHEUS_URL" in str(told.value)
    assert not isinstance(told.value, QueryFailed)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, error("bad_data", "1:5: parse error"), Refused, "refuses the query: 1:5: parse error"),
        (422, error("execution", "many-to-many\nmatching"), Refused, "many-to-many matching"),
        (503, error("timeout", "query timed out"), QueryFailed, "query timed out"),
        (500, error("internal", "remote read"), QueryFailed, "remote read"),
        (504, b"<html>", QueryFailed, "504"),
        (503, error("unavailable", "tsdb not ready"), Retry, "503: tsdb not ready"),
        (502, b"", Retry, "502"),
        (429, b"too many", Retry, "429: too many"),
        (401, b"who?", Retry, "HEMOSTAT_PROMETHEUS_TOKEN_FILE"),
        (404, b"<html>", Retry, "HEMOSTAT_PROMETHEUS_URL"),
        (302, b"", Retry, "redirects.*HEMOSTAT_PROMETHEUS_URL"),
        (500, b"[" * 10**6, Retry, "500"),
        (500, b'{"error": 5}', Retry, "500"),
    ],
)
def test_what_passes_is_told_apart_from_what_a_person_must_change(status, body, kind, words):
    told = failure(status, body)
    assert type(told) is kind
    with pytest.raises(kind, match=words):
        raise told
    assert len(str(told)) < 500


def test_an_error_is_one_whatever_its_status():
    """Some gateways answer 200 to everything; people read "'data'"."""
    with pytest.raises(Refused, match="boom"):
        vector(error("execution", "boom"), 10)
    with pytest.raises(QueryFailed, match="too slow"):
        vector(error("timeout", "too slow"), 10)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.binary(max_size=200)
    | JSON.map(lambda v: json.dumps(v).encode())
    | st.tuples(JSON, st.sampled_from(["vector", "matrix", "scalar"])).map(lambda v: success(*v))
)
def test_nothing_but_refused_and_retry_comes_out_of_garbage(body):
    for parse in (lambda text: vector(text, 3), matrix):
        try:
            parse(body)
        except (Refused, Retry):
            continue
