"""Which Watch an alert is about, and what it says there."""

import pytest
from tests.unit.builders import at

from hemostat.api.incident import SignalSource
from hemostat.api.meta import TargetRef
from hemostat.api.watch import AlertSignal, SignalKind
from hemostat.signals.alert import MAX_NAMES, TIMING, concerns, judge
from hemostat.signals.base import Debounced, SignalState, step
from hemostat.telemetry.alerts import Alert, Standing

ANY = AlertSignal()
PAYMENT = TargetRef(name="payment")


def alert(name="Slow", summary="", **labels):
    found = {"alertname": name, "namespace": "shop"} | labels
    return Alert(
        str(found), tuple(sorted((k, v) for k, v in found.items() if v)), resolved=False, ends=None, summary=summary
    )


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"deployment": "payment"}, True),
        ({"deployment": "payments"}, False),
        ({"deployment": "payment", "namespace": "other"}, False),
        ({"deployment": "payment", "namespace": ""}, False),
        ({"workload": "payment", "workload_type": "deployment"}, True),
        ({"workload": "payment", "workload_type": "statefulset"}, False),
        ({"workload": "payment"}, True),
        ({"pod": "payment-7d4b9c6f5-x2x9z"}, True),
        ({"pod": "payment-api-7d4b9c6f5-x2x9z"}, False),  # pods of the Deployment payment-api
        ({"pod": "payment"}, False),
        ({"pod": "payment-0"}, False),
        ({"service": "payment"}, True),
        ({"job": "payment"}, True),
        ({"job": "shop/payment"}, True),
        ({"job": "other/payment"}, False),
        # the exporter's own labels say nothing where a workload is named
        ({"pod": "checkout-7d4b9c6f5-x2x9z", "service": "payment", "job": "payment"}, False),
        ({"statefulset": "payment"}, False),
        ({}, False),
    ],
)
def test_labels_name_a_deployment(labels, wanted):
    assert concerns(alert(**labels), ANY, "shop", PAYMENT) is wanted


def test_an_alert_about_hemostat_itself_is_about_no_target():
    """Else what waits for a person opens an Incident, which proposes something, which waits for a person."""
    own = alert("HemostatApprovalUnanswered", deployment="payment", hemostat_alert="true")
    assert not concerns(own, ANY, "shop", PAYMENT)
    assert not concerns(own, AlertSignal(names=("HemostatApprovalUnanswered",)), "shop", PAYMENT)
    assert not concerns(own, ANY, "shop", TargetRef(kind="Node", name="n"))
    assert concerns(alert("HemostatApprovalUnanswered", deployment="payment"), ANY, "shop", PAYMENT)


@pytest.mark.parametrize(
    ("kind", "labels", "wanted"),
    [
        ("StatefulSet", {"statefulset": "payment"}, True),
        ("StatefulSet", {"pod": "payment-12"}, True),
        ("StatefulSet", {"pod": "payment-x2x9z"}, False),
        ("DaemonSet", {"daemonset": "payment"}, True),
        ("DaemonSet", {"pod": "payment-x2x9z"}, True),
        ("Job", {"job_name": "payment"}, True),
        ("CronJob", {"cronjob": "payment"}, True),
        ("CronJob", {"pod": "payment-29384756-x2x9z"}, True),
        ("Node", {"node": "payment", "namespace": ""}, True),
        ("Node", {"instance": "payment"}, True),
        ("Job", {"pod": "payment-3-x2x9z"}, True),
        ("Rollout", {"pod": "payment-7d4b9c6f5-x2x9z"}, True),
        ("Rollout", {"pod": "payment-api-7d4b9c6f5-x2x9z"}, False),
        ("Kafka", {"pod": "payment-0"}, True),
        ("Kafka", {"pod": "payment-api-abcde-0"}, False),
        ("Rollout", {"workload": "payment"}, True),
    ],
)
def test_labels_name_other_kinds(kind, labels, wanted):
    assert concerns(alert(**labels), ANY, "shop", TargetRef(kind=kind, name="payment")) is wanted


@pytest.mark.parametrize(
    ("name", "labels", "wanted"),
    [
        ("Slow", {}, True),
        ("Slow", {"deployment": "checkout"}, True),  # whoever names alerts says that they are about the target
        ("Slow", {"namespace": ""}, True),
        ("Slow", {"namespace": "other"}, False),  # but not for another namespace
        ("Fast", {"deployment": "payment"}, False),
    ],
)
def test_names_decide_where_there_are_any(name, labels, wanted):
    assert concerns(alert(name, **labels), AlertSignal(names=("Slow",)), "shop", PAYMENT) is wanted


def seen(*known):
    return list(judge("alerts", [told for told in known if concerns(told[0], ANY, "shop", PAYMENT)]))


def test_one_signal_per_name_of_alert_that_counts_and_says_what_it_says():
    (found,) = seen(
        (alert(deployment="payment", a="1", summary="p95 is 2 s"), Standing.FIRING),
        (alert(deployment="payment", a="2", summary="p95 is 2 s"), Standing.FIRING),
        (alert(deployment="payment", a="3"), Standing.RESOLVED),
        (alert(deployment="checkout"), Standing.FIRING),
    )
    assert (found.key, found.kind, found.source) == ("alerts/Slow", SignalKind.ALERT, SignalSource.ALERTMANAGER)
    assert (found.wrong, found.value, found.samples, found.note) == (True, 2.0, 3, "p95 is 2 s")


@pytest.mark.parametrize(
    ("standing", "wrong"), [(Standing.FIRING, True), (Standing.RESOLVED, False), (Standing.STALE, None)]
)
def test_resolved_is_well_and_stale_is_silence(standing, wrong):
    (found,) = seen((alert(deployment="payment"), standing))
    assert found.wrong is wrong


def test_it_fires_and_clears_at_once():
    (firing,) = seen((alert(deployment="payment"), Standing.FIRING))
    (resolved,) = seen((alert(deployment="payment"), Standing.RESOLVED))
    state = step(TIMING, Debounced(), firing, at(0))
    assert state.state is SignalState.FIRING
    assert step(TIMING, state, resolved, at(1)).state is SignalState.CLEAR


def test_no_more_names_than_a_watch_can_bear_those_that_fire_first():
    many = [(alert(f"A{i:03}", deployment="payment"), Standing.RESOLVED) for i in range(100)]
    found = seen(*many, (alert("Zebra", deployment="payment"), Standing.FIRING))
    assert len(found) == MAX_NAMES
    assert found[0].key == "alerts/Zebra"
