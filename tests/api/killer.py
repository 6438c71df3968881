"""A proxy before the API server that kills who talks through it, at the request that it was told; and who is killed."""

import http.client
import os
import signal
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["hemostat.act.process", "tests.api.killer"])
BEFORE, AFTER = "before it is sent", "before its reply is read"


class Killer:
    """Passes on requests with the credentials of a kubeconfig, and counts those that matter.

    :param counts: which requests are counted, by method and path.
    """

    def __init__(self, kubeconfig: Path, counts: Callable[[str, str], bool]) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._server = urlsplit(config["clusters"][0]["cluster"]["server"])
        self._tls = _tls(kubeconfig, config)
        self._counts = counts
        self._lock = threading.Lock()
        self.seen: list[str] = []
        self.kills: tuple[int, str] | None = None
        """Which of the counted requests, from 0, and when."""
        self.victim: ForkServerProcess | None = None
        killer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                killer.handle(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that leads here."""
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path.write_text(yaml.safe_dump(text))
        return path

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Pass one request on, or end who sent it."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        when = self._doomed(request.command, request.path)
        if when == BEFORE:
            self._kill()
            request.close_connection = True
            return
        status, headers, answer = self._ask(request.command, request.path, body, request.headers)
        if when == AFTER:
            self._kill()
            request.close_connection = True
            return
        self._answer(request, status, headers, answer)

    def _answer(self, request: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], answer: bytes) -> None:
        request.send_response_only(status)
        for name in ("Content-Type", "Date"):
            if name in headers:
                request.send_header(name, headers[name])
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _doomed(self, method: str, path: str) -> str:
        if not self._counts(method, path):
            return ""
        with self._lock:
            self.seen.append(f"{method} {path}")
            at, when = self.kills or (-1, "")
            return when if len(self.seen) == at + 1 else ""

    def _kill(self) -> None:
        assert self.victim is not None
        assert self.victim.pid is not None
        os.kill(self.victim.pid, signal.SIGKILL)
        self.victim.join(10)

    def _ask(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPSConnection(self._server.netloc, context=self._tls, timeout=30)
        try:
            kept = {n: headers[n] for n in ("Accept", "Content-Type") if headers.get(n)}
            connection.request(method, path, body or None, kept)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


def _tls(kubeconfig: Path, config: Any) -> ssl.SSLContext:
    import base64

    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    pem = base64.b64decode
    context = ssl.create_default_context(cadata=pem(cluster["certificate-authority-data"]).decode())
    both = kubeconfig.with_suffix(".pem")
    both.write_bytes(pem(user["client-certificate-data"]) + pem(user["client-key-data"]))
    context.load_cert_chain(both)
    return context


def act(kubeconfig: str, log: str, namespace: str, name: str) -> None:
    """Be `act`, told of one Remediation, until killed."""
    from hemostat.act.process import Act
    from hemostat.kube import Kube
    from hemostat.settings import Settings

    process = Act(Kube.connect(kubeconfig), Settings(prometheus_url="http://127.0.0.1:1", audit=log))
    process.remediations.add((namespace, name))
    process.start()
    threading.Event().wait()


def begun(*arguments: str) -> ForkServerProcess:
    """Start it."""
    process = CONTEXT.Process(target=act, args=arguments, daemon=True)
    process.start()
    return process
