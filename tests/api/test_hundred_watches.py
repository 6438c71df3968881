"""A hundred Watches of one namespace, with the default signals, by the real `hemostat observe` on a real API server.

Only fakes had shown so many: whether every status is written, how soon after a burst, and what a look costs.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.api import objects
from tests.api.programs import answers, free_port, until
from tests.api.support import MANAGER, Cluster, rest
from tests.unit.telemetry.requests import CLIENT, request, span

from hemostat.api import GROUP, VERSION
from hemostat.api.identity import OBSERVE_USER
from hemostat_chaos.cluster import spawn

Json = dict[str, Any]
COUNT = 100
NAMES = [f"service-{i:03}" for i in range(COUNT)]
CALLS = 12
"""Calls of each service in one export: as many as are evidence."""
MOST_CPU_PER_LOOK = 0.03
"""CPU-seconds of the whole process for each look, on one slow core: at 100 Watches every 5 s 0.6 of a core."""


class Exporters(BaseHTTPRequestHandler):
    """Answers as a Prometheus that knows memory and CPU of every container, and nothing else."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)["query"][0]
        known = url.path.endswith("/query") and "container_memory_working_set_bytes" in query
        series = [{"metric": {"container": "main"}, "value": [time.time(), "40"]}] if known else []
        kind = "vector" if url.path.endswith("/query") else "matrix"
        body = json.dumps({"status": "success", "data": {"resultType": kind, "result": series}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def prometheus() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exporters)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Observing:
    """The process `hemostat observe`, with its own rights."""

    def __init__(self, process: subprocess.Popen[bytes], http: int, otlp: int, log: Path) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{http}"
        self._traces = f"http://127.0.0.1:{otlp}/v1/traces"
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ready(self) -> bool:
        assert self._process.poll() is None, self.log
        return answers(f"{self._url}/readyz")

    def looks(self) -> float:
        with urllib.request.urlopen(f"{self._url}/metrics", timeout=5) as page:
            families = text_string_to_metric_families(page.read().decode())
        return sum(s.value for f in families for s in f.samples if s.name == "hemostat_looks_total")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def take(self, spans: bytes) -> None:
        sent = urllib.request.Request(self._traces, spans, {"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(sent, timeout=5) as answer:
            assert answer.status == 200


@contextmanager
def observing(cluster: Cluster, prometheus_url: str, folder: Path) -> Iterator[Observing]:
    http, otlp, grpc = (free_port() for _ in range(3))
    groups = ("system:serviceaccounts", "system:authenticated")
    settings = {
        "KUBECONFIG": str(cluster.server.user_kubeconfig(OBSERVE_USER, groups)),
        "HEMOSTAT_PROMETHEUS_URL": prometheus_url,
        "HEMOSTAT_HTTP_PORT": str(http),
        "HEMOSTAT_OTLP_PORT": str(otlp),
        "HEMOSTAT_OTLP_GRPC_PORT": str(grpc),
    }
    log = folder / "observe.log"
    process = spawn.background([sys.executable, "-m", "hemostat", "observe"], log, env=os.environ | settings)
    try:
        yield Observing(process, http, otlp, log)
    finally:
        spawn.end(process, grace=15)


def make(cluster: Cluster, namespace: str, name: str) -> None:
    """Create a Deployment as it is when its rollout is complete, its pod, and its Watch."""
    where = rest("deployments", namespace, "apps/v1", name)
    made = cluster.make(objects.deployment(name, namespace, replicas=1))
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    cluster.admin.merge_patch(f"{where}/status", {"status": {"observedGeneration": 1, **counts}}, MANAGER)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": made["metadata"]["uid"]}
    pod = {"name": f"{name}-7d9f8b6c5d-abcde", "namespace": namespace, "ownerReferences": [owner]}
    spec = {"containers": [{"name": "main", "image": "example/app:1"}], "nodeName": "nowhere"}
    cluster.make({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": spec})
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.admin.merge_patch(rest("pods", namespace, "v1", f"{pod['name']}/status"), {"status": running}, MANAGER)
    cluster.make(objects.named("Watch", {"target": {"name": name}}, name, namespace))


def said(watch: Json) -> dict[str, str]:
    return {c["type"]: c["reason"] for c in watch.get("status", {}).get("conditions", ())}


def well(watch: Json) -> bool:
    """Tell whether its calls and its pods were judged; some 3,000 queries are asked for the first time meanwhile."""
    signals = {s["name"]: s["state"] for s in watch.get("status", {}).get("signals", ())}
    judged = {signals.get(name) for name in ("calls/errors", "pods", "alerts")} == {"Clear"}
    return judged and said(watch) | {"DataFresh": ""} == {"Ready": "Watching", "DataFresh": "", "Healthy": "Quiet"}


@pytest.mark.timeout(120)
def test_a_hundred_watches_of_one_namespace_are_judged_and_written(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.account(namespace, "default")
    calls = b"".join(request("anybody", *[span(CLIENT, peer__service=name) for _ in range(CALLS)]) for name in NAMES)
    with prometheus() as url, observing(cluster, url, tmp_path) as process:
        until(process.ready, 60, "hemostat observe is ready")
        with ThreadPoolExecutor(4) as workers:
            list(workers.map(lambda name: make(cluster, namespace, name), NAMES))
        created = time.monotonic()
        found: dict[str, Json] = {}

        def written() -> bool:
            process.take(calls)
            listed = cluster.admin.list(rest("watches", namespace, f"{GROUP}/{VERSION}"))
            found.update({watch["metadata"]["name"]: watch for watch in listed})
            return all(well(found[name]) for name in NAMES) and any(w["status"]["series"] for w in found.values())

        try:
            until(written, 60, "every status says that all is well, and the first series were read")
        except AssertionError:
            pytest.fail(f"{Counter(tuple(said(w).values()) for w in found.values())} {process.log[-3000:]}")
        took, before, cpu = time.monotonic() - created, process.looks(), process.cpu_seconds()
        time.sleep(5)
        looks, used = process.looks() - before, process.cpu_seconds() - cpu
        log = process.log
    for watch in found.values():
        listed = {s["name"].split("/")[0] for s in watch["status"]["signals"]}
        assert listed == {"calls", "pods", "metrics", "alerts", "agents", "conversations"}, watch["metadata"]["name"]
        assert (watch["status"]["edges"], watch["status"]["objects"]) == (1, 2)
    figures = f"written {took:.1f} s after the last; {looks / 5:.1f} looks/s, {used / looks:.4f} CPU-seconds each"
    sys.stdout.write(f"{COUNT} Watches: {figures}\n")  # pytest -s shows it
    assert looks >= COUNT / 2, "fewer than every second Watch was looked at in 5 s"
    assert used / looks < MOST_CPU_PER_LOOK
    assert "Traceback" not in log
    assert "no verdicts on" not in log
