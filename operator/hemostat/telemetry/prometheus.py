"""Queries to any Prometheus-compatible API, with a deadline, a bound on the answer, and a breaker (shell).

Prometheus, Mimir, Thanos and VictoriaMetrics speak it; a tenant's header and a bearer token are settings.
"""

import ast
import json
import math
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pybreaker
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.adapters import HTTPAdapter

from hemostat.errors import Refused, Retry
from hemostat.settings import Settings
from hemostat.telemetry.sample import History, Series

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError)
MAX_ASKED = 8
"""Queries under way at once: those that trickle in for ever must not pile up."""
MAX_BYTES = 32 * 1024 * 1024
"""Largest answer, after decompression: some 150,000 series."""
MAX_POINTS = 11_000
"""Points per series that Prometheus gives in one answer of a range query."""
_STATUS = re.compile(r"HTTP Status Code (\d+) \((b['\"].*)\)", re.DOTALL)


class Prometheus:
    """Asks one Prometheus. After five failures in a row it is left alone for 15 s (pybreaker), so that a slow
    Prometheus slows detection and nothing else.

    :param url: base address, for example http://prometheus.monitoring:9090.
    :param timeout_seconds: deadline of one query.
    :param headers: sent with every request, for example X-Scope-OrgID.
    :param token_file: a bearer token, read anew for every request: mounted tokens rotate.
    """

    def __init__(
        self,
        url: str,
        timeout_seconds: float = 3.0,
        headers: Mapping[str, str] | None = None,
        token_file: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout_seconds
        self._deadline = math.ceil(timeout_seconds) + 1.0
        self._token_file = token_file
        self._free = threading.Semaphore(MAX_ASKED)
        session = requests.Session()
        self._client = PrometheusConnect(
            url=self._url, session=session, headers=dict(headers or {}), retry=requests.adapters.Retry(total=0)
        )
        session.mount(self._url, _Bounded(max_bytes))
        session.auth = self._authorise  # a callable; given one, requests reads no ~/.netrc
        self._breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=15, exclude=[Refused], name="prometheus")

    @classmethod
    def connect(cls, settings: Settings) -> "Prometheus":
        """Return the Prometheus that the settings name."""
        return cls(
            settings.prometheus_url,
            settings.prometheus_timeout_seconds,
            dict(settings.prometheus_headers),
            settings.prometheus_token_file,
        )

    def instant(self, query: str) -> list[Series]:
        """Evaluate PromQL now. NaN values are left out.

        Raises `Refused` (BadQuery) when Prometheus says the query is wrong or answers more than we take, `Retry` when
        it cannot be reached, answers too late or the breaker is open.
        """
        vector = self._guarded(lambda: self._ask(query))
        try:
            return [series for item in vector for series in _series(item)]
        except _MALFORMED as error:
            raise Refused(
                "BadQuery", "the query must yield a scalar or an instant vector, not a range, text or histogram"
            ) from error

    def between(self, query: str, start: datetime, end: datetime, step_seconds: int) -> list[History]:
        """Evaluate PromQL at every step of a past time, at most `MAX_POINTS` of them. Raises as `instant` does."""
        matrix = self._guarded(lambda: self._ask_between(query, start, end, step_seconds))
        try:
            return [_history(item) for item in matrix]
        except _MALFORMED as error:
            raise Refused("BadQuery", "the query must yield numbers, not text or histograms") from error

    def _guarded(self, ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        try:
            answer: list[dict[str, Any]] = self._breaker.call(self._in_time, ask)
        except pybreaker.CircuitBreakerError as error:
            raise Retry(f"Prometheus at {self._url} failed repeatedly; asking again in 15 s", 15) from error
        except (requests.RequestException, PrometheusApiClientException, *_MALFORMED) as error:
            raise Retry(f"Prometheus at {self._url} did not answer: {error}") from error
        return answer

    def _in_time(self, ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Ask with a deadline for the whole answer: that of `requests` begins anew with every byte that trickles in."""
        if not self._free.acquire(blocking=False):
            raise requests.Timeout(f"{MAX_ASKED} earlier queries are still being answered")
        answers: queue.SimpleQueue[list[dict[str, Any]] | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(ask())
            except Exception as error:  # noqa: BLE001 - raised again where it was asked
                answers.put(error)
            finally:
                self._free.release()

        threading.Thread(target=work, name="prometheus", daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline)
        except queue.Empty:
            raise requests.Timeout(f"no whole answer within {self._deadline:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, query: str) -> list[dict[str, Any]]:
        try:
            result = self._client.custom_query(query, params=self._limits(), timeout=math.ceil(self._timeout))
        except PrometheusApiClientException as error:
            raise self._told(error) from error
        return [{"metric": {}, "value": result}] if result and not isinstance(result[0], dict) else result

    def _ask_between(self, query: str, start: datetime, end: datetime, step: int) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._client.custom_query_range(
                query, start, end, str(step), params=self._limits(), timeout=math.ceil(self._timeout)
            )
        except PrometheusApiClientException as error:
            raise self._told(error) from error
        return found

    def _limits(self) -> dict[str, str]:
        return {"timeout": f"{self._timeout:g}s"}

    def _authorise(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token_file is not None:
            try:
                token = Path(self._token_file).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise requests.RequestException(f"the token cannot be read: {error}") from error
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _told(self, error: Exception) -> Exception:
        """Turn the client's exception, which shows the repr of the whole answer, into what a person can act on."""
        status, said = what_it_said(str(error))
        if status in (400, 422):
            return Refused("BadQuery", f"Prometheus refuses the query: {said}")
        if status in (401, 403):
            hint = "set HEMOSTAT_PROMETHEUS_TOKEN_FILE or HEMOSTAT_PROMETHEUS_HEADERS"
            return requests.RequestException(f"it refuses us ({status}: {said}); {hint}")
        if status == 404:
            hint = "HEMOSTAT_PROMETHEUS_URL is the part before /api/v1 (for Mimir it ends in /prometheus)"
            return requests.RequestException(f"there is no Prometheus API (404); {hint}")
        return requests.RequestException(f"{status}: {said}")


def what_it_said(text: str) -> tuple[int, str]:
    """Return status and words of an answer that was an error, from the client's message about it (pure)."""
    found = _STATUS.fullmatch(text)
    if found is None:
        return 0, text[:300]
    body: bytes = ast.literal_eval(found[2])
    try:
        said = str(json.loads(body)["error"])
    except _MALFORMED:
        said = body.decode(errors="replace")
    return int(found[1]), " ".join(said.split())[:300]


class _Bounded(HTTPAdapter):
    """Refuses answers that are larger than `max_bytes`, compressed or not, before they are kept."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_retries=requests.adapters.Retry(total=0), pool_maxsize=MAX_ASKED)
        self._max_bytes = max_bytes

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response with a body that counts."""
        response: requests.Response = super().build_response(req, resp)
        response.raw = _Counted(resp, self._max_bytes)
        return response


class _Counted:
    """A urllib3 response whose stream ends with `Refused` when it has given too much."""

    def __init__(self, raw: Any, most: int) -> None:
        self._raw = raw
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001 - urllib3's
        """Yield the body piece by piece."""
        seen = 0
        for chunk in self._raw.stream(max(amount, 65536), decode_content=decode_content):
            seen += len(chunk)
            if seen > self._most:
                self._raw.close()
                raise Refused(
                    "BadQuery",
                    f"the answer is larger than {self._most // 2**20} MiB: have the query aggregate, or select less",
                )
            yield chunk


def _series(item: dict[str, Any]) -> list[Series]:
    value = float(item["value"][1])
    if math.isnan(value):
        return []
    return [Series(tuple(sorted(item["metric"].items())), value)]


def _history(item: dict[str, Any]) -> History:
    points = tuple((float(t), value) for t, text in item["values"] if not math.isnan(value := float(text)))
    return History(tuple(sorted(item["metric"].items())), points)
