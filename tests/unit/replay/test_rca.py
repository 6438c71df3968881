"""The files people have must be read as they are, and a bad one must say where and what."""

import contextlib
import gzip
import json
import sys
import tempfile
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hemostat.cli.replay_rca import rca
from hemostat.errors import Refused
from hemostat.replay import lines, spans, table
from hemostat.replay.rca import analyse, load

START = 1_661_140_000
HEADER = "time,metric,service,peer,pod,value\n"


def shop_table(fault_at=60, minutes=80):
    """CPU of payment goes from 5 to 90 at minute `fault_at`, and checkout waits for it."""
    rows = [HEADER]
    for i in range(minutes):
        bad = i >= fault_at
        wiggle = 1 + 0.02 * ((i * 7) % 5 - 2)
        for service, cpu in (("frontend", 20), ("checkout", 10), ("payment", 90 if bad else 5)):
            rows.append(f"{START + 60 * i},cpu_percent,{service},,{service}-1,{cpu * wiggle}\n")
        rows.append(f"{START + 60 * i},source_latency_seconds,checkout,payment,,{(0.9 if bad else 0.1) * wiggle}\n")
        rows.append(f"{START + 60 * i},server_latency_seconds,checkout,,,{(1.0 if bad else 0.2) * wiggle}\n")
    return "".join(rows)


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text(shop_table())
    return path


@pytest.fixture
def run():
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(rca)

    def call(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return call


def test_the_cause_and_its_reasons_are_listed(run, shop):
    done = run("--metrics", shop, "--at", START + 60 * 60)
    assert done.exit_code == 0
    assert "as given" in done.stdout
    first = next(line for line in done.stdout.splitlines() if line.startswith("1 "))
    assert first.split()[1] == "payment"
    assert "cpu_percent of payment rose from 5 to 8" in first


def test_without_a_time_it_is_found_and_said_how(run, shop):
    done = run("--metrics", shop, "-o", "json")
    found = json.loads(done.stdout)
    assert found["given"] is False
    assert found["beganTime"] == "2022-08-22T04:45:40Z"  # minute 59, the last healthy one
    assert found["noticedTime"] == "2022-08-22T04:47:40Z"
    assert found["services"][0]["service"] == "payment"
    assert "cpu_percent of payment" in found["noticedBy"]


def test_all_three_ways_of_writing_time_are_the_same_moment(shop):
    known = load(shop, None)
    expected = analyse(known, START + 3600.0).candidates
    assert table.seconds("2022-08-22T04:46:40Z") == table.seconds("2022-08-22T06:46:40+02:00") == START + 3600
    assert table.seconds(f"{START + 3600}.0") == START + 3600
    assert expected[0].service == "payment"


def test_gzip_is_the_same(tmp_path, shop):
    packed = tmp_path / "shop.csv.gz"
    packed.write_bytes(gzip.compress(shop.read_bytes()))
    assert [(s.metric, s.service) for s in table.read(packed)] == [(s.metric, s.service) for s in table.read(shop)]


def test_parquet_is_the_same(tmp_path, shop):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import csv, parquet

    whole = csv.read_csv(shop)
    stamped = whole.set_column(0, "time", whole["time"].cast(pyarrow.timestamp("s")))
    for name, content in (("numbers", whole), ("stamps", stamped)):
        path = tmp_path / f"{name}.parquet"
        parquet.write_table(content, path)
        for ours, theirs in zip(table.read(path), table.read(shop), strict=True):
            assert (ours.metric, ours.service, ours.peer) == (theirs.metric, theirs.service, theirs.peer)
            assert ours.times.tolist() == theirs.times.tolist()
            assert ours.values.tolist() == pytest.approx(theirs.values.tolist())


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and so on")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Refused, match=r"pip install 'hemostat\[parquet\]'"):
        table.read(path)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and so on")
    with pytest.raises(Refused, match=r"x\.parquet"):
        table.read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column time, metric, service, value"),
        ("time,metric,value\n", "no column service"),
        (HEADER, "no samples"),
        (HEADER + "5,cpu,a,,,\n", "no samples"),
        (HEADER + "5,cpu,a,,,1\n6,cpu,a,,,many\n", "line 3: not a number in column value: 'many'"),
        (HEADER + "yesterday,cpu,a,,,1\n", "line 2: not a time: 'yesterday'"),
        (HEADER + "2022-08-22T04:45:40,cpu,a,,,1\n", "line 2: not a time"),
        (HEADER + "1661140000000,cpu,a,,,1\n", "milliseconds?"),
        (HEADER + "nan,cpu,a,,,1\n", "line 2: not a time"),
        (HEADER + "5,cpu,a,1\n", "line 2: 4 fields where the header has 6"),
        (HEADER + "5,cpu,,,,1\n", "names no service"),
        (HEADER + "5,,a,,,1\n", "names no metric"),
        (HEADER + '5,"cpu,a,,,1\n', "line 2: "),
        (HEADER + "5," + "x" * 70_000 + ",a,,,1\n", "line 2: longer than 65,536 bytes"),
    ],
)
def test_a_bad_table_says_where_and_what(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(Refused) as caught:
        table.read(path)
    assert said in str(caught.value)
    assert "bad.csv" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\x00broken", gzip.compress(b"time,metric\n" * 999)[:40], b"\xff\xfe\x00"]
)
def test_damaged_bytes_are_refused(tmp_path, content):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(Refused, match=r"bad\.csv"):
        table.read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(Refused, match="directory"):
            table.read(path)


def test_a_zip_bomb_of_one_line_ends_at_the_bound(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"x" * 30_000_000))
    with pytest.raises(Refused, match="line 1: longer than"):
        list(lines.lines(path, 1_000))


def test_more_series_than_can_be_kept_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MAX_SERIES", 10)
    path = tmp_path / "wide.csv"
    path.write_text(HEADER + "".join(f"5,cpu,s{i},,,1\n" for i in range(12)))
    with pytest.raises(Refused, match="more than 10 series"):
        table.read(path)


def test_samples_out_of_order_and_twice_are_put_right(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("\ufeff" + HEADER + "3,cpu,a,,,3\n1,cpu,a,,,1\n2,cpu,a,,,9\n2,cpu,a,,,2\n4,cpu,a,,,NaN\n\n")
    (one,) = table.read(path)
    assert one.times.tolist() == one.values.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --metrics FILE, --traces FILE or both"),
        (["--metrics", "SHOP", "--at", "soon"], "--at: not a time"),
        (["--metrics", "SHOP", "--at", "5"], "not within the recording"),
        (["--metrics", "SHOP", "--at", "2030-01-01T00:00:00Z"], "not within the recording"),
    ],
)
def test_bad_arguments_are_refused(run, shop, arguments, said):
    done = run(*(shop if a == "SHOP" else a for a in arguments))
    assert isinstance(done.exception, Refused)
    assert said in str(done.exception)


def test_no_trouble_and_nothing_known_are_said(tmp_path):
    calm, odd = tmp_path / "calm.csv", tmp_path / "odd.csv"
    calm.write_text(shop_table(fault_at=999))
    odd.write_text(HEADER + "5,frobs,a,,,1\n")
    with pytest.raises(Refused, match="give --at TIME"):
        analyse(load(calm, None))
    with pytest.raises(Refused, match="frobs"):
        load(odd, None)


def request(service, *spans_):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans_)}]}]}) + "\n"


def span(trace, number, parent, name, begin, seconds, **more):
    start = int((START + begin) * 1e9)
    made = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}", "name": name, "startTimeUnixNano": str(start)}
    made |= {"endTimeUnixNano": start + int(seconds * 1e9)} | more
    return made | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def test_spans_alone_are_enough(tmp_path):
    path = tmp_path / "spans.jsonl"
    with path.open("w") as out:
        for i in range(600):
            slow = 0.5 if i >= 400 else 0.0
            out.write(
                request("shop", span(i, 1, 0, "GET", i, 0.1 + slow), span(i, 2, 1, "pay", i, 0.05 + slow, kind=3))
            )
            out.write(request("pay", span(i, 3, 2, "pay", i, 0.04 + slow, kind="SPAN_KIND_SERVER")))
    found = analyse(load(None, path), START + 400.0)
    assert found.candidates[0].service == "pay"
    assert analyse(load(None, path)).candidates[0].service == "pay"


def test_errors_and_peers_are_read_in_both_spellings(tmp_path):
    path = tmp_path / "spans.jsonl"
    peer = [{"key": "server.address", "value": {"stringValue": "redis.prod.svc"}}]
    path.write_text(
        request("cart", span(1, 1, 0, "GET", 0, 1, kind="SPAN_KIND_CLIENT", attributes=peer, status={"code": 2}))
        + "\n"
        + request("cart", span(2, 1, 0, "GET", 0, 1, kind=2, status={"code": "STATUS_CODE_ERROR"}))
        + request("", span(3, 1, 0, "nobody's", 0, 1))
    )
    one, two = spans.read(path)
    assert (one.peer, one.failed, one.calling) == ("redis", True, True)
    assert (two.peer, two.failed, two.calling) == ("", True, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no spans"),
        ("{}\n", "line 1: not an OTLP JSON trace request: no 'resourceSpans'"),
        ("[]\n", "line 1: not an OTLP"),
        ("\n\nnonsense\n", "line 3: not an OTLP"),
        (request("a", {"spanId": "1"}), "no 'traceId'"),
        (request("a", {"traceId": "1", "spanId": "2", "startTimeUnixNano": "x", "endTimeUnixNano": 1}), "line 1"),
        (request("a", {"traceId": "1", "spanId": "2", "startTimeUnixNano": -1, "endTimeUnixNano": 1}), "not a time in"),
        (request("a", {"traceId": 1, "spanId": "2", "startTimeUnixNano": 1, "endTimeUnixNano": 1}), "line 1"),
        ("[" * 100_000 + "\n", "line 1"),
    ],
)
def test_bad_spans_say_where_and_what(tmp_path, text, said):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(Refused) as caught:
        list(spans.read(path))
    assert said in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "resource", "attributes", "scopeSpans", "spans", "key", "value", "traceId"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON.map(json.dumps) | st.text(max_size=60))
def test_whatever_is_in_a_file_of_spans_it_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(Refused):
            assert list(spans.read(path))


FIELD = st.sampled_from(["5", "1e300", "-1", "nan", "", "cpu", "a", '"', "2022-08-22T04:46:40Z", "\x00"]) | st.text(
    max_size=4
)


@given(st.lists(st.lists(FIELD, min_size=5, max_size=7).map(",".join), max_size=4))
def test_whatever_is_in_a_table_it_is_read_or_refused(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes((HEADER + "\n".join(rows)).encode("utf-8", "surrogatepass"))
        with contextlib.suppress(Refused):
            assert table.read(path)


def test_traces_that_are_nothing_but_a_circle_are_no_recording(tmp_path):
    ids = (("a", "b"), ("b", "a"))
    times = {"startTimeUnixNano": str(START * 10**9), "endTimeUnixNano": str(START * 10**9 + 5)}
    spans_ = [{"traceId": "t", "spanId": one, "parentSpanId": other, **times} for one, other in ids]
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "a"}}]}
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans_}]}]}))
    with pytest.raises(Refused, match="no metric has a sample"):
        load(None, path)
