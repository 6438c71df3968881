"""Pools of connections to a database, as the usual libraries count them (pure).

HikariCP and other JDBC pools by Micrometer, OpenTelemetry's semantic conventions for database clients (present and
before 1.26), and Go's database/sql by client_golang. A maximum of 0 means "no bound" in all of them.
"""

from collections.abc import Iterator

from hemostat.api import standard as limits
from hemostat.api.watch import Forecast, SignalKind, StandardCheck
from hemostat.signals.presets.target import Target, pods_of, preset, sent_by_pods
from hemostat.signals.rules import Rule, fill

_SCRAPED = (
    ("hikaricp_connections_active{$s}", "hikaricp_connections_max{$s}", "pool"),
    ("jdbc_connections_active{$s}", "jdbc_connections_max{$s}", "name"),
    ("go_sql_in_use_connections{$s}", "go_sql_max_open_connections{$s}", "db_name"),
)
"""In use, at most, and the label that names the pool."""
_OTEL = (
    (
        'db_client_connection_count{$s,db_client_connection_state="used"}',
        "db_client_connection_max{$s}",
        "db_client_connection_pool_name",
    ),
    ('db_client_connections_usage{$s,state="used"}', "db_client_connections_max{$s}", "pool_name"),
)
_STATES = "db_client_connection_state,state"


def pools(name: str, target: Target) -> Iterator[Rule]:
    """Yield two rules: the fullest pool of any pod is full, and will be within an hour (connections that leak)."""
    shares = [_share(*row, pods_of(target)) for row in (*_SCRAPED, *_OTEL)]
    shares += [_share(*row, sent_by_pods(target)) for row in _OTEL]
    query = f"100 * max by (pool) ({' or '.join(shares)})"
    check, subject = StandardCheck.CONNECTION_POOL, "connections of pool $pool"
    full = Forecast(limit="100", within_seconds=limits.POOL_WITHIN_HOURS * 3600, history_seconds=1800)
    yield preset(name, check, SignalKind.EXHAUSTION, query, subject, forecast=full, unit="%", for_seconds=60.0)
    most = float(limits.FULL_PERCENT)
    yield preset(name, f"{check}Full", SignalKind.SATURATION, query, subject, above=most, unit="%", for_seconds=60.0)


def _share(used: str, most: str, label: str, series: str) -> str:
    share = fill(f"{used} / ignoring ({_STATES}) ({most} > 0)", s=series)
    return share if label == "pool" else f'label_replace({share}, "pool", "$1", "{label}", "(.*)")'
