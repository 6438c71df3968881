"""Limits of the standard checks: what the presets compare with, and what `kubectl explain` says of it (pure)."""

MEMORY_WITHIN_HOURS = 1
"""Memory that reaches the container's limit within this time."""
CPU_THROTTLED_PERCENT = 50
"""Share of the scheduler's periods in which a container is throttled ..."""
CPU_USED_PERCENT = 70
"""... while it uses more than this share of what it may: short bursts are throttled without harm."""
VOLUME_WITHIN_HOURS = 4
FULL_PERCENT = 95
"""A volume or pool that is so full is full, whatever its trend."""
RESTARTS_ABOVE = 3
RESTARTS_MINUTES = 10
CERTIFICATE_DAYS = 7
POOL_WITHIN_HOURS = 1
FAILED_PERCENT = 5
LATENCY_FLOOR_MILLISECONDS = 50
"""A 95th percentile below this is never wrong, however unusual."""
LEAST_REQUESTS_PER_SECOND = 0.2
"""Fewer are no evidence."""

CHECKS = (
    f"MemoryExhaustion: a container's memory reaches its limit within {MEMORY_WITHIN_HOURS} h (cAdvisor)."
    f" CpuSaturation: more than {CPU_THROTTLED_PERCENT} % of periods throttled while more than {CPU_USED_PERCENT} % of"
    " the limit is used (cAdvisor)."
    f" VolumeExhaustion: a volume is full within {VOLUME_WITHIN_HOURS} h, or {FULL_PERCENT} % full (kubelet)."
    f" Restarts: more than {RESTARTS_ABOVE} in {RESTARTS_MINUTES} min (kube-state-metrics)."
    f" CertificateExpiry: less than {CERTIFICATE_DAYS} d left of a Secret that a pod mounts (cert-manager,"
    " x509-certificate-exporter)."
    f" ConnectionPool: full within {POOL_WITHIN_HOURS} h, or {FULL_PERCENT} % full (HikariCP, JDBC, OpenTelemetry, Go)."
    f" RequestErrors: more than {FAILED_PERCENT} % of the requests fail; RequestLatency: their 95th percentile is"
    f" unusually high and above {LATENCY_FLOOR_MILLISECONDS} ms; both from {LEAST_REQUESTS_PER_SECOND} requests per"
    " second on (OpenTelemetry, Prometheus client libraries, Micrometer, gRPC, Istio)."
)
"""Each check with its limit and with whose metrics it reads."""
