"""Fetches what one look needs: vectors, edges, the target and its pods (shell)."""

import threading
import time
from dataclasses import dataclass

from hemostat.api.watch import Watch, effective_signals
from hemostat.errors import Refused, Retry
from hemostat.observe.store import Store
from hemostat.signals.evaluate import Inputs
from hemostat.signals.workload import Scene
from hemostat.telemetry.prometheus import Prometheus
from hemostat.telemetry.sample import Series
from hemostat.telemetry.window import EdgeStats, EdgeWindows

APPS, KIND = "apps/v1", "Deployment"
"""The only targets that can be looked at so far."""
Problem = tuple[str, str]
"""Reason and message of what could not be fetched."""


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Reads every source once a look."""

    store: Store
    prometheus: Prometheus
    windows: EdgeWindows
    lock: threading.Lock

    def fetch(self, watch: Watch) -> tuple[Inputs, Problem | None]:
        """Return what could be read, and what could not, if anything."""
        vectors: dict[str, list[Series] | None] = {}
        edges: dict[str, list[EdgeStats]] = {}
        problem = None
        service = watch.spec.service or watch.spec.target.name
        for signal in effective_signals(watch.spec):
            if signal.metric is not None:
                try:
                    vectors[signal.name] = self.prometheus.instant(signal.metric.query)
                except (Retry, Refused) as error:
                    vectors[signal.name] = None
                    reason = "BadQuery" if isinstance(error, Refused) else "PrometheusUnavailable"
                    problem = (reason, f"signal {signal.name}: {error}")
            if signal.trace is not None:
                with self.lock:
                    edges[signal.name] = self.windows.into(service, signal.trace.window_seconds, time.monotonic())
        namespace, target = watch.metadata.namespace or "", watch.spec.target
        known = (target.api_version, target.kind) == (APPS, KIND)
        deployment = self.store.deployment(namespace, target.name) if known else None
        pods = self.store.pods(namespace, deployment) if deployment is not None else []
        return Inputs(vectors, edges, Scene(deployment, pods=pods)), problem
