"""Alerts that Alertmanager sends, as signals of the Watch whose target they are about (pure).

Anybody who reaches the webhook can make alerts up, and their rules are not ours to check: they open Incidents and
never corroborate an unattended action.
"""

import re
from collections.abc import Iterable, Iterator

from hemostat.api.incident import Severity, SignalSource
from hemostat.api.meta import TargetRef
from hemostat.api.watch import AlertSignal, SignalKind
from hemostat.signals import podnames
from hemostat.signals.base import Observation, Timing
from hemostat.telemetry.alerts import OWN, Alert, Standing

Told = tuple[Alert, Standing]
TIMING = Timing(for_seconds=0, clear_seconds=0)
"""The rule's own `for` and `keep_firing_for` have smoothed already."""
MAX_NAMES = 16
"""Different alerts of one signal; further ones are not judged."""
TOLD = 3
_OF_KIND = {
    "Deployment": "deployment",
    "StatefulSet": "statefulset",
    "DaemonSet": "daemonset",
    "Job": "job_name",
    "CronJob": "cronjob",
    "Node": "node",
}
"""Labels of kube-state-metrics that name a workload, by its kind."""
_SEVERITIES = {
    **dict.fromkeys(("critical", "page", "emergency", "fatal"), Severity.CRITICAL),
    **dict.fromkeys(("error", "major", "high"), Severity.MAJOR),
}
"""Values of the label `severity`, in lower case. Every other one, `warning` among them, is minor."""
_WORKLOADS = (*_OF_KIND.values(), "workload", "pod")


def concerns(alert: Alert, signal: AlertSignal, namespace: str, target: TargetRef) -> bool:
    """Tell whether the alert is about the target.

    One of the signal's names, not of another namespace; or, without names, labels that name the namespace and the
    workload. Labels of workloads and pods decide where there are any; `service` and `job` only where there are none,
    for they may be those of the exporter. An alert about Hemostat itself is about no target, whoever names it: an
    Incident would ask a person, who does not answer, of which the alert tells.
    """
    if alert.label(OWN):
        return False
    space = alert.label("namespace")
    if signal.names:
        return alert.name in signal.names and space in ("", namespace)
    if target.kind == "Node":
        return target.name in (alert.label("node"), alert.label("instance"))
    if space != namespace:
        return False
    if any(alert.label(label) for label in _WORKLOADS if label != "node"):
        return _names(alert, target)
    return target.name in (alert.label("service"), alert.label("job").removeprefix(f"{namespace}/"))


def _names(alert: Alert, target: TargetRef) -> bool:
    label = _OF_KIND.get(target.kind)
    if label is not None and alert.label(label):
        return alert.label(label) == target.name
    if alert.label("workload"):
        kind = alert.label("workload_type")
        return alert.label("workload") == target.name and kind.lower() in ("", target.kind.lower())
    return re.fullmatch(podnames.pattern(target), alert.label("pod")) is not None


def judge(name: str, known: Iterable[Told]) -> Iterator[Observation]:
    """Yield one observation per name of alert: wrong while any of its alerts fires, silent when all are stale.

    :param name: name of the signal in the Watch.
    :param known: the alerts that are about its target.
    """
    found: dict[str, list[Told]] = {}
    for alert, standing in known:
        found.setdefault(alert.name, []).append((alert, standing))
    for alertname in sorted(found, key=lambda n: (not _fires(found[n]), n))[:MAX_NAMES]:
        yield _observation(name, alertname, found[alertname])


def _fires(alerts: Iterable[Told]) -> bool:
    return any(standing is Standing.FIRING for _, standing in alerts)


def _observation(name: str, alertname: str, alerts: list[Told]) -> Observation:
    firing = [alert for alert, standing in alerts if standing is Standing.FIRING]
    unknown = not firing and any(standing is Standing.STALE for _, standing in alerts)
    said = list(dict.fromkeys(alert.summary for alert in firing if alert.summary))
    return Observation(
        key=f"{name}/{alertname}",
        name=name,
        kind=SignalKind.ALERT,
        source=SignalSource.ALERTMANAGER,
        subject=alertname,
        wrong=None if unknown else bool(firing),
        value=float(len(firing)),
        samples=len(alerts),
        stated=_severity(firing),
        note="; ".join(said[:TOLD]) or ("not repeated for so long that nobody knows" if unknown else ""),
    )


def _severity(firing: Iterable[Alert]) -> Severity:
    found = {_SEVERITIES.get(alert.label("severity").lower(), Severity.MINOR) for alert in firing}
    return next((s for s in (Severity.CRITICAL, Severity.MAJOR) if s in found), Severity.MINOR)
