"""How a guard gets into a process: where it listens, where it reports, and whose orders it takes."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk.trace import TracerProvider

from hemostat.guard import names
from hemostat.guard.configmap import OrderConfigMap
from hemostat.guard.directory import OrderDirectory
from hemostat.guard.guard import Guard

ORDERS_VARIABLE = "HEMOSTAT_GUARD_ORDERS"
"""Environment variable: a directory of orders, in place of the ConfigMap at the API server."""
_LOG = logging.getLogger(__name__)


def install(
    *,
    service: str = "",
    tracer_provider: TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    orders: OrderConfigMap | OrderDirectory | None = None,
    **options: Any,
) -> Guard:
    """Put a guard into this process: its span processor into the tracer provider, its orders from where they are.

    Orders come from `orders`, else from the directory HEMOSTAT_GUARD_ORDERS, else from the ConfigMap `hemostat-guard`
    of this pod's namespace, else from nowhere. `options` are those of Guard. TypeError when the tracer provider is not
    the SDK's: without it nothing could be seen.
    """
    provider = tracer_provider or trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        raise TypeError("set a TracerProvider of opentelemetry-sdk before the guard is installed, or give it one")
    logs = logger_provider or get_logger_provider()
    if not isinstance(logs, SdkLoggerProvider):
        _LOG.warning(
            "no LoggerProvider of opentelemetry-sdk is set yet: until one is, what the guard sees goes nowhere"
        )
    name = service or str(provider.resource.attributes.get(names.SERVICE, ""))
    tracer = provider.get_tracer("hemostat.guard")
    guard = Guard(name, logs, tracer=tracer, **options)
    provider.add_span_processor(guard.processor)
    guard.ticker.start()
    found = orders or _orders(os.environ)
    if found is None:
        _LOG.info("the guard has nobody to take orders from: no %s, no pod token", ORDERS_VARIABLE)
    else:
        guard.follow(found)
    return guard


def _orders(environment: Mapping[str, str]) -> OrderConfigMap | OrderDirectory | None:
    directory = environment.get(ORDERS_VARIABLE)
    return OrderDirectory(directory) if directory else OrderConfigMap.of_this_pod(environment)
