"""Each rule that pages people fires when it shall and is silent when it shall be, as promtool evaluates it; and the
Prometheus Operator takes what is generated for it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.api.modules import Module
from tests.api.programs import debian
from tests.api.support import ROOT, Cluster

from hemostat.alerting import alerts
from hemostat.telemetry.alerts import OWN
from hemostat_chaos.cluster import run

FOLDER = ROOT / "operator/deploy/alerts"
PROMETHEUS_OPERATOR = Module(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    tuple(
        f"example/prometheus-operator-crd/monitoring.coreos.com_{k}.yaml" for k in ("prometheusrules", "podmonitors")
    ),
)
INTERVAL = 15
ACT, OBSERVE, RELAY = (f'hemostat_build_info{{process="{p}",version="1"}}' for p in ("act", "observe", "relay"))
SINCE = 'hemostat_approval_waiting_since_timestamp_seconds{{target_namespace="{}",remediation="{}",incident="i"{}}}'
WATCHES = 'hemostat_world_objects{kind="Watch"}'
FREE, SIZE = (f'hemostat_audit_volume_bytes{{kind="{kind}"}}' for kind in ("free", "size"))
HEADS = 'hemostat_retries_total{queue="heads"}'
GIB = 2**30


@dataclass(frozen=True)
class Case:
    """What Prometheus has scraped since 0, every 15 s, and what fires at a moment."""

    alert: str
    what: str
    series: dict[str, str]
    at: str
    fires: tuple[dict[str, str], ...] = ()


def answered(process: str, values: str) -> dict[str, str]:
    return {f'hemostat_api_answered_timestamp_seconds{{process="{process}"}}': values}


def looks(values: str, outcome: str = "ok") -> dict[str, str]:
    return {f'hemostat_looks_total{{outcome="{outcome}"}}': values}


def asked(answered: str, failed: str) -> dict[str, str]:
    name = 'hemostat_model_requests_total{{provider="p",outcome="{}"}}'
    return {name.format("Answered"): answered, name.format("Open"): failed}


def silent(alert: str, series: str) -> list[Case]:
    return [
        Case(alert, "it was never there", {}, "10m", ({},)),
        Case(alert, "it is not there yet", {}, "2m"),
        Case(alert, "it went away", {series: "1x20 stale"}, "15m", ({},)),
        Case(alert, "it is up for 30 s of every two minutes", {series: " ".join(["1 1 stale _x5"] * 20)}, "20m", ({},)),
        Case(alert, "it is there", {series: "1x100"}, "20m"),
        Case(alert, "it was restarted for a minute", {series: "1x20 stale _x3 1x40"}, "8m"),
        Case(alert, "one of two replicas is there", {series: "1x20 stale", series.replace("1", "2"): "1x100"}, "15m"),
        Case(alert, "Prometheus began to scrape when it began", {series: "1x100"}, "4m"),
    ]


CASES = [
    Case("HemostatWatchdog", "from the first moment", {}, "0s", ({},)),
    Case("HemostatWatchdog", "and on", {ACT: "1x100"}, "1h", ({},)),
    Case(
        "HemostatApprovalUnanswered",
        "the one of each namespace that waits for a quarter of an hour, under the namespace's own name",
        {
            SINCE.format("shop", "a", ',namespace="hemostat-system",pod="p"'): "0x80",
            SINCE.format("crm", "b", ""): "600x80",
        },
        "16m",
        ({"namespace": "shop", "remediation": "a", "incident": "i"},),
    ),
    Case("HemostatApprovalUnanswered", "not sooner", {SINCE.format("shop", "a", ""): "0x80"}, "14m"),
    Case("HemostatApprovalUnanswered", "not once it is answered", {SINCE.format("shop", "a", ""): "0x80 stale"}, "22m"),
    *silent("HemostatActSilent", ACT),
    *silent("HemostatObserveSilent", OBSERVE),
    Case("HemostatRelaySilent", "it was there an hour ago", {RELAY: "1x40 stale"}, "1h", ({},)),
    Case("HemostatRelaySilent", "there never was one", {ACT: "1x300"}, "1h"),
    Case("HemostatRelaySilent", "it is there", {RELAY: "1x300"}, "1h"),
    Case("HemostatRelaySilent", "it is replaced", {RELAY: "1x40 stale"}, "15m"),
    Case("HemostatRelaySilent", "it was taken away long ago", {RELAY: "1x40 stale"}, "7h"),
    Case(
        "HemostatNoLeader",
        "two stand by",
        {ACT: "1x40", 'hemostat_leader{pod="a"}': "0x40", 'hemostat_leader{pod="b"}': "0x40"},
        "9m",
        ({},),
    ),
    Case(
        "HemostatNoLeader",
        "one of two acts",
        {ACT: "1x40", 'hemostat_leader{pod="a"}': "0x40", 'hemostat_leader{pod="b"}': "1x40"},
        "9m",
    ),
    Case("HemostatNoLeader", "one takes over", {ACT: "1x40", 'hemostat_leader{pod="a"}': "1x10 0x5 1x25"}, "3m"),
    Case("HemostatCutOff", "never answered", {ACT: "1x80"}, "15m", ({"process": "act"},)),
    Case(
        "HemostatCutOff",
        "answered no more",
        {ACT: "1x80", OBSERVE: "1x80", **answered("act", "0+15x80"), **answered("observe", "0+15x10 150x70")},
        "15m",
        ({"process": "observe"},),
    ),
    Case("HemostatCutOff", "answered", {ACT: "1x80", **answered("act", "0+15x80")}, "15m"),
    Case("HemostatCutOff", "it begins", {ACT: "1x80"}, "4m"),
    Case("HemostatCutOff", "it is down, of which another alert tells", {ACT: "1x10 stale"}, "15m"),
    Case("HemostatLooksStopped", "never looked", {WATCHES: "3x80"}, "15m", ({},)),
    Case("HemostatLooksStopped", "looks no more", {WATCHES: "3x120", **looks("0+1x20 20x100")}, "25m", ({},)),
    Case(
        "HemostatLooksStopped",
        "looks every five minutes",
        {WATCHES: "1x120", **looks("0x20 1x20 2x20 3x20 4x20")},
        "20m",
    ),
    Case("HemostatLooksStopped", "there are no Watches", {WATCHES: "0x120"}, "20m"),
    Case("HemostatLooksStopped", "it begins", {WATCHES: "3x80"}, "4m"),
    Case(
        "HemostatBlind",
        "most looks without Prometheus",
        {**looks("0+1x100"), **looks("0+9x100", "PrometheusUnavailable")},
        "25m",
        ({},),
    ),
    Case("HemostatBlind", "for a moment", looks("0+9x100", "PrometheusUnavailable"), "5m"),
    Case("HemostatBlind", "few of them", {**looks("0+9x100"), **looks("0+1x100", "PrometheusUnavailable")}, "25m"),
    Case(
        "HemostatQueueStuck",
        "for minutes",
        {'hemostat_queue_stuck_seconds{queue="watches"}': "0x60 0+15x40"},
        "25m",
        ({"queue": "watches"},),
    ),
    Case(
        "HemostatQueueStuck",
        "again and again, though it is restarted",
        {'hemostat_queue_stuck_seconds{queue="watches"}': " ".join(["0+15x11"] * 8)},
        "22m",
        ({"queue": "watches"},),
    ),
    Case("HemostatQueueStuck", "slow work", {'hemostat_queue_stuck_seconds{queue="watches"}': "45x90"}, "20m"),
    Case("HemostatQueueStuck", "once", {'hemostat_queue_stuck_seconds{queue="watches"}': "0x60 0+15x12 0x30"}, "20m"),
    Case("HemostatStopped", "for hours", {"hemostat_stopped": "2x1500"}, "5h", ({},)),
    Case("HemostatStopped", "though act was restarted", {"hemostat_stopped": "1x500 stale _x10 1x990"}, "5h", ({},)),
    Case("HemostatStopped", "for an hour", {"hemostat_stopped": "0x960 1x240"}, "5h"),
    Case("HemostatNotRecording", "steps wait", {"hemostat_unrecorded_total": "0+1x60"}, "10m", ({},)),
    Case("HemostatNotRecording", "it is another log", {"hemostat_audit_refused": "1x60"}, "10m", ({},)),
    Case(
        "HemostatNotRecording",
        "all is recorded",
        {"hemostat_unrecorded_total": "7x60", "hemostat_audit_refused": "0x60"},
        "10m",
    ),
    Case("HemostatNotRecording", "one step had to wait", {"hemostat_unrecorded_total": "0x8 1x60"}, "12m"),
    Case("HemostatNotRecording", "steps have waited for a minute", {"hemostat_unrecorded_total": "0x8 0+1x60"}, "4m"),
    Case("HemostatHeadsUnpublished", "for long", {HEADS: "_x20 1+1x100"}, "25m", ({},)),
    Case("HemostatHeadsUnpublished", "for ten minutes", {HEADS: "1+0.5x40 21x90"}, "30m"),
    Case("HemostatAuditFillsUp", "a fifth is left", {SIZE: f"{GIB}x90", FREE: f"{GIB // 6}x90"}, "20m", ({},)),
    Case("HemostatAuditFillsUp", "it is empty", {SIZE: f"{GIB}x90", FREE: f"{GIB // 2}x90"}, "20m"),
    Case(
        "HemostatAuditFillsUp",
        "it is a share of a large disk",
        {SIZE: f"{1000 * GIB}x90", FREE: f"{90 * GIB}x90"},
        "20m",
    ),
    Case(
        "HemostatAuditNearlyFull", "almost nothing is left", {SIZE: f"{GIB}x90", FREE: f"{GIB // 30}x90"}, "20m", ({},)
    ),
    Case("HemostatAuditNearlyFull", "it cannot be read or written", {SIZE: "0x90", FREE: "0x90"}, "20m", ({},)),
    Case("HemostatAuditFillsUp", "for a moment", {SIZE: f"{GIB}x90", FREE: f"{GIB // 6}x20"}, "4m"),
    Case("HemostatAuditNearlyFull", "for a moment", {SIZE: f"{GIB}x90", FREE: f"{GIB // 30}x20"}, "4m"),
    Case("HemostatAuditNearlyFull", "much of a large disk", {SIZE: f"{999 * GIB}x90", FREE: f"{9 * GIB}x90"}, "20m"),
    Case("HemostatAuditNearlyFull", "a fifth is left", {SIZE: f"{GIB}x90", FREE: f"{GIB // 6}x90"}, "20m"),
    Case("HemostatAuditNearlyFull", "it is in PostgreSQL", {"hemostat_audit_bytes": "1e12x90"}, "20m"),
    Case(
        "HemostatSlackDisconnected",
        "for long",
        {'hemostat_connected{to="Slack"}': "1x20 0x60"},
        "20m",
        ({"to": "Slack"},),
    ),
    Case("HemostatSlackDisconnected", "for a moment", {'hemostat_connected{to="Slack"}': "1x20 0x5 1x60"}, "6m"),
    Case("HemostatSlackDisconnected", "there is no relay", {ACT: "1x80"}, "20m"),
    Case("HemostatModelsSilent", "none answers", asked("5x300", "0+1x300"), "1h", ({},)),
    Case("HemostatModelsSilent", "some answer", asked("0+1x300", "0+9x300"), "1h"),
    Case("HemostatModelsSilent", "for ten minutes", asked("5x300", "0+1x300"), "10m"),
    Case("HemostatModelsSilent", "none is asked", asked("5x300", "7x300"), "1h"),
]


@pytest.fixture(scope="module")
def promtool() -> Path:
    return debian("prometheus", ["prometheus"]) / "usr/bin/promtool"


def in_force(alert: str, labels: dict[str, str]) -> str:
    severity = next(a.severity for a in alerts() if a.name == alert)
    both = {"alertname": alert, "alertstate": "firing", "severity": severity, OWN: "true", **labels}
    return f"ALERTS{{{','.join(f'{k}={json.dumps(v)}' for k, v in both.items())}}}"


def test_prometheus_takes_the_rules(promtool: Path) -> None:
    said = run.output([promtool, "check", "rules", "--lint=all", "--lint-fatal", FOLDER / "hemostat.rules.yaml"])
    assert f"{len(alerts())} rules found" in said


def test_each_rule_is_seen_to_fire_and_to_be_silent() -> None:
    tested = {(case.alert, bool(case.fires)) for case in CASES}
    wanted = {(alert.name, fires) for alert in alerts() for fires in (True, False)}
    assert tested == wanted - {("HemostatWatchdog", False)}


@pytest.mark.parametrize("alert", [alert.name for alert in alerts()])
def test_a_rule_fires_when_it_shall_and_is_silent_when_it_shall_be(promtool: Path, tmp_path: Path, alert: str) -> None:
    (group,) = yaml.safe_load((FOLDER / "hemostat.rules.yaml").read_text())["groups"]
    only = {"groups": [{**group, "rules": [r for r in group["rules"] if r["alert"] == alert]}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(only))
    tests = [
        {
            "name": case.what,
            "interval": f"{INTERVAL}s",
            "input_series": [{"series": s, "values": v} for s, v in case.series.items()],
            "promql_expr_test": [
                {
                    "expr": 'ALERTS{alertstate="firing"}',
                    "eval_time": case.at,
                    "exp_samples": [{"labels": in_force(alert, labels), "value": 1} for labels in case.fires],
                }
            ],
        }
        for case in CASES
        if case.alert == alert
    ]
    body = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(body))
    done = run.attempt([promtool, "test", "rules", tmp_path / "test.yaml"], deadline=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_prometheus_operator_takes_what_is_generated_for_it(cluster: Cluster) -> None:
    for definition in PROMETHEUS_OPERATOR.definitions():
        cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(definition))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    said = cluster.kubectl("apply", "--server-side", "--validate=strict", "-k", str(FOLDER / "prometheus-operator"))
    assert said.stdout.splitlines() == [
        "podmonitor.monitoring.coreos.com/hemostat serverside-applied",
        "prometheusrule.monitoring.coreos.com/hemostat serverside-applied",
    ]
    made = cluster.kubectl("apply", "--dry-run=server", "--namespace=default", "-k", str(FOLDER)).stdout
    assert made == "configmap/hemostat-alerts created (server dry run)\n"
