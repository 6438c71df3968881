"""OTLP ingest against an OpenTelemetry Collector with the spanmetrics connector: same bytes, interleaved.

    python tests/bench/ingest.py [--seconds 4] [--repeats 3]

Metric: spans per CPU-second of the receiving process (utime + stime from /proc), which is pinned to the first CPU; the
sender has the others. Each repetition measures every receiver once, and ratios are taken within a repetition; the
median counts. The receiver is the product's own path (ingest_receiver.py); that its counts are exactly those of the
plain decoder is checked on the same bytes first. Writes build/bench/ingest.json.
"""

import argparse
import gzip
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import ingest_data

from hemostat.telemetry.oracle import Oracle
from hemostat_chaos.cluster import atomic, gotool, otelcol
from hemostat_chaos.cluster.paths import cache_root, project_root

HERE = Path(__file__).parent
SIZES = (16, 512, 2048)
CASES = [("grpc", size) for size in SIZES] + [("http", 512), ("http", 2048), ("http_gzip", 512), ("http_gzip", 2048)]
CONNECTIONS = 4
GOALS = {"grpc": {16: 0.85, 512: 3.5, 2048: 3.5}, "http": {512: 5.0, 2048: 5.0}, "http_gzip": {512: 6.0, 2048: 6.0}}
MAX_RSS_MB = 260
TICKS = os.sysconf("SC_CLK_TCK")
PARTS = f"""\
receivers: [{{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v{otelcol.VERSION}}}]
exporters: [{{gomod: go.opentelemetry.io/collector/exporter/nopexporter v{otelcol.VERSION}}}]
connectors:
  - gomod: {otelcol.CONTRIB}/connector/spanmetricsconnector v{otelcol.VERSION}
"""
CONFIG = """\
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:GRPC", max_recv_msg_size_mib: 16}, http: {endpoint: "127.0.0.1:HTTP"}}}
exporters: {nop: {}}
connectors:
  spanmetrics: {resource_metrics_key_attributes: [service.name]}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines:
    traces: {receivers: [otlp], exporters: [spanmetrics]}
    metrics: {receivers: [spanmetrics], exporters: [nop]}
"""


def main() -> int:
    """Run everything and write the result."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    work = project_root() / "build" / "bench" / "ingest"
    work.mkdir(parents=True, exist_ok=True)
    print("the Collector is built once, in a few minutes", flush=True)
    collector, replayer = otelcol.otelcol(PARTS), _replayer()
    # as in the image: what the receiver runs is compiled before it starts, for every processor
    subprocess.run([sys.executable, "-m", "hemostat.warm"], check=True, env=os.environ | ENVIRONMENT)
    files = _files(work)
    exact = _exact(replayer, files["grpc", 512])
    runs: dict[tuple[str, int], list[dict[str, float]]] = {case: [] for case in CASES}
    rss = 0.0
    for repeat in range(given.repeats):
        for case in CASES:
            ours, peak = _measure("hemostat", None, replayer, case, files[case], given.seconds)
            reference, _ = _measure("collector", collector, replayer, case, files[case], given.seconds)
            rss = max(rss, peak)
            runs[case].append({"hemostat": ours, "collector": reference})
            print(
                f"{repeat + 1}/{given.repeats} {case[0]:9} {case[1]:5} a request: hemostat {ours / 1e3:7.0f}k, "
                f"collector {reference / 1e3:6.0f}k spans per CPU-second, {ours / reference:.2f} times",
                flush=True,
            )
    result = _result(runs, rss, exact)
    target = work.parent / "ingest.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["ingest"], indent=1))
    print(f"wrote {target}")
    return 0 if exact and rss < MAX_RSS_MB else 1


def _replayer() -> Path:
    source = HERE / "ingest_replayer"
    folder = cache_root() / "ingest-replayer" / atomic.key_of([p.read_text() for p in sorted(source.iterdir())])
    if not folder.is_dir():
        with atomic.publish(folder) as partial:
            subprocess.run(
                [gotool.go_command((1, 26)), "build", "-o", partial / "replayer", "."], cwd=source, check=True
            )
    return folder / "replayer"


def _files(work: Path) -> dict[tuple[str, int], Path]:
    """Return the requests of every case, each after its length; made once for one state of the generator."""
    folder = work / atomic.key_of([Path(ingest_data.__file__).read_text()])
    if not folder.is_dir():
        print("making spans", flush=True)
        with atomic.publish(folder) as partial:
            partial.mkdir()
            for size, bodies in ingest_data.requests(SIZES).items():
                _write(partial / f"{size}.bin", bodies)
                _write(partial / f"{size}.gz.bin", [gzip.compress(b, 6) for b in bodies])
    return {(mode, size): folder / f"{size}{'.gz' if mode == 'http_gzip' else ''}.bin" for mode, size in CASES}


def _write(path: Path, bodies: list[bytes]) -> None:
    path.write_bytes(b"".join(struct.pack("<I", len(b)) + b for b in bodies))


def _requests(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + n])
        at += 4 + n
    return found


ENVIRONMENT = {"GOMAXPROCS": "1", "NUMBA_CPU_NAME": "generic"}


class Receiver:
    """A receiver of either kind as a process, pinned to the first CPU."""

    def __init__(self, kind: str, collector: Path | None) -> None:
        self.http, self.grpc = _port(), _port()
        self.config = project_root() / "build" / "bench" / "ingest" / "otelcol.yaml"
        if collector is None:
            command = [sys.executable, HERE / "ingest_receiver.py", str(self.http), str(self.grpc)]
        else:
            self.config.write_text(CONFIG.replace("GRPC", str(self.grpc)).replace("HTTP", str(self.http)))
            command = [collector, "--config", self.config]
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ENVIRONMENT,
        )
        _await(self.grpc, 300)
        _await(self.http, 300)

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        """Return the resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def stop(self) -> str:
        """End it and return what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        return out


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _await(port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _replay(replayer: Path, mode: str, receiver: Receiver, file: Path, seconds: float, connections: int) -> int:
    address = f"127.0.0.1:{receiver.grpc if mode == 'grpc' else receiver.http}"
    command = ["taskset", "-c", "1-64", str(replayer), mode, address, str(file), f"{seconds:g}", str(connections)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 120).stdout
    return int(json.loads(out)["requests"])


def _measure(
    kind: str, collector: Path | None, replayer: Path, case: tuple[str, int], file: Path, seconds: float
) -> tuple[float, float]:
    """Return spans per CPU-second and resident megabytes."""
    mode, size = case
    receiver = Receiver(kind, collector)
    try:
        _replay(replayer, mode, receiver, file, 1, CONNECTIONS)
        before = receiver.cpu_seconds()
        requests = _replay(replayer, mode, receiver, file, seconds, CONNECTIONS)
        return requests * size / (receiver.cpu_seconds() - before), receiver.rss_mb()
    finally:
        receiver.stop()


def _exact(replayer: Path, file: Path) -> bool:
    """Tell whether the receiver counts exactly what the plain decoder does."""
    receiver = Receiver("hemostat", None)
    try:
        _replay(replayer, "grpc", receiver, file, 0, CONNECTIONS)
    finally:
        out = receiver.stop()
    found = json.loads(out.splitlines()[-1])
    oracle = Oracle()
    for body in _requests(file):
        oracle.take(body)
    wanted = oracle.counted()
    same = {part: Counter(map(tuple, found[part])) == Counter(map(tuple, wanted[part])) for part in wanted}
    print(f"exact: {same}, {sum(e[2] for e in found['edges'])} calls over {len(found['edges'])} edges", flush=True)
    return all(same.values()) and not any(found["dropped"].values())


def _result(runs: dict[tuple[str, int], list[dict[str, float]]], rss: float, exact: bool) -> dict[str, Any]:
    details = {}
    for (mode, size), found in runs.items():
        ratios = sorted(r["hemostat"] / r["collector"] for r in found)
        grpc = statistics.median(r["collector"] for r in runs["grpc", size])
        details[f"{mode}_{size}"] = {
            "ratio": _spread(ratios),
            "hemostat_spans_per_cpu_second": _spread([r["hemostat"] for r in found]),
            "collector_spans_per_cpu_second": _spread([r["collector"] for r in found]),
            "ratio_to_collector_grpc": round(statistics.median(r["hemostat"] for r in found) / grpc, 2),
            "goal": GOALS[mode][size],
        }
    return {
        "ingest": {
            "ratio_grpc": details["grpc_2048"]["ratio"]["med"],
            "ratio_grpc_512": details["grpc_512"]["ratio"]["med"],
            "ratio_grpc_16": details["grpc_16"]["ratio"]["med"],
            "ratio_http": details["http_2048"]["ratio_to_collector_grpc"],
            "ratio_http_gzip": details["http_gzip_2048"]["ratio"]["med"],
            "exact": exact,
            "rss_mb": round(rss),
        },
        "details": details,
        "command": " ".join(sys.argv),
        "collector": f"{otelcol.VERSION}, otlp -> spanmetrics keyed by service.name, GOMAXPROCS=1",
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": round(min(values), 2), "med": round(statistics.median(values), 2), "max": round(max(values), 2)}


if __name__ == "__main__":
    sys.exit(main())
