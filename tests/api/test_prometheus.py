"""Metric signals against a real Prometheus and a real RabbitMQ, on loopback."""

import http.server
import json
import math
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from tests.api.live import Live, a_watch, scrape
from tests.api.programs import RabbitMQ, prometheus, rabbitmq, until

from hemostat.api.meta import TargetRef
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.replay.watch import Span, replay
from hemostat.signals.presets import Target, rules_of
from hemostat.telemetry.prometheus import Prometheus

EVIL = 'x"} or vector(1) or up{a="\\'
DAY = 86400


class Page:
    """A `/metrics` page, and what was asked of it."""

    def __init__(self):
        self.text = ""
        self.status = 200
        self.headers = []
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page.headers.append(dict(self.headers))
                self.send_response(page.status)
                self.end_headers()
                self.wfile.write(page.text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def serving() -> Iterator[Page]:
    page = Page()
    thread = threading.Thread(target=page.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield page
    finally:
        page.server.shutdown()
        page.server.server_close()
        thread.join(5)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[RabbitMQ]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as made:
        yield made


@pytest.fixture(scope="module")
def url(tmp_path_factory, page, broker) -> Iterator[str]:
    jobs = [scrape("page", page.address), scrape("rabbitmq", broker.metrics)]
    with prometheus(tmp_path_factory.mktemp("prometheus"), jobs) as made:
        until(lambda: len(Prometheus(made).instant("up").series) == 2, 20, "both were scraped")
        yield made


# --- Asking


def test_every_preset_is_promql_whatever_names_people_give(url):
    """A name that ends its string would be refused, or answer something else."""
    signals = [{"name": "m", "standard": {}}]
    for system in ("Kafka", "RabbitMQ"):
        for name in ("orders", EVIL, "a  b$window ${x}\n"):
            queue = {"system": system, "name": name, "deadLetter": name}
            signals.append({"name": f"q{len(signals)}", "queue": queue})
    for system in ("Argo", "Temporal"):
        for name in ("", "pay", EVIL):
            signals.append({"name": f"w{len(signals)}", "workflow": {"system": system, "name": name}})
    spec = a_watch(*signals).spec
    client = Prometheus(url)
    asked = 0
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Rollout"):
        target = Target("shop", TargetRef(kind=kind, name="pay.ment"), ("data", 'd"'), ("tls", 't"'))
        for rule in rules_of(spec, target):
            assert client.instant(rule.query).series == [], rule.key
            asked += 1
    assert asked > 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(", "parse error"),
        ("up[5m]", "instant vector"),
        ('"text"', "instant vector"),
        ("nope(up)", "unknown function"),
    ],
)
def test_a_wrong_query_is_refused_in_prometheus_words(url, query, said):
    with pytest.raises(Refused, match=said) as refused:
        Prometheus(url).instant(query)
    assert "b'" not in str(refused.value)
    assert "{" not in str(refused.value)


def test_an_answer_that_is_too_large_is_refused_and_the_next_one_is_not(url):
    client = Prometheus(url, max_bytes=500)
    with pytest.raises(Refused, match="aggregate"):
        client.instant("{__name__!=''}")
    assert client.instant("vector(1)").series[0].value == 1


def test_headers_and_token_go_with_every_query(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    with serving() as fake:
        fake.text = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}})
        client = Prometheus(
            f"http://{fake.address}/prometheus", 3, {"X-Scope-OrgID": "team-a"}, str(tmp_path / "token")
        )
        assert client.instant("up").series == []
        (sent,) = fake.headers
        assert (sent["X-Scope-OrgID"], sent["Authorization"]) == ("team-a", "Bearer secret")
        fake.status, fake.text = 401, "who are you?"
        with pytest.raises(Retry, match="HEMOSTAT_PROMETHEUS_TOKEN_FILE"):
            client.instant("up")


# --- Live


def test_a_gauge_that_goes_wrong_fires_within_seconds_and_clears(url, page):
    page.text = 'depth{pod="a"} 1\ndepth{pod="b"} 1\n'
    metric = {"query": "depth", "above": "5", "forSeconds": 1, "clearSeconds": 1}
    with Live(
        url, a_watch({"name": "depth", "metric": metric}, {"name": "bad", "metric": metric | {"query": "sum("}})
    ).polling() as it:
        until(lambda: not it.firing() and it.seen.signals[0].samples == 2, 20, "two series are judged")
        page.text = 'depth{pod="a"} 1\ndepth{pod="b"} 9\n'
        until(lambda: it.firing() == {"depth/metric"}, 10, "it fires")
        assert [s.key for s in it.seen.firing] == [
            "depth/metric{__name__=depth,instance=" + page.address + ",job=page,pod=b}"
        ]
        assert [reason for reason, _ in it.problems] == ["BadQuery"]
        page.text = 'depth{pod="a"} 1\ndepth{pod="b"} 1\n'
        until(lambda: not it.firing(), 15, "it clears")


def test_a_queue_of_rabbitmq_in_all_its_troubles(url, broker):
    broker.declare("dead")
    broker.declare("orders", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    broker.publish("orders", 5)
    queue = {"system": "RabbitMQ", "name": "orders", "deadLetter": "dead", "maxLag": 20}
    with Live(url, a_watch({"name": "orders", "queue": queue}), held=1).polling() as it:
        until(
            lambda: it.firing() == set() and it.seen.signals and it.seen.signals[0].samples,
            30,
            "the queue is seen, and well",
        )
        broker.publish("orders", 40)
        until(
            lambda: {"orders/Backlog", "orders/Stalled"} <= it.firing(),
            40,
            "it is too long, grows, and nobody consumes",
        )
        broker.poison("orders", 30)
        until(lambda: "orders/Redelivered" in it.firing(), 40, "messages are delivered again and again")
        assert "orders/DeadLetters" not in it.firing()
        broker.take("orders", 3, "reject_requeue_false")
        until(lambda: "orders/DeadLetters" in it.firing(), 30, "dead letters")


# --- Replay


def recorded(end):
    """Return three days of a service, as OpenMetrics: an outage, a leak and a shift at known times."""
    random.seed(3)
    start = end - 3 * DAY
    rows = {"errors_ratio": [], "disk_free_bytes": [], "queue_length": []}
    for at in range(start, end, 30):
        day = (at - start) / DAY
        rows["errors_ratio"].append((at, "", 0.3 if 1.5 < day < 1.53 else 0.002 + random.random() * 0.002))
        free = 50 - 10 * day - 30 * max(0.0, day - 2.5)
        rows["disk_free_bytes"].append((at, "", max(0.0, free * 2**30 + random.gauss(0, 1e7))))
        wave = 100 + 60 * math.sin(2 * math.pi * day) + random.gauss(0, 4)
        rows["queue_length"].append((at, "", wave + (150 if 2.2 < day < 2.25 else 0)))
    lines = []
    for name, samples in rows.items():
        lines += [f"# TYPE {name} gauge", *(f"{name} {value} {at}" for at, _, value in samples)]
    return "\n".join([*lines, "# EOF", ""])


def test_replay_says_when_a_watch_would_have_fired_and_draws_it(tmp_path):
    end = int(time.time()) // 60 * 60 - 60
    watch = a_watch(
        {"name": "calls", "trace": {}},
        {"name": "errors", "metric": {"query": "errors_ratio", "above": "0.05"}},
        {"name": "queue", "metric": {"query": "queue_length", "unusual": {"direction": "Up"}}},
        {
            "name": "disk",
            "metric": {"query": "disk_free_bytes", "unit": "B", "forecast": {"limit": "0", "withinSeconds": 21600}},
        },
        {"name": "good", "slo": {"objectivePercent": "99", "errorRatio": "avg_over_time(errors_ratio[$window])"}},
        {"name": "bad", "metric": {"query": "sum(", "above": "1"}},
        intervalSeconds=60,
    )
    file, drawn = tmp_path / "watch.yaml", tmp_path / "watch.svg"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "hemostat.dev/v1alpha1",
                "kind": "Watch",
                **watch.model_dump(mode="json", by_alias=True, exclude_none=True),
            }
        )
    )
    with prometheus(tmp_path / "p", openmetrics=recorded(end)) as url:
        span = [
            f"--from={datetime.fromtimestamp(end - 3 * DAY, UTC).isoformat()}",
            f"--to={datetime.fromtimestamp(end, UTC).isoformat()}",
        ]
        found = json.loads(
            hemostat("replay", "watch", file, f"--prometheus={url}", *span, f"--out={drawn}", "--output=json")
        )
        table = hemostat("replay", "watch", file, f"--prometheus={url}", "--from=-2h")
    times = {}
    for alarm in found["alarms"]:
        began = datetime.fromisoformat(alarm["from"]).timestamp()
        times.setdefault(alarm["signal"], []).append((began - end) / DAY + 3)
    assert times["errors"] == [pytest.approx(1.5, abs=0.01)]
    assert times["queue"][0] == pytest.approx(2.2, abs=0.02), "the daily wave is usual"
    assert max(times["queue"]) < 2.28, "only the shift and its end are not"
    assert times["disk"] == [pytest.approx(2.78, abs=0.15)]
    assert min(times["good"]) == pytest.approx(1.5, abs=0.03)
    assert found["problems"].keys() == {"bad/metric"}
    assert found["leftOut"] == ["calls: traces are not in Prometheus"]
    bars = [e for e in ElementTree.parse(drawn).iter() if e.get("class") == "alarm" and len(e)]  # not the legend's
    assert len(bars) == len(found["alarms"])
    assert "could not be asked: bad/metric" in table
    assert "not replayed: calls" in table


POOLS = (
    ("hikaricp_connections_active", "", "hikaricp_connections_max", "pool"),
    ("jdbc_connections_active", "", "jdbc_connections_max", "name"),
    ("go_sql_in_use_connections", "", "go_sql_max_open_connections", "db_name"),
    (
        "db_client_connection_count",
        ',db_client_connection_state="used"',
        "db_client_connection_max",
        "db_client_connection_pool_name",
    ),
    ("db_client_connections_usage", ',state="used"', "db_client_connections_max", "pool_name"),
)


def exported(end):
    """Return an hour of what exporters say, by their own names and labels; every fault begins after half an hour.

    Written by hand after the exporters' documentation: kafka_exporter, Argo and Temporal do not run here.
    """
    pod = 'namespace="shop",pod="payment-7d9f8b6c5d-abcde",container="app"'
    rows = {}

    def say(series, value):
        rows.setdefault(series, []).append(value)

    times = range(end - 3600, end, 15)
    for at in times:
        ill = max(0, at - (end - 1800))  # seconds since the fault
        well = min(1800, at - (end - 3600))
        say('kafka_consumergroup_lag{consumergroup="billing",topic="orders",partition="0"}', 5 + ill // 3)
        say('kafka_consumergroup_lag{consumergroup="billing",topic="mails",partition="0"}', -1)
        say('kafka_consumergroup_current_offset{consumergroup="billing",topic="orders",partition="0"}', 10 * well)
        say('kafka_topic_partition_current_offset{topic="orders.dead",partition="0"}', 7 + ill // 60)
        # a Collector that looks at the same Kafka: its messages must not be counted a second time
        say('kafka_consumer_group_lag_ratio{group="billing",topic="orders",partition="0"}', 5 + ill // 3)
        say('argo_workflows_total_count{phase="Succeeded",namespace="argo"}', well // 10)
        say('argo_workflows_total_count{phase="Failed",namespace="argo"}', ill // 10)
        say('argo_workflows_total_count{phase="Running",namespace="argo"}', well // 10)
        say('argo_workflows_gauge{phase="Pending",namespace="argo"}', 3 if ill else 0)
        say('temporal_workflow_completed{namespace="default",workflow_type="pay",task_queue="pay"}', well // 10)
        say('temporal_workflow_failed{namespace="default",workflow_type="pay",task_queue="pay"}', ill // 10)
        say('approximate_backlog_age_seconds{namespace="default",taskqueue="pay",task_type="Workflow"}', ill)
        say(f"container_memory_working_set_bytes{{{pod}}}", 40e6 + 40e3 * ill)
        say(f"container_spec_memory_limit_bytes{{{pod}}}", 128e6)
        say(f"container_cpu_cfs_periods_total{{{pod}}}", 10 * (well + ill))
        say(f"container_cpu_cfs_throttled_periods_total{{{pod}}}", 9 * ill)
        say(f"container_cpu_usage_seconds_total{{{pod}}}", 0.01 * well + 0.095 * ill)
        say(f"container_spec_cpu_quota{{{pod}}}", 10_000)
        say(f"container_spec_cpu_period{{{pod}}}", 100_000)
        say(f"kube_pod_container_status_restarts_total{{{pod}}}", ill // 60)
        say(f'http_server_request_duration_seconds_count{{{pod},http_response_status_code="200"}}', 5 * (well + ill))
        say(f'http_server_request_duration_seconds_count{{{pod},http_response_status_code="500"}}', ill)
        for used, state, most, label in POOLS:
            say(f'{used}{{{pod},{label}="{used}"{state}}}', 3 + min(ill / 200, 6))
            say(f'{most}{{{pod},{label}="{used}"}}', 9)
        mount = 'namespace="shop",persistentvolumeclaim="data"'
        say(f"kubelet_volume_stats_capacity_bytes{{{mount}}}", 10e9)
        say(f"kubelet_volume_stats_available_bytes{{{mount}}}", 5e9 - 2.7e6 * ill)
        expiry = end + 7 * DAY - 1800
        say('certmanager_certificate_expiration_timestamp_seconds{namespace="shop",name="payment-tls"}', expiry)
        say('x509_cert_not_after{secret_namespace="shop",secret_name="other-tls",secret_key="tls.crt"}', expiry + 60)
    lines, family = [], ""
    for series, values in sorted(rows.items()):
        name = series.split("{")[0]
        if name != family:
            lines.append(f"# TYPE {name} gauge")
            family = name
        lines += [f"{series} {value} {at}" for at, value in zip(times, values, strict=True)]
    return "\n".join([*lines, "# EOF", ""])


PRESETS = (
    {"name": "kafka", "queue": {"system": "Kafka", "name": "billing", "deadLetter": "orders.dead", "maxLag": 8}},
    {"name": "argo", "workflow": {"system": "Argo"}},
    {"name": "temporal", "workflow": {"system": "Temporal", "name": "pay"}},
    {"name": "metrics", "standard": {}},
)
EXPECTED = {
    "kafka/Backlog", "kafka/Stalled", "kafka/DeadLetters", "argo/Failed", "argo/Stuck", "temporal/Failed",
    "temporal/Stuck", "metrics/MemoryExhaustion", "metrics/CpuSaturation", "metrics/Restarts",
    "metrics/ConnectionPool", "metrics/ConnectionPoolFull",
    "metrics/RequestErrorsOtel",
}  # fmt: skip


def test_every_preset_is_silent_while_all_is_well_and_fires_when_it_is_not(tmp_path):
    end = int(time.time()) // 60 * 60 - 60
    start, fault = datetime.fromtimestamp(end - 3600 + 300, UTC), datetime.fromtimestamp(end - 1800, UTC)
    with prometheus(tmp_path / "p", openmetrics=exported(end)) as url:
        client = Prometheus(url, 30)
        found = replay(a_watch(*PRESETS), client, Span(start, datetime.fromtimestamp(end - 15, UTC), 15))
        target = Target("shop", TargetRef(name="payment"), ("data",), ("payment-tls", "other-tls"))
        mounted = [
            r
            for r in rules_of(a_watch().spec, target)
            if r.aspect in ("VolumeExhaustion", "VolumeFull", "CertificateExpiry")
        ]
        expiring = next(r.query for r in mounted if r.aspect == "CertificateExpiry")
        assert {dict(s.labels)["name"] for s in client.instant(expiring).series} == {"payment-tls", "other-tls"}
        values = {r.aspect: client.between(r.query, start, fault, 60)[0].points for r in mounted}
        late = {
            r.aspect: client.between(r.query, fault, datetime.fromtimestamp(end - 60, UTC), 60)[0].points
            for r in mounted
        }
    assert found.problems == {}
    assert {a.key.split("{")[0] for a in found.alarms} == EXPECTED
    pools = {a.key for a in found.alarms if "/ConnectionPool" in a.key}
    assert pools == {f"metrics/ConnectionPool{full}{{pool={used}}}" for used, *_ in POOLS for full in ("", "Full")}
    for alarm in found.alarms:
        assert alarm.began >= fault, alarm.note
    assert values["VolumeFull"][0][1] == pytest.approx(50)
    assert late["VolumeFull"][-1][1] > 95
    assert values["CertificateExpiry"][0][1] > 7 * DAY > late["CertificateExpiry"][-1][1]


def test_replay_from_a_prometheus_that_is_not_there_is_one_clear_line(tmp_path):
    file = tmp_path / "watch.yaml"
    file.write_text("apiVersion: hemostat.dev/v1alpha1\nkind: Watch\nmetadata: {name: a}\nspec: {target: {name: a}}\n")
    done = command("replay", "watch", file, "--prometheus=http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Prometheus at http://127.0.0.1:9 cannot be reached: Failed to")
    assert "Traceback" not in done.stderr


def hemostat(*words) -> str:
    done = command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(*words) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).parent / "hemostat"
    return subprocess.run([script, *map(str, words)], capture_output=True, text=True, timeout=300, check=False)


def test_no_error_of_the_client_escapes_unnamed(url):
    """Everything that asking may raise is one of ours."""
    for query in ("", "up offset", "\x00", "\ud800", "(" * 10_000):
        with pytest.raises(HemostatError):
            Prometheus(url).instant(query)
