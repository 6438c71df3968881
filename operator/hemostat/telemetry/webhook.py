"""The Alertmanager webhook on aiohttp: POST /alertmanager (shell).

Answers 200 when the notification was taken, 400 for what can never be accepted, 401 without the right token, 413 for
too much, 415 for another content type, 503 for what was too slow or came with too many others. Alertmanager sends
again what it gets a 5xx for, and drops the rest.
"""

import asyncio
import hmac
import logging
import threading
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from hemostat.clock import Clock
from hemostat.errors import Refused, Retry
from hemostat.metrics import ALERT_REQUESTS, ALERTS, ALERTS_DROPPED
from hemostat.telemetry.alerts import Alert, Standing, parse
from hemostat.telemetry.alertstore import AlertStore
from hemostat.telemetry.arrivals import Arrivals
from hemostat.telemetry.receiver import inflate

LOG = logging.getLogger(__name__)
PATH = "/alertmanager"
JSON = "application/json"
MAX_BYTES = 4 * 1024 * 1024
"""Largest notification, after decompression: some 5,000 alerts."""
DEADLINE_SECONDS = 10.0
"""How long a request may take to arrive."""
ARRIVING = 64
ARRIVING_BYTES = 16 * 1024 * 1024
"""Requests that may be arriving, and what they may take: the slowest give way."""
AT_ONCE = 2
"""Requests that are parsed at once: with what has arrived, that bounds memory."""


class Webhook:
    """Takes notifications, and says which alerts there are. Thread-safe.

    :param token_file: path of the bearer token that is asked for; read for every request, for it may rotate. None:
        everybody who reaches the port may send.
    :param stale_after: how long an alert that is not repeated is believed.
    """

    def __init__(self, clock: Clock, token_file: str | None, stale_after: timedelta) -> None:
        self._clock = clock
        self._token_file = token_file
        self._store = AlertStore(stale_after)
        self._lock = threading.Lock()
        self._arrivals = Arrivals(ARRIVING, ARRIVING_BYTES, DEADLINE_SECONDS)
        self._slots = asyncio.Semaphore(AT_ONCE)

    def about(self, names: Collection[str], namespace: str) -> list[tuple[Alert, Standing]]:
        """Return the alerts of these names, or of this namespace when there are none."""
        with self._lock:
            return list(self._store.about(names, namespace, self._clock.now()))

    def serve(self, app: web.Application) -> None:
        """Add the endpoint. The application must not decompress bodies by itself."""
        app.router.add_post(PATH, self.take)

    async def take(self, request: web.Request) -> web.Response:
        """Take one notification."""
        response = await self._answer(request)
        ALERT_REQUESTS.labels(str(response.status)).inc()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            self._authorised(request.headers.get("Authorization", ""))
            if request.content_type != JSON:
                raise Refused("BadType", f"send {JSON}")
            encoding = request.headers.get("Content-Encoding", "identity")
            if encoding not in ("identity", "gzip"):
                raise Refused("BadType", f"send no Content-Encoding or gzip, not {encoding[:32]!r}")
            body = await self._read(request)
            try:
                await asyncio.to_thread(self._take, body, gzip=encoding == "gzip")
            finally:
                self._slots.release()
        except Refused as error:
            headers = {"WWW-Authenticate": "Bearer"} if error.reason == "Unauthorised" else {}
            return web.Response(status=_STATUS.get(error.reason, 400), text=str(error), headers=headers)
        except Retry as error:
            LOG.warning("Alertmanager webhook: %s", error)
            return web.Response(status=503, text="the token cannot be read here; see the log")
        except TimeoutError:
            said = f"not taken within {DEADLINE_SECONDS:.0f} s, or too many were arriving; send it again"
            return web.Response(status=503, text=said)
        return web.Response(text="ok")

    def _authorised(self, header: str) -> None:
        if self._token_file is None:
            return
        try:
            wanted = Path(self._token_file).read_bytes().strip()
        except OSError as error:
            raise Retry(f"the token file {self._token_file} cannot be read: {error.strerror}") from error
        if not wanted:
            raise Retry(f"the token file {self._token_file} is empty")
        given = header.removeprefix("Bearer ").strip().encode(errors="replace") if header.startswith("Bearer ") else b""
        if not hmac.compare_digest(given, wanted):
            raise Refused("Unauthorised", "send the bearer token (http_config.authorization of the receiver)")

    async def _read(self, request: web.Request) -> bytes:
        """Read a body, not a byte more than is allowed, and wait for a slot, which the caller must release."""
        if (request.content_length or 0) > MAX_BYTES:
            raise _too_large()
        body = bytearray()
        async with self._arrivals.one() as arrival:
            async for chunk in request.content.iter_chunked(65536):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _too_large()
                self._arrivals.grown(arrival, len(body))
            await self._slots.acquire()
        return bytes(body)

    def _take(self, body: bytes, *, gzip: bool) -> None:
        found = parse(inflate(body, MAX_BYTES) if gzip else body)
        if found.truncated:
            LOG.warning("Alertmanager left out %d alerts: raise max_alerts of the receiver", found.truncated)
        with self._lock:
            self._store.put(found.alerts, self._clock.now())
            self._store.dropped += found.truncated
            ALERTS.set(len(self._store))
            ALERTS_DROPPED.set(self._store.dropped)


_STATUS = {"BadType": 415, "TooLarge": 413, "Unauthorised": 401}


def _too_large() -> Refused:
    return Refused("TooLarge", f"more than {MAX_BYTES} bytes; set max_alerts of the receiver")
