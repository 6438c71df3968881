"""The shop's Prometheus metrics; each process has a registry of its own."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hemostat_chaos.shop.roles import Role, peers
from hemostat_chaos.shop.workers import WorkerPool

# Dense between 0.1 s and 1 s, where the catalog's latency moves between normal and saturated.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_CODES = ("200", "500", "502", "503", "504")

# The codes of an outgoing call that got no HTTP answer.
TIMEOUT = "timeout"
UNREACHABLE = "unreachable"


class Metrics:
    """Counts requests answered and calls made, and shows the worker pool if there is one."""

    def __init__(self, role: Role, pool: WorkerPool | None = None) -> None:
        self._service = role.name
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "shop_requests", "Requests answered.", ["service", "route", "code"], registry=self._registry
        )
        self._request_seconds = Histogram(
            "shop_request_duration_seconds",
            "Time to answer, with the wait for a worker.",
            ["service", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._calls = Counter(
            "shop_calls",
            "Outgoing calls; code is the HTTP status, or timeout, or unreachable.",
            ["service", "peer", "code"],
            registry=self._registry,
        )
        self._call_seconds = Histogram(
            "shop_call_duration_seconds",
            "Time until an outgoing call was answered or given up.",
            ["service", "peer"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._dropped = Counter(
            "shop_load_dropped",
            "Requests the load generator did not send: too many were open.",
            ["service"],
            registry=self._registry,
        )
        if pool is not None:
            self._registry.register(_PoolCollector(role.name, pool))
        self._start_at_zero(role)

    def answered(self, route: str, code: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(self._service, route, str(code)).inc()
        self._request_seconds.labels(self._service, route).observe(seconds)

    def called(self, peer: str, code: str, seconds: float) -> None:
        """Count one outgoing call."""
        self._calls.labels(self._service, peer, code).inc()
        self._call_seconds.labels(self._service, peer).observe(seconds)

    def dropped(self, count: int = 1) -> None:
        """Count requests the load generator could not send."""
        self._dropped.labels(self._service).inc(count)

    def _start_at_zero(self, role: Role) -> None:
        # A rate cannot see the first failures if they create their series: let every series exist before.
        for route in role.routes:
            self._request_seconds.labels(self._service, route.path)
            for code in _CODES:
                self._requests.labels(self._service, route.path, code)
        for peer in peers(role):
            self._call_seconds.labels(self._service, peer)
            for code in (*_CODES, TIMEOUT, UNREACHABLE):
                self._calls.labels(self._service, peer, code)
        if not role.routes:
            self._dropped.labels(self._service)

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)


class _PoolCollector(Collector):
    """Reads the pool at the scrape, so that work still running is in the figure."""

    def __init__(self, service: str, pool: WorkerPool) -> None:
        self._service = service
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        gauges = (
            ("shop_workers", "Requests this pod can work on at once.", self._pool.size),
            ("shop_queue_length", "Requests waiting for a worker.", self._pool.queued),
        )
        for name, help_text, value in gauges:
            gauge = GaugeMetricFamily(name, help_text, labels=["service"])
            gauge.add_metric([self._service], value)
            yield gauge
        busy = CounterMetricFamily(
            "shop_worker_busy_seconds",
            "Worker-seconds spent; its rate over shop_workers is utilisation.",
            labels=["service"],
        )
        busy.add_metric([self._service], self._pool.busy_seconds())
        yield busy
