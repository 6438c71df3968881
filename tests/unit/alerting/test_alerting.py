"""The rules that page people: they ask for metrics that exist, say what to do, and are quick only for tests."""

import re

import pytest

from hemostat import metrics
from hemostat.alerting import NONE, PAGE, TICKET, alerts, duration, groups
from hemostat.dashboard import PANELS
from hemostat.telemetry.alerts import OWN

ALL = alerts()
NAMES = {
    metrics.name(found)
    for found in vars(metrics).values()
    if isinstance(found, metrics.MetricWrapperBase | metrics.Table)
}


def unquoted(expression):
    return re.sub(r'"[^"]*"', "", expression)


def test_every_metric_that_is_asked_for_exists():
    asked = {m for a in ALL for m in re.findall(r"hemostat_\w+", unquoted(a.expression))}
    assert len(asked) > 10
    assert asked <= NAMES
    shown = {m for _, expression, _, _ in PANELS for m in re.findall(r"hemostat_\w+", unquoted(expression))}
    assert {re.sub("_bucket$", "", m) for m in shown} <= NAMES


@pytest.mark.parametrize("alert", ALL, ids=lambda a: a.name)
def test_an_alert_says_how_urgent_it_is_and_what_to_do(alert):
    assert re.fullmatch(r"Hemostat[A-Z]\w+", alert.name)
    assert alert.severity in (PAGE, TICKET, NONE)
    assert 10 < len(alert.summary) < 120 or alert.severity == NONE
    assert alert.severity == NONE or re.search(r"kubectl|HEMOSTAT_|hemostat_", alert.description)


def test_every_alert_is_marked_as_ours_so_that_none_becomes_an_incident():
    rules = groups()[0]["rules"]
    assert len({r["alert"] for r in rules}) == len(rules)
    assert all(r["labels"][OWN] == "true" for r in rules)


def test_the_pace_changes_every_time_and_nothing_else():
    def bare(alert):
        without = re.sub(r"\d+(\.\d+)?(ms|s|m|h)\b", "T", alert.expression)
        return re.sub(r"(> time\(\) - |\) > (bool )?)[\d.]+", r"\1T", without)

    slow, fast = alerts(), alerts(0.01)
    assert [bare(a) for a in slow] == [bare(a) for a in fast]
    times = [(a.expression, b.expression) for a, b in zip(slow, fast, strict=True) if re.search(r"\[\d", a.expression)]
    assert len(times) > 5
    assert all(a != b for a, b in times)
    assert [r.get("for") for r in groups(0.01)[0]["rules"] if r["alert"] == "HemostatStopped"] == ["144s"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.15, "150ms"), (90, "90s"), (60, "1m"), (5400, "90m"), (14400, "4h")]
)
def test_durations_are_written_as_prometheus_reads_them(seconds, text):
    assert duration(seconds) == text


def test_no_metric_has_a_label_that_prometheus_sets_itself():
    """It would be renamed `exported_...`, or not (`honorLabels`): a query would be right for one of the two."""
    taken = {"namespace", "pod", "container", "service", "job", "instance", "endpoint", "node"}
    ours = {metric: set(metric._labelnames) for metric in vars(metrics).values() if hasattr(metric, "_labelnames")}
    assert len(ours) > 30
    assert {metric._name: labels & taken for metric, labels in ours.items() if labels & taken} == {}
