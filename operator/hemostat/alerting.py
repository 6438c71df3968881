"""Who is called when nobody answers Hemostat, or Hemostat itself does not: Prometheus' alerting rules (pure).

Severities as in most Alertmanager configurations: `critical` pages, `warning` is a ticket, `none` is the watchdog.
Expressions tell apart "is zero" and "is not there": whoever is dead exports nothing. `designs/0018-paging.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hemostat import metrics as m
from hemostat.api.identity import LEASE, NAMESPACE
from hemostat.metrics import name
from hemostat.telemetry.alerts import OWN

Json = dict[str, Any]
Duration = Callable[[float], str]
"""Writes seconds as Prometheus does."""
MEBI = 2**20
PAGE, TICKET, NONE = "critical", "warning", "none"
PODS = "app.kubernetes.io/part-of=hemostat"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule."""

    name: str
    severity: str
    expression: str
    """PromQL; what it yields fires, one alert for each set of labels."""
    held: float
    """Seconds for which it must hold."""
    summary: str
    description: str
    """What it means and what to do. Both are Go templates over the labels and the value."""


def alerts(pace: float = 1.0) -> tuple[Alert, ...]:
    """Return all rules.

    :param pace: factor of every time in them, ages included: tests do not wait for a quarter of an hour.
    """

    def d(seconds: float) -> str:
        return duration(seconds * pace)

    def n(seconds: float) -> str:
        return f"{seconds * pace:g}"

    return (*_watchdog(), *_people(n), *_silence(d, n), *_work(d, n), *_audit(d), *_helpers(d))


def _watchdog() -> tuple[Alert, ...]:
    return (
        Alert(
            "HemostatWatchdog",
            NONE,
            "vector(1)",
            0,
            "Always fires",
            "Sent as long as Prometheus evaluates these rules and Alertmanager sends. Route it, repeated every minute, "
            "to a receiver outside the cluster that pages when it stops: then nobody would hear of any other alert.",
        ),
    )


def _people(n: Duration) -> tuple[Alert, ...]:
    renamed = f'label_replace({name(m.WAITING_SINCE)}, "namespace", "$1", "target_namespace", "(.+)")'
    return (
        Alert(
            "HemostatApprovalUnanswered",
            PAGE,
            f"time() - min by (namespace, remediation, incident) ({renamed}) > {n(900)}",
            0,
            "{{ $labels.namespace }}/{{ $labels.remediation }} has waited for a person for "
            "{{ $value | humanizeDuration }}",
            "Incident {{ $labels.incident }} goes on meanwhile. Of those that wait in this namespace this one has "
            "waited longest; time in which it was held back does not count.\n"
            "Look: kubectl hemostat explain -n {{ $labels.namespace }} {{ $labels.remediation }}\n"
            "Decide: kubectl hemostat approve -n {{ $labels.namespace }} {{ $labels.remediation }} (or deny)\n"
            "Take it on yourself, which ends this page: "
            "kubectl hemostat acknowledge -n {{ $labels.namespace }} {{ $labels.incident }}",
        ),
    )


def _silence(d: Duration, n: Duration) -> tuple[Alert, ...]:
    def there(process: str) -> str:
        """Share of the last five minutes in which the process was there: a crash loop is silence, too."""
        count = f'count({name(m.BUILD)}{{process="{process}"}}) > bool 0 or vector(0)'
        return f"avg_over_time(({count})[{d(300)}:{d(15)}]) < 0.5"

    build, answered = name(m.BUILD), name(m.API_ANSWERED)
    see = f"See: kubectl get pods -n {NAMESPACE} -l {PODS}; kubectl logs -n {NAMESPACE}"
    return (
        Alert(
            "HemostatActSilent",
            PAGE,
            there("act"),
            180,
            "hemostat act is silent: nothing is healed, verified or undone",
            "It is down, crashes again and again, or is not scraped. Who waits for it waits; what it had begun it goes "
            f"on with when it is back.\n{see} deploy/hemostat-act --previous\n"
            "Take back by hand what it left: kubectl hemostat undo --help, kubectl hemostat cuts -A",
        ),
        Alert(
            "HemostatObserveSilent",
            PAGE,
            there("observe"),
            180,
            "hemostat observe is silent: nothing is noticed, and nothing verified",
            "It is down, crashes again and again, or is not scraped. Your other alerts are all you have meanwhile.\n"
            f"{see} deploy/hemostat-observe --previous",
        ),
        Alert(
            "HemostatRelaySilent",
            TICKET,
            f'count(count_over_time({build}{{process="relay"}}[{d(21600)}])) > 0 '
            f'unless on () count({build}{{process="relay"}}) > 0',
            600,
            "hemostat relay, which was there in the last hours, is silent: Slack is told nothing",
            "Who is to decide does not hear of it in Slack; kubectl hemostat approve works.\n"
            f"{see} deploy/hemostat-relay --previous",
        ),
        Alert(
            "HemostatNoLeader",
            PAGE,
            f'count({build}{{process="act"}}) > 0 unless on () sum({name(m.LEADER)}) > 0',
            180,
            "{{ $value }} replicas of hemostat act are up and none of them acts",
            "Nothing is healed, verified or undone. Who holds the Lease, and can they reach the API server?\n"
            f"kubectl get lease -n {NAMESPACE} {LEASE} -o yaml; kubectl logs -n {NAMESPACE} "
            "-l app.kubernetes.io/name=hemostat-act --prefix",
        ),
        Alert(
            "HemostatCutOff",
            PAGE,
            f'max by (process) ({build}{{process=~"act|observe"}}) '
            f"unless on (process) max by (process) ({answered}) > time() - {n(300)}",
            300,
            "hemostat {{ $labels.process }} gets no answers from the API server",
            "It is up and can do nothing. Is the API server well, are the operator's roles and network policies as "
            f"installed?\n{see} deploy/hemostat-{{{{ $labels.process }}}}",
        ),
    )


def _work(d: Duration, n: Duration) -> tuple[Alert, ...]:
    looks, watches = name(m.LOOKS), f'{name(m.WORLD_OBJECTS)}{{kind="Watch"}}'
    blind = f'sum(rate({looks}{{outcome="PrometheusUnavailable"}}[{d(600)}]))'
    return (
        Alert(
            "HemostatLooksStopped",
            PAGE,
            f"sum({watches}) > 0 unless on () sum(increase({looks}[{d(600)}])) > 0",
            300,
            "hemostat observe is up and has looked at none of {{ $value }} Watches for ten minutes",
            "Nothing is noticed. Restart it, and report what its log says:\n"
            f"kubectl logs -n {NAMESPACE} deploy/hemostat-observe\n"
            f"kubectl rollout restart -n {NAMESPACE} deploy/hemostat-observe",
        ),
        Alert(
            "HemostatBlind",
            TICKET,
            f"{blind} > 0.5 * sum(rate({looks}[{d(600)}]))",
            600,
            "hemostat observe gets no answers from Prometheus",
            "Most looks at Watches judge without metrics. kubectl get watches.hemostat.dev -A says why; is "
            "HEMOSTAT_PROMETHEUS_URL right?",
        ),
        Alert(
            "HemostatQueueStuck",
            PAGE,
            f"avg_over_time((max by (queue) ({name(m.QUEUE_STUCK)}) > bool {n(60)})[{d(900)}:{d(15)}]) > 0.3",
            0,
            "Work of Hemostat in queue {{ $labels.queue }} stands still",
            "Restarts by the liveness probe did not help, or there were none. What does it wait for?\n"
            f"kubectl logs -n {NAMESPACE} -l {PODS} --prefix",
        ),
        Alert(
            "HemostatStopped",
            TICKET,
            f"max(max_over_time({name(m.STOPPED)}[{d(600)}])) > 0",
            14400,
            "Hemostat has been stopped for hours (level {{ $value }})",
            "Somebody used the stop switch, and nothing new is healed (1), or not even undone (2). Who and why: "
            "kubectl hemostat status. To go on: kubectl hemostat resume",
        ),
    )


def _audit(d: Duration) -> tuple[Alert, ...]:
    def full(percent: int, most: int) -> str:
        volume = name(m.AUDIT_VOLUME)
        free, size = (f'min({volume}{{kind="{kind}"}})' for kind in ("free", "size"))
        return f"{free} <= {percent / 100:g} * {size} and {free} < {most * MEBI}"

    larger = (
        "When it is full nothing is done any more. Make the claim larger: "
        f"kubectl edit pvc hemostat-audit -n {NAMESPACE}"
    )
    return (
        Alert(
            "HemostatNotRecording",
            PAGE,
            f"sum(increase({name(m.UNRECORDED)}[{d(300)}])) > 0 or max({name(m.AUDIT_REFUSED)}) > 0",
            300,
            "The audit log takes nothing, so Hemostat does nothing",
            "Full, read-only, unreachable, or not the log that was published.\n"
            f"kubectl logs -n {NAMESPACE} deploy/hemostat-act says which, and what to do.",
        ),
        Alert(
            "HemostatHeadsUnpublished",
            TICKET,
            f'sum(increase({name(m.RETRIES)}{{queue="heads"}}[{d(1800)}])) > 30',
            0,
            "How much the audit log holds has not been published for half an hour",
            "Records are written, but if somebody cut them off now nobody would notice. Is ConfigMap hemostat-audit "
            f"there, and may act write it?\nkubectl logs -n {NAMESPACE} deploy/hemostat-act | grep heads",
        ),
        Alert(
            "HemostatAuditFillsUp",
            TICKET,
            full(20, 1024),
            900,
            "The volume of the audit log has {{ $value | humanize1024 }}B left",
            larger,
        ),
        Alert(
            "HemostatAuditNearlyFull",
            PAGE,
            full(5, 256),
            300,
            "The volume of the audit log has {{ $value | humanize1024 }}B left",
            larger,
        ),
    )


def _helpers(d: Duration) -> tuple[Alert, ...]:
    asked = name(m.MODEL_REQUESTS)
    return (
        Alert(
            "HemostatSlackDisconnected",
            TICKET,
            f"min by (to) ({name(m.CONNECTED)}) == 0",
            600,
            "hemostat relay is not connected to {{ $labels.to }}: clicks are not heard",
            "Approve and deny by kubectl hemostat meanwhile. Are the tokens valid, is Slack reachable from the pod?\n"
            f"kubectl logs -n {NAMESPACE} deploy/hemostat-relay",
        ),
        Alert(
            "HemostatModelsSilent",
            TICKET,
            f'sum(rate({asked}[{d(1800)}])) > 0 unless on () sum(rate({asked}{{outcome="Answered"}}[{d(1800)}])) > 0',
            900,
            "No model has answered for half an hour: the matcher diagnoses alone",
            "Healing goes on, with less explanation. hemostat_model_requests_total says by outcome why: key, quota, "
            "address, or the provider.",
        ),
    )


def duration(seconds: float) -> str:
    """Write seconds as Prometheus does, in the largest unit that says it exactly."""
    millis = round(seconds * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if millis and millis % size == 0:
            return f"{millis // size}{unit}"
    return f"{millis}ms" if millis else "0s"


def groups(pace: float = 1.0) -> list[Json]:
    """Return the one group of rules, as rule files of Prometheus and PrometheusRules have it."""
    return [{"name": "hemostat", "rules": [_rule(alert, pace) for alert in alerts(pace)]}]


def _rule(alert: Alert, pace: float) -> Json:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": duration(alert.held * pace)} if alert.held else {}),
        "labels": {"severity": alert.severity, OWN: "true"},
        "annotations": {"summary": alert.summary, "description": alert.description},
    }


def prometheus_rule() -> Json:
    """Return them for the Prometheus Operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "hemostat", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "hemostat"}},
        "spec": {"groups": groups()},
    }


def pod_monitor() -> Json:
    """Return what has the Prometheus Operator scrape all processes."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "hemostat", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "hemostat"}},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/part-of": "hemostat"}},
            "podMetricsEndpoints": [{"port": "http", "path": "/metrics"}],
        },
    }
