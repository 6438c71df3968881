"""Orders from the ConfigMap itself, watched at the API server with the pod's own token: they come in milliseconds.

The pod needs one right, `get` and `watch` of the ConfigMap named `hemostat-guard` in its own namespace: no more than a
mount of it would show. Only the standard library is used. Watch: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import http.client
import json
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from hemostat.guard.forks import in_child
from hemostat.guard.orders import CONFIG_MAP

Deliver = Callable[[Mapping[str, str]], None]
POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT_SECONDS = 10
WATCH_SECONDS = 30
"""A watch ends after this, so that a connection that died in silence is noticed soon after."""
MAX_BYTES = 3 << 20
"""A ConfigMap holds at most 1 MiB; escaped as JSON, with its metadata, not three times that."""
MIN_WAIT, MAX_WAIT = 1.0, 30.0
"""Seconds before the next try."""
QUICK_SECONDS = 1.0
"""A server or proxy that ends a watch sooner is not to be asked again at once: it would go on for ever."""
_LOG = logging.getLogger(__name__)


class Unreadable(Exception):
    """The API server did not give the ConfigMap; what is in force stays until its own end."""


class OrderConfigMap:
    """Follows one ConfigMap in a daemon thread.

    :param url: the API server. :param ca: file of its certificate authority. :param token: file of the bearer token,
        read for every connection, for it rotates.
    """

    def __init__(self, url: str, namespace: str, *, ca: str, token: str, name: str = CONFIG_MAP) -> None:
        self.failures = 0
        self._url = urlsplit(url)
        self._ca = ca
        self._token = Path(token)
        self._one = f"/api/v1/namespaces/{quote(namespace)}/configmaps/{quote(name)}"
        self._all = (
            f"/api/v1/namespaces/{quote(namespace)}/configmaps?watch=1&timeoutSeconds={WATCH_SECONDS}"
            f"&fieldSelector=metadata.name%3D{quote(name)}"
        )
        self._deliver: Deliver | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: http.client.HTTPSConnection | None = None
        in_child(self._after_fork)

    @classmethod
    def of_this_pod(cls, environment: Mapping[str, str] = os.environ, pod: Path = POD) -> "OrderConfigMap | None":
        """Return the one of this pod's namespace, or None outside a cluster or without a token."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (pod / "token").exists():
            return None
        namespace = (pod / "namespace").read_text("utf-8").strip()
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}", namespace, ca=str(pod / "ca.crt"), token=str(pod / "token"))

    def start(self, deliver: Deliver) -> None:
        """Begin; `deliver` gets the whole of what is ordered whenever it may have changed."""
        self._deliver = deliver
        self._thread = threading.Thread(target=self._follow, name="hemostat-guard-orders", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End; return when the thread is gone, or after `timeout` seconds."""
        self._stopped.set()
        connection, thread = self._connection, self._thread
        if connection is not None and connection.sock is not None:
            _wake(connection)
        if thread is not None:
            thread.join(timeout)

    def _follow(self) -> None:
        """Begin a session after the other: at once after one that lasted, else after growing pauses."""
        stopped, wait = self._stopped, MIN_WAIT
        while not stopped.is_set():
            began, told = time.monotonic(), ""
            try:
                self._session()
            except Exception as error:  # noqa: BLE001 - the thread must live, whatever it is answered
                if stopped.is_set():
                    return
                self.failures += 1
                told = f"orders cannot be read ({error})"
            if not told and time.monotonic() - began >= QUICK_SECONDS:
                wait = MIN_WAIT
                continue
            if wait == MIN_WAIT:
                _LOG.warning("%s; what is in force ends by itself", told or "the watch of orders ended at once")
            stopped.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret
            wait = min(2 * wait, MAX_WAIT)

    def _session(self) -> None:
        """Read once, then watch until the server ends it."""
        connection = http.client.HTTPSConnection(
            self._url.hostname or "",
            self._url.port,
            timeout=CONNECT_SECONDS,
            context=ssl.create_default_context(cafile=self._ca),
        )
        self._connection = connection
        try:
            version = self._read(connection)
            self._watch(connection, version)
        finally:
            self._connection = None
            connection.close()

    def _read(self, connection: http.client.HTTPSConnection) -> str:
        response = self._get(connection, self._one)
        body = response.read(MAX_BYTES + 1)
        if response.status == http.HTTPStatus.NOT_FOUND:
            self._hand({})
            return ""
        if response.status != http.HTTPStatus.OK:
            raise Unreadable(f"{response.status} {response.reason}")
        found = _object(body)
        self._hand(found)
        return str(found.get("metadata", {}).get("resourceVersion", ""))

    def _watch(self, connection: http.client.HTTPSConnection, version: str) -> None:
        response = self._get(connection, self._all + (f"&resourceVersion={quote(version)}" if version else ""))
        if response.status != http.HTTPStatus.OK:
            raise Unreadable(f"{response.status} {response.reason}")
        if connection.sock is not None:
            connection.sock.settimeout(WATCH_SECONDS + CONNECT_SECONDS)
        while line := response.readline(MAX_BYTES + 1):
            event = _object(line)
            if event.get("type") == "ERROR":
                return
            self._hand({} if event.get("type") == "DELETED" else event.get("object"))

    def _get(self, connection: http.client.HTTPSConnection, path: str) -> http.client.HTTPResponse:
        token = self._token.read_text("utf-8").strip()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
        return connection.getresponse()

    def _hand(self, found: Any) -> None:
        data = found.get("data") or {} if isinstance(found, dict) else None
        if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
            raise Unreadable("no ConfigMap")
        if self._deliver is not None:
            self._deliver(data)

    def _after_fork(self) -> None:
        """The parent's thread and connection are not ours: begin anew."""
        if self._deliver is not None and not self._stopped.is_set():
            self._stopped, self._connection = threading.Event(), None
            self.start(self._deliver)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise Unreadable(f"more than {MAX_BYTES} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("no object")
    return found


def _wake(connection: http.client.HTTPSConnection) -> None:
    """End a blocking read in another thread."""
    try:
        connection.sock.shutdown(2)
    except OSError:
        _LOG.debug("the connection was closed already")
