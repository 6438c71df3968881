"""Queries to any Prometheus-compatible API, with a deadline, a bound on the answer, and a breaker (shell).

Prometheus, Mimir, Thanos and VictoriaMetrics speak it; a tenant's header and a bearer token are settings.
"""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pybreaker
import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter

from hemostat.breaking import tell
from hemostat.deadline import Busy, InTime, Late
from hemostat.errors import Refused, Retry
from hemostat.settings import Settings
from hemostat.telemetry import answer
from hemostat.telemetry.answer import QueryFailed
from hemostat.telemetry.jsontext import values
from hemostat.telemetry.sample import Answer, History

MAX_ASKED = 8
"""Queries under way at once: those that trickle in for ever must not pile up."""
MAX_BYTES = 8 * 1024 * 1024
"""Largest answer, after decompression: some 40,000 series."""
BYTES_PER_VALUE = 5
"""What Prometheus writes is longer: a text of more values would be many more objects than it says anything."""
ERROR_BYTES = 65536
"""What is read of an answer that is an error."""
MAX_SERIES = 2_000
"""Series of one answer that are kept, which is as many as are judged; more are counted."""
MAX_POINTS = 11_000
"""Points per series that Prometheus gives in one answer of a range query."""
_WRAPPED = re.compile(r"[>)]: ")
T = TypeVar("T")


class Prometheus:
    """Asks one Prometheus. When it cannot be reached five times in a row it is left alone for 15 s (pybreaker). A query
    that fails or takes too long while it is there says nothing about the others: who asks spaces it out.

    :param url: base address, for example http://prometheus.monitoring:9090.
    :param timeout_seconds: deadline of one query.
    :param headers: sent with every request, for example X-Scope-OrgID.
    :param token_file: a bearer token, read anew for every request: mounted tokens rotate.
    :param max_bytes: largest answer, after decompression.
    :param max_series: series of one answer that are kept.
    """

    def __init__(
        self,
        url: str,
        timeout_seconds: float = 3.0,
        headers: Mapping[str, str] | None = None,
        token_file: str | None = None,
        max_bytes: int = MAX_BYTES,
        max_series: int = MAX_SERIES,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout_seconds
        self._deadline = math.ceil(timeout_seconds) + 1.0
        self._token_file = token_file
        self._max_values = max_bytes // BYTES_PER_VALUE
        self._max_series = max_series
        self._calls = InTime("prometheus", MAX_ASKED)
        self._parsing = threading.Lock()
        session = requests.Session()
        self._client = PrometheusConnect(url=self._url, session=session, headers=dict(headers or {}))
        session.mount(self._url, _Bounded(max_bytes, self._deadline))
        session.auth = self._authorise  # a callable; given one, requests reads no ~/.netrc
        session.hooks["response"].append(_body_of)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=5, reset_timeout=15, exclude=[Refused, QueryFailed], name="prometheus"
        )

    @classmethod
    def connect(cls, settings: Settings, max_bytes: int = MAX_BYTES) -> "Prometheus":
        """Return the Prometheus that the settings name."""
        return cls(
            settings.prometheus_url,
            settings.prometheus_timeout_seconds,
            dict(settings.prometheus_headers),
            settings.prometheus_token_file,
            max_bytes,
        )

    def instant(self, query: str) -> Answer:
        """Evaluate PromQL now. NaN values are left out.

        Raises `Refused` (BadQuery) when Prometheus says the query is wrong or answers more than we take, `QueryFailed`
        when it answers this one too late, `Retry` when it cannot be reached or the breaker is open.
        """

        def ask() -> Answer:
            return self._parsed(
                self._client.custom_query(query, params=self._limits(), timeout=math.ceil(self._timeout)),
                lambda body: answer.vector(body, self._max_series),
            )

        return self._guarded(ask)

    def between(self, query: str, start: datetime, end: datetime, step_seconds: int) -> list[History]:
        """Evaluate PromQL at every step of a past time, at most `MAX_POINTS` of them. Raises as `instant` does."""

        def ask() -> list[History]:
            body = self._client.custom_query_range(
                query, start, end, str(step_seconds), params=self._limits(), timeout=math.ceil(self._timeout)
            )
            return self._parsed(body, answer.matrix)

        return self._guarded(ask)

    def _parsed(self, body: bytes, parse: Callable[[bytes], T]) -> T:
        with self._parsing:  # it would not be faster together, and takes many times what the text does
            if values(body) > self._max_values:
                raise _too_large(f"has more than {self._max_values:,} JSON values")
            return parse(body)

    def _guarded(self, ask: Callable[[], T]) -> T:
        """Ask unless the breaker is open; while it is closed it is told of what happened."""
        if self._breaker.current_state != pybreaker.STATE_CLOSED:
            try:
                trial: T = self._breaker.call(self._in_words, ask)
            except pybreaker.CircuitBreakerError as error:
                raise Retry(f"Prometheus at {self._url} failed repeatedly; asking again in 15 s", 15) from error
            return trial
        try:
            found = self._in_words(ask)
        except (Refused, Retry) as error:
            tell(self._breaker, error)
            raise
        tell(self._breaker, None)
        return found

    def _in_words(self, ask: Callable[[], T]) -> T:
        """Ask, and turn what goes wrong into what a person can act on."""
        try:
            return self._in_time(ask)
        except Retry as error:
            raise type(error)(f"Prometheus at {self._url}: {error}") from error
        except UnicodeError as error:
            raise Refused(
                "BadQuery", f"the query, or one of our headers, is no text that can be sent: {error}"
            ) from error
        except requests.RequestException as error:
            cause = reason_of(error)
            if isinstance(error, requests.ReadTimeout) or "Read timed out" in cause:
                said = f"no whole answer within {self._timeout:g} s; have the query aggregate, or select less"
                raise QueryFailed(f"Prometheus at {self._url}: {said}") from error
            raise Retry(f"Prometheus at {self._url} cannot be reached: {cause}") from error

    def _in_time(self, ask: Callable[[], T]) -> T:
        """Ask with a deadline for the whole answer: that of `requests` begins anew with every byte that trickles in."""
        try:
            return self._calls.call(ask, self._deadline, self._timeout)
        except Busy:
            raise QueryFailed(f"{MAX_ASKED} earlier queries are still being answered") from None
        except Late:
            raise requests.ReadTimeout from None

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


class _Body(requests.Response):
    """A good response; the client, which looks for one part of its JSON, is given the body as it came."""

    def json(self, **_: Any) -> Any:
        """Return the body where the client takes the result from."""
        return {"data": {"result": self.content}}


def _body_of(response: requests.Response, **_: Any) -> requests.Response:
    """Let no answer but a good one through: redirects would take our headers along, and their target is not bounded."""
    if response.status_code != 200:
        raise answer.failure(response.status_code, response.content)
    body = _Body()
    body.__dict__.update(response.__dict__)
    return body


def reason_of(error: Exception) -> str:
    """Return what went wrong, without the address, the objects and the other exceptions that wrap it (pure)."""
    inner = error.args[0] if error.args else error
    cause = _WRAPPED.split(str(getattr(inner, "reason", inner)))[-1]
    return " ".join(cause.split())[:300]


def _too_large(how: str) -> Refused:
    return Refused("BadQuery", f"the answer {how}: have the query aggregate, or select less")


class _Bounded(HTTPAdapter):
    """Refuses answers that are larger than `max_bytes`, compressed or not, before they are kept."""

    def __init__(self, max_bytes: int, seconds: float) -> None:
        super().__init__(pool_maxsize=MAX_ASKED)
        self._max_bytes = max_bytes
        self._seconds = seconds

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response with a body that counts."""
        response: requests.Response = super().build_response(req, resp)
        ends = time.monotonic() + self._seconds
        if response.status_code == 200:
            response.raw = _Counted(resp, self._max_bytes, ends)
        else:
            response.raw = _Counted(resp, ERROR_BYTES, ends, whole=False)
        return response


class _Counted:
    """A urllib3 response whose stream ends when it has given too much, or for too long.

    :param whole: whether too much is `Refused`, or the beginning is enough.
    """

    def __init__(self, raw: Any, most: int, ends: float, *, whole: bool = True) -> None:
        self._raw = raw
        self._most = most
        self._ends = ends
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001 - urllib3's
        """Yield the body as it comes."""
        seen = 0
        while chunk := self._raw.read1(max(amount, 65536), decode_content=decode_content):
            seen += len(chunk)
            if seen > self._most:
                self._raw.close()
                if self._whole:
                    raise _too_large(f"is larger than {self._most // 2**20} MiB")
                return
            if time.monotonic() > self._ends:
                self._raw.close()
                raise requests.ReadTimeout
            yield chunk
