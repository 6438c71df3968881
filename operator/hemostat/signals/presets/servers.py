"""Requests that a target answers, as the usual libraries count them (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from hemostat.api import standard as limits
from hemostat.api.watch import Direction, Sensitivity, SignalKind, StandardCheck, Unusual
from hemostat.signals.presets.target import Target, pods_of, preset, sent_by_pods
from hemostat.signals.rules import Rule, fill, quoted


@dataclass(frozen=True, slots=True)
class _Server:
    """How one library counts the requests that a server answers."""

    aspect: str
    requests: str
    failed: str
    duration: str | None = None
    """Histogram, without `_bucket`."""
    to_milliseconds: str = "1000"


_SERVERS = (
    _Server("Otel", "http_server_request_duration_seconds_count", 'http_response_status_code=~"5.."',
            "http_server_request_duration_seconds"),
    _Server("OtelOld", "http_server_duration_milliseconds_count", 'http_status_code=~"5.."',
            "http_server_duration_milliseconds", "1"),
    _Server("Micrometer", "http_server_requests_seconds_count", 'status=~"5.."', "http_server_requests_seconds"),
    _Server("Code", "http_requests_total", 'code=~"5.."', "http_request_duration_seconds"),
    _Server("Status", "http_requests_total", 'status=~"5.."'),
    _Server("StatusCode", "http_requests_total", 'status_code=~"5.."'),
    _Server("Grpc", "grpc_server_handled_total",
            'grpc_code=~"Unknown|DeadlineExceeded|Internal|Unavailable|DataLoss"', "grpc_server_handling_seconds"),
)  # fmt: skip
_LABELS = {"Code": "code", "Status": "status", "StatusCode": "status_code"}
"""`http_requests_total` is counted by one of these labels: each of its rules looks only at series that have its own."""


_LEAST = f"{limits.LEAST_REQUESTS_PER_SECOND:g}"
_FAILED, _FLOOR = float(limits.FAILED_PERCENT), float(limits.LATENCY_FLOOR_MILLISECONDS)


def _served(target: Target) -> Iterator[tuple[_Server, str]]:
    """Yield each library with the matchers of the target's series: scraped from its pods, or sent by OTLP."""
    pods = pods_of(target)
    for server in _SERVERS:
        own = f',{_LABELS[server.aspect]}!=""' if server.aspect in _LABELS else ""
        yield server, pods + own
    yield _Server("OtelSent", *_otel()), sent_by_pods(target)
    mesh = f'reporter="destination",destination_workload_namespace={quoted(target.namespace)},'
    istio = _Server("Istio", "istio_requests_total", 'response_code=~"5.."', "istio_request_duration_milliseconds", "1")
    yield istio, mesh + f"destination_workload={quoted(target.ref.name)}"


def _otel() -> tuple[str, str, str | None]:
    return _SERVERS[0].requests, _SERVERS[0].failed, _SERVERS[0].duration


def errors(name: str, target: Target) -> Iterator[Rule]:
    """Yield a rule per library: the share of requests that fail, where there are enough of them."""
    for server, series in _served(target):
        query = fill(
            """100 * (sum(rate($m{$s,$bad}[1m])) or sum(rate($m{$s}[1m])) * 0) / (sum(rate($m{$s}[1m])) > $least)""",
            least=_LEAST, m=server.requests, s=series, bad=server.failed,
        )  # fmt: skip
        aspect = f"{StandardCheck.REQUEST_ERRORS}{server.aspect}"
        yield preset(name, aspect, SignalKind.ERROR_RATE, query, "requests that fail", above=_FAILED, unit="%")


def latency(name: str, target: Target) -> Iterator[Rule]:
    """Yield a rule per library: the 95th percentile of the duration, where there are enough requests."""
    for server, series in _served(target):
        if server.duration is None:
            continue
        pods = series.replace(',code!=""', "")
        query = fill(
            """$f * histogram_quantile(0.95, sum by (le) (rate(${d}_bucket{$s}[2m])))
               and on () sum(rate(${d}_count{$s}[2m])) > $least""",
            least=_LEAST, f=server.to_milliseconds, d=server.duration, s=pods,
        )  # fmt: skip
        aspect = f"{StandardCheck.REQUEST_LATENCY}{server.aspect}"
        how = Unusual(direction=Direction.UP, sensitivity=Sensitivity.LOW)
        yield preset(
            name, aspect, SignalKind.LATENCY, query, "95th percentile of requests", unusual=how, floor=_FLOOR, unit="ms"
        )
