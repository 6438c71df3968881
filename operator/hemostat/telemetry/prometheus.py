"""Instant queries to any Prometheus-compatible API, with a deadline and a breaker."""

import math
import queue
import threading
from typing import Any

import pybreaker
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from hemostat.errors import Refused, Retry
from hemostat.telemetry.sample import Series

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError)
MAX_ASKED = 8
"""Queries under way at once: those that trickle in for ever must not pile up."""


class Prometheus:
    """Asks one Prometheus. After five failures in a row it is left alone for 15 s (pybreaker), so that a slow
    Prometheus slows detection and nothing else.

    :param url: base address, for example http://prometheus.monitoring:9090.
    :param timeout_seconds: deadline of one query.
    """

    def __init__(self, url: str, timeout_seconds: float = 3.0) -> None:
        self._url = url
        self._timeout = timeout_seconds
        self._free = threading.Semaphore(MAX_ASKED)
        self._client = PrometheusConnect(url=url, retry=requests.adapters.Retry(total=0))
        self._breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=15, exclude=[Refused], name="prometheus")

    def instant(self, query: str) -> list[Series]:
        """Evaluate PromQL now. NaN values are left out.

        Raises `Refused` (BadQuery) when Prometheus says the query is wrong, `Retry` when it cannot be reached,
        answers too late or the breaker is open.
        """
        try:
            vector = self._breaker.call(self._ask_in_time, query)
        except pybreaker.CircuitBreakerError as error:
            raise Retry(f"Prometheus at {self._url} failed repeatedly; asking again in 15 s", 15) from error
        except (requests.RequestException, PrometheusApiClientException, *_MALFORMED) as error:
            raise Retry(f"Prometheus at {self._url} did not answer: {error}") from error
        try:
            return [series for item in vector for series in _series(item)]
        except _MALFORMED as error:
            raise Refused(
                "BadQuery", "the query must yield a scalar or an instant vector, not a range, text or histogram"
            ) from error

    def _ask_in_time(self, query: str) -> list[dict[str, Any]]:
        """Ask with a deadline for the whole answer: that of `requests` begins anew with every byte that trickles in."""
        if not self._free.acquire(blocking=False):
            raise requests.Timeout(f"{MAX_ASKED} earlier queries are still being answered")
        answers: queue.SimpleQueue[list[dict[str, Any]] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._ask(query))
            except Exception as error:  # noqa: BLE001 - raised again where it was asked
                answers.put(error)
            finally:
                self._free.release()

        threading.Thread(target=ask, name="prometheus", daemon=True).start()
        try:
            answer = answers.get(timeout=math.ceil(self._timeout) + 1)
        except queue.Empty:
            raise requests.Timeout(f"no whole answer within {math.ceil(self._timeout) + 1} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, query: str) -> list[dict[str, Any]]:
        try:
            result = self._client.custom_query(
                query, params={"timeout": f"{self._timeout:g}s"}, timeout=math.ceil(self._timeout)
            )
        except PrometheusApiClientException as error:
            if "400" in str(error) or "bad_data" in str(error):
                raise Refused("BadQuery", f"Prometheus refuses the query: {error}") from error
            raise
        return [{"metric": {}, "value": result}] if result and not isinstance(result[0], dict) else result


def _series(item: dict[str, Any]) -> list[Series]:
    value = float(item["value"][1])
    if math.isnan(value):
        return []
    return [Series(tuple(sorted(item["metric"].items())), value)]
