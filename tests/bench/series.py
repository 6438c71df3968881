"""10,000 series evaluated once: the default detector against a robust z-score in a real Prometheus on loopback.

Run as `.venv/bin/python tests/bench/series.py`; writes build/bench/series.json. Prometheus is Debian's package, kept in
the user's cache. CPU time of both, interleaved, medians. The detector is measured when a block of every series ends
at this very poll, which is its most expensive moment, and at an ordinary poll. Fetching and parsing the instant
vector is told apart: it costs Prometheus and us the same whatever the rule.
"""

import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import numpy as np

from hemostat.signals.detectors import SeriesTable, Unusual
from hemostat.telemetry.prometheus import Prometheus
from hemostat_chaos.cluster.paths import cache_root

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build/bench/series.json"
SERIES = 10_000
POLL = 10.0
HOUR_POINTS = 360
REPETITIONS = 5
FEW = 100
"""Series that live through a day; the others begin as copies of them, which saves minutes."""
END = 1_767_225_600.0
"""The hour that the blocks hold ends here; nothing of it is told by the clock."""
RULES = {
    "robust_z": (
        "abs(m - quantile_over_time(0.5, m[1h]))"
        " / (quantile_over_time(0.75, m[1h]) - quantile_over_time(0.25, m[1h])) > 6"
    ),
    "z": "abs(m - avg_over_time(m[1h])) / stddev_over_time(m[1h]) > 4",
}


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def binaries() -> Path:
    """Return the folder of prometheus and promtool, fetched once from Debian; raises SystemExit if it cannot be had."""
    found = shutil.which("prometheus")
    if found and shutil.which("promtool"):
        return Path(found).parent
    kept = cache_root() / "bench/prometheus"
    if not (kept / "usr/bin/promtool").exists():
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run(["apt-get", "download", "prometheus"], cwd=scratch, capture_output=True, timeout=300)
            packages = list(Path(scratch).glob("*.deb"))
            if done.returncode or not packages:
                raise SystemExit("no prometheus: apt-get update, or put prometheus and promtool on PATH")
            kept.parent.mkdir(parents=True, exist_ok=True)
            content = Path(scratch) / "content"
            subprocess.run(["dpkg", "--extract", packages[0], content], check=True, timeout=120)
            with suppress(FileExistsError):
                shutil.copytree(content / "usr/bin", kept / "usr/bin")
    return kept / "usr/bin"


def history(tools: Path) -> Path:
    """Return a folder with an hour of all series as blocks on disk, made once and kept."""
    kept = cache_root() / f"bench/series-{SERIES}-{HOUR_POINTS}"
    if kept.exists():
        return kept
    rng = np.random.default_rng(20261121)
    levels = rng.uniform(10, 1000, SERIES)
    times = END - POLL * np.arange(HOUR_POINTS - 1, -1, -1)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        text = Path(scratch) / "history.txt"
        with text.open("w") as file:
            file.write("# TYPE m gauge\n")
            for number in range(SERIES):
                values = levels[number] * (1 + 0.05 * rng.standard_normal(HOUR_POINTS))
                name = f'm{{namespace="ns-{number % 20}",pod="app-{number}",job="app"}}'
                file.writelines(f"{name} {value:.4f} {at:.0f}\n" for value, at in zip(values, times, strict=True))
            file.write("# EOF\n")
        blocks = Path(scratch) / "blocks"
        subprocess.run(
            [tools / "promtool", "tsdb", "create-blocks-from", "openmetrics", text, blocks],
            check=True, capture_output=True, timeout=900,
        )  # fmt: skip
        blocks.rename(kept)
    return kept


@contextmanager
def prometheus(tools: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Run Prometheus on loopback over these blocks; yields its address and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    command = [
        tools / "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y", "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "GOMAXPROCS": "1"}, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=2).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("Prometheus did not start") from None
                time.sleep(0.2)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rule_cost(url: str, pid: int, rule: str, at: float) -> float:
    """Return the CPU seconds of Prometheus for one evaluation, to 10 ms."""
    query = urllib.parse.urlencode({"query": f"count({rule})", "time": f"{at:.0f}", "timeout": "120s"})
    before = cpu_of(pid)
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=120) as answer:
        if json.load(answer)["status"] != "success":
            raise SystemExit("Prometheus refused the rule")
    return cpu_of(pid) - before


def resident_bytes() -> int:
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def warm() -> tuple[Unusual, np.ndarray, float, float]:
    """Return a bank that has seen more than it remembers, with its rows, its clock and its bytes per series all in."""
    Unusual(1).step(np.zeros(1, np.int64), np.zeros(1), 0.0)  # compile
    gc.collect()
    before = resident_bytes()
    bank, table = Unusual(SERIES), SeriesTable(SERIES)
    keys = [(("job", "app"), ("namespace", f"ns-{number % 20}"), ("pod", f"app-{number}")) for number in range(SERIES)]
    rows, _ = table.rows(keys, 0.0)
    few = Unusual(FEW)
    rng = np.random.default_rng(1)
    levels = rng.uniform(10, 1000, FEW)
    now = 0.0
    for _ in range(800):
        few.step(np.arange(FEW), levels * (1 + 0.05 * rng.standard_normal(FEW)), now)
        now += 120.0
    bank._state[:] = np.resize(few._state, SERIES)  # every row as full as after a day
    gc.collect()
    return bank, rows, now, (resident_bytes() - before) / SERIES


def main() -> None:
    """Measure and write."""
    tools = binaries()
    bank, rows, now, memory = warm()
    say(f"memory per series, with labels and table: {memory:.0f} bytes (state {Unusual.bytes_per_series})")
    rng = np.random.default_rng(2)
    costs: dict[str, list[float]] = {name: [] for name in (*RULES, "closing", "ordinary", "poll_us", "poll_prometheus")}
    with tempfile.TemporaryDirectory(prefix="hemostat-series-") as scratch:
        folder = Path(scratch)
        shutil.copytree(history(tools), folder / "data")
        with prometheus(tools, folder) as (url, pid):
            client = Prometheus(url, timeout_seconds=30, max_series=SERIES)
            for _ in range(REPETITIONS):
                for name, rule in RULES.items():
                    costs[name].append(rule_cost(url, pid, rule, END))
                for name, step in (("closing", 120.0), ("ordinary", 10.0)):
                    now += step
                    values = rng.normal(100, 5, SERIES)
                    began = time.process_time()
                    bank.step(rows, values, now)
                    costs[name].append(time.process_time() - began)
                now -= 10.0
                used, began = cpu_of(pid), time.process_time()
                vector = client.instant(f"m @ {END:.0f}").series
                costs["poll_us"].append(time.process_time() - began)
                costs["poll_prometheus"].append(cpu_of(pid) - used)
                if len(vector) != SERIES:
                    raise SystemExit(f"{len(vector)} series instead of {SERIES}")
    middle = {name: median(values) for name, values in costs.items()}
    ratios = {name: median(p / c for p, c in zip(costs[name], costs["closing"], strict=True)) for name in RULES}
    result = {
        "series": {
            "count": SERIES,
            "detector_cpu_seconds": round(middle["closing"], 4),
            "detector_cpu_seconds_ordinary_poll": round(middle["ordinary"], 4),
            "prometheus_cpu_seconds": {name: round(middle[name], 3) for name in RULES},
            "ratio": round(ratios["robust_z"], 1),
            "ratio_plain_z": round(ratios["z"], 1),
            "poll_cpu_seconds_ours": round(middle["poll_us"], 3),
            "poll_cpu_seconds_prometheus": round(middle["poll_prometheus"], 3),
            "bytes_per_series": round(memory),
        },
        "rules": RULES,
        "all": {name: [round(value, 4) for value in values] for name, values in costs.items()},
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    say(json.dumps(result["series"], indent=1))


if __name__ == "__main__":
    main()
