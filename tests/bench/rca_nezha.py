"""Nezha's Online Boutique faults (bench data `nezha-onlineboutique`) as files that `hemostat replay rca` reads.

The `Time` column is used: `TimeStamp` is corrupt upstream for adservice on 2022-08-22. All columns of all pods go into
the table under their own names, `source_50`/`destination_50` as an edge's latency seen by caller and callee.
"""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DAYS = ("2022-08-22", "2022-08-23")
EDGE_FILES = {"source_50": "source_latency_p50_seconds", "destination_50": "destination_latency_p50_seconds"}
SPANS_A_LINE = 500
_NOT_METRICS = {"Time", "time", "TimeStamp", "timestamp", "PodName", "ServiceName"}

Row = tuple[float, str, str, str, str, str]
"""time, metric, service, peer, pod, value"""


@dataclass(frozen=True)
class Fault:
    """One injected fault."""

    day: str
    at: float
    service: str
    kind: str
    trace_minutes: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.day}-{self.at:.0f}"


def faults(data: Path) -> list[Fault]:
    """All faults in the order of time."""
    traced = {f["inject_time"]: tuple(f["trace_minutes"]) for f in _json(data / "faults_with_traces.json")}
    found = []
    for day in DAYS:
        for hour in _json(data / f"rca_data/{day}/{day}-fault_list.json").values():
            for fault in hour:
                time = fault["inject_time"]
                found.append(
                    Fault(
                        day, _seconds(time), _service(fault["inject_pod"]), fault["inject_type"], traced.get(time, ())
                    )
                )
    return sorted(found, key=lambda f: f.at)


def rows(data: Path, day: str) -> list[Row]:
    """The long table of one day."""
    found: list[Row] = []
    for path in sorted((data / f"rca_data/{day}/metric").glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        if name in ("dependency", "front_service"):  # static, and the frontend's own latency once more
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in csv.DictReader(lines):
                found += _edge_rows(line, EDGE_FILES[name]) if name in EDGE_FILES else _pod_rows(line)
    return found


def _edge_rows(line: dict[str, str], metric: str) -> Iterator[Row]:
    time = _seconds(line["time"])
    for edge, value in line.items():
        if edge not in _NOT_METRICS:
            caller, callee = edge.split("_")
            yield time, metric, caller, callee, "", value


def _pod_rows(line: dict[str, str]) -> Iterator[Row]:
    time, pod = _seconds(line["Time"]), line["PodName"]
    for metric, value in line.items():
        if metric not in _NOT_METRICS:
            yield time, metric, _service(pod), "", pod, value


def write_table(table: list[Row], path: Path, start: float = 0.0, end: float = float("inf")) -> Path:
    """Write the samples of [start, end) as the CSV that the command reads."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("time", "metric", "service", "peer", "pod", "value"))
        writer.writerows(row for row in table if start <= row[0] < end)
    return path


def write_spans(data: Path, fault: Fault, path: Path) -> Path:
    """Write a fault's spans as OTLP JSON lines. Kinds and status are not recorded upstream."""
    with path.open("w", encoding="utf-8") as out:
        for minute in fault.trace_minutes:
            batches: dict[str, list[dict[str, str]]] = {}
            source = data / f"rca_data/{fault.day}/trace/{minute}_trace.csv.gz"
            with gzip.open(source, "rt", encoding="utf-8") as lines:
                for line in csv.DictReader(lines):
                    batch = batches.setdefault(_service(line["PodName"]), [])
                    batch.append(_span(line))
                    if len(batch) == SPANS_A_LINE:
                        out.write(_request(_service(line["PodName"]), batch))
                        batch.clear()
            for service, batch in batches.items():
                out.write(_request(service, batch))
    return path


def _span(line: dict[str, str]) -> dict[str, str]:
    return {
        "traceId": line["TraceID"],
        "spanId": line["SpanID"],
        "parentSpanId": "" if line["ParentID"] == "root" else line["ParentID"],
        "name": line["OperationName"],
        "startTimeUnixNano": line["StartTimeUnixNano"],
        "endTimeUnixNano": line["EndTimeUnixNano"],
    }


def _request(service: str, spans: list[dict[str, str]]) -> str:
    attributes = [{"key": "service.name", "value": {"stringValue": service}}]
    resource = {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}
    return json.dumps({"resourceSpans": [resource]}) + "\n"


def _service(pod: str) -> str:
    return pod.rsplit("-", 2)[0]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()


def _json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))
