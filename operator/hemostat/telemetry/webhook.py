"""The Alertmanager webhook on aiohttp: POST /alertmanager (shell).

Answers 200 when the notification was taken, 400 for what can never be accepted, 401 without the right token, 413 for
too much, 415 for another content type. Alertmanager sends again what it gets a 5xx for, and drops the rest.
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
from hemostat.telemetry.alerts import Alert, AlertStore, Standing, parse
from hemostat.telemetry.receiver import inflate

LOG = logging.getLogger(__name__)
PATH = "/alertmanager"
JSON = "application/json"
MAX_BYTES = 4 * 1024 * 1024
"""Largest notification, after decompression: some 5,000 alerts."""
DEADLINE_SECONDS = 10.0
"""How long a request may take to arrive."""
AT_ONCE = 2


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
            async with self._slots:  # bodies in memory are bounded, whoever sends how many
                body = await asyncio.wait_for(_read(request), DEADLINE_SECONDS)
                await asyncio.to_thread(self._take, body, gzip=encoding == "gzip")
        except Refused as error:
            headers = {"WWW-Authenticate": "Bearer"} if error.reason == "Unauthorised" else {}
            return web.Response(status=_STATUS.get(error.reason, 400), text=str(error), headers=headers)
        except Retry as error:
            LOG.warning("Alertmanager webhook: %s", error)
            return web.Response(status=503, text="the token cannot be read here; see the log")
        except TimeoutError:
            return web.Response(status=408, text=f"the request took longer than {DEADLINE_SECONDS:.0f} s")
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

    def _take(self, body: bytes, *, gzip: bool) -> None:
        alerts = parse(inflate(body, MAX_BYTES) if gzip else body)
        with self._lock:
            self._store.put(alerts, self._clock.now())
            ALERTS.set(len(self._store))
            ALERTS_DROPPED.set(self._store.dropped)


_STATUS = {"BadType": 415, "TooLarge": 413, "Unauthorised": 401}


async def _read(request: web.Request) -> bytes:
    """Read the body, and not a byte more than is allowed."""
    if (request.content_length or 0) > MAX_BYTES:
        raise Refused("TooLarge", f"more than {MAX_BYTES} bytes; set max_alerts of the receiver")
    body = bytearray()
    async for chunk in request.content.iter_chunked(65536):
        body += chunk
        if len(body) > MAX_BYTES:
            raise Refused("TooLarge", f"more than {MAX_BYTES} bytes; set max_alerts of the receiver")
    return bytes(body)
