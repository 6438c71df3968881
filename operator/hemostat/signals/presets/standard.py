"""The standard signal: what metrics of nearly every cluster say of a target (pure)."""

from collections.abc import Iterator

from hemostat.api import standard as limits
from hemostat.api.watch import Forecast, SignalKind, StandardCheck, StandardSignal
from hemostat.signals.presets.pools import pools
from hemostat.signals.presets.servers import errors, latency
from hemostat.signals.presets.target import Target, any_of, containers_of, pods_of, preset
from hemostat.signals.rules import Rule, fill, quoted


def standard(name: str, signal: StandardSignal, target: Target) -> Iterator[Rule]:
    """Yield the rules of a standard signal."""
    wanted = signal.checks or tuple(StandardCheck)
    makers = {
        StandardCheck.MEMORY_EXHAUSTION: _memory,
        StandardCheck.CPU_SATURATION: _cpu,
        StandardCheck.VOLUME_EXHAUSTION: _volumes,
        StandardCheck.RESTARTS: _restarts,
        StandardCheck.CERTIFICATE_EXPIRY: _certificates,
        StandardCheck.CONNECTION_POOL: pools,
        StandardCheck.REQUEST_ERRORS: errors,
        StandardCheck.REQUEST_LATENCY: latency,
    }
    for check in wanted:
        yield from makers[check](name, target)


def _memory(name: str, target: Target) -> Iterator[Rule]:
    query = fill(
        """100 * max by (container) (
             container_memory_working_set_bytes{$c} / (container_spec_memory_limit_bytes{$c} > 0))""",
        c=containers_of(target),
    )
    yield preset(
        name,
        StandardCheck.MEMORY_EXHAUSTION,
        SignalKind.EXHAUSTION,
        query,
        "memory of container $container",
        forecast=Forecast(limit="100", within_seconds=limits.MEMORY_WITHIN_HOURS * 3600, history_seconds=1800),
        unit="%",
        for_seconds=60.0,
    )


def _cpu(name: str, target: Target) -> Iterator[Rule]:
    """Throttled in most periods *and* using most of what it may: short bursts are throttled without harm."""
    query = fill(
        """100 * max by (container) (
             (sum by (pod, container) (increase(container_cpu_cfs_throttled_periods_total{$c}[2m]))
              / sum by (pod, container) (increase(container_cpu_cfs_periods_total{$c}[2m])))
           * (sum by (pod, container) (rate(container_cpu_usage_seconds_total{$c}[2m]))
              / sum by (pod, container) (container_spec_cpu_quota{$c} / container_spec_cpu_period{$c})
              > bool $used))""",
        c=containers_of(target),
        used=f"{limits.CPU_USED_PERCENT / 100:g}",
    )
    subject = "throttled CPU periods of container $container"
    yield preset(
        name,
        StandardCheck.CPU_SATURATION,
        SignalKind.SATURATION,
        query,
        subject,
        above=float(limits.CPU_THROTTLED_PERCENT),
        unit="%",
        for_seconds=60.0,
    )


def _volumes(name: str, target: Target) -> Iterator[Rule]:
    if not target.claims:
        return
    query = fill(
        """100 * (1 - min by (persistentvolumeclaim) (
             kubelet_volume_stats_available_bytes{$v} / kubelet_volume_stats_capacity_bytes{$v}))""",
        v=f"namespace={quoted(target.namespace)},persistentvolumeclaim=~{any_of(target.claims)}",
    )
    subject = "volume $persistentvolumeclaim"
    full = Forecast(limit="100", within_seconds=limits.VOLUME_WITHIN_HOURS * 3600, history_seconds=3600)
    check, kind = StandardCheck.VOLUME_EXHAUSTION, SignalKind.EXHAUSTION
    yield preset(name, check, kind, query, subject, forecast=full, unit="%", for_seconds=60.0)
    yield preset(name, "VolumeFull", kind, query, subject, above=float(limits.FULL_PERCENT), unit="%")


def _restarts(name: str, target: Target) -> Iterator[Rule]:
    query = fill(
        "sum by (container) (increase(kube_pod_container_status_restarts_total{$p}[$minutes]))",
        p=pods_of(target),
        minutes=f"{limits.RESTARTS_MINUTES}m",
    )
    subject = f"restarts in {limits.RESTARTS_MINUTES} min of container $container"
    most = float(limits.RESTARTS_ABOVE)
    yield preset(name, StandardCheck.RESTARTS, SignalKind.WORKLOAD, query, subject, above=most, every_seconds=30.0)


def _certificates(name: str, target: Target) -> Iterator[Rule]:
    """x509-certificate-exporter names the Secret; cert-manager the Certificate, which by custom is called as it."""
    if not target.secrets:
        return
    query = fill(
        """min by (name) (certmanager_certificate_expiration_timestamp_seconds{namespace=$n,name=~$s}
             or certmanager_certificate_expiration_timestamp_seconds{exported_namespace=$n,name=~$s}
             or label_replace(x509_cert_not_after{secret_namespace=$n,secret_name=~$s},
                "name", "$label", "secret_name", "(.*)")) - time()""",
        label="$1",
        n=quoted(target.namespace),
        s=any_of(target.secrets),
    )
    check, kind, subject = StandardCheck.CERTIFICATE_EXPIRY, SignalKind.EXHAUSTION, "certificate $name"
    least = limits.CERTIFICATE_DAYS * 86400.0
    yield preset(name, check, kind, query, subject, below=least, unit="s", every_seconds=60.0)
