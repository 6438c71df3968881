"""PromQL that people would otherwise write again and again: queues, workflow engines, and the defaults (pure).

Names from a Watch enter as quoted PromQL strings, never as text. A metric that nobody exports yields an empty vector,
which is silent. Metric names and labels are those of kubelet/cAdvisor (Kubernetes 1.36), kube-state-metrics 2,
cert-manager 1, kafka_exporter 1.9, the OpenTelemetry Collector's kafkametricsreceiver, the RabbitMQ Prometheus plugin
(3.8 to 4), Argo Workflows 3.4 to 4, the Temporal server 1.2x and SDKs, OpenTelemetry's semantic conventions for HTTP,
Micrometer, client_golang/client_python, go-grpc and Istio.
"""

from collections.abc import Collection, Iterable, Iterator

from hemostat.api.watch import StandardCheck, WatchSignal, WatchSpec, effective_signals
from hemostat.signals.presets.queues import queue
from hemostat.signals.presets.standard import standard
from hemostat.signals.presets.target import Target, mounted
from hemostat.signals.presets.workflows import workflow
from hemostat.signals.rules import Rule, of_metric, paced

__all__ = ["MAX_RULES", "Target", "missing", "mounted", "rules_of"]
MAX_RULES = 200
"""Rules of one Watch that are asked; 32 signals cannot have many more."""


def rules_of(spec: WatchSpec, target: Target) -> tuple[Rule, ...]:
    """Return every rule of a Watch, in the order of its signals; objectives (SLO) apart, they have windows."""
    found = (rule for signal in effective_signals(spec) for rule in _of(signal, target))
    return tuple(paced(rule, float(spec.interval_seconds)) for rule in found)[:MAX_RULES]


def missing(rules: Iterable[Rule], answered: Collection[str]) -> list[str]:
    """Return what has no series, by key; of the libraries that may count the same, one that has some is enough."""
    groups: dict[str, bool] = {}
    for rule in rules:
        check = next((c for c in StandardCheck if not rule.expected and rule.aspect.startswith(c)), rule.aspect)
        key = f"{rule.name}/{check}"
        groups[key] = groups.get(key, False) or rule.key in answered
    return [key for key, found in groups.items() if not found]


def _of(signal: WatchSignal, target: Target) -> Iterator[Rule]:
    if signal.metric is not None:
        yield of_metric(signal.name, signal.metric)
    elif signal.queue is not None:
        yield from queue(signal.name, signal.queue)
    elif signal.workflow is not None:
        yield from workflow(signal.name, signal.workflow)
    elif signal.standard is not None:
        yield from standard(signal.name, signal.standard, target)
