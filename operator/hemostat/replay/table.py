"""The long table of metrics, `time,metric,service,peer,pod,value`, from CSV (plain or gzip) or Parquet -> series."""

import csv
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hemostat.clock import parse_time
from hemostat.errors import Refused
from hemostat.replay.lines import lines, readable
from hemostat.replay.times import since_epoch
from hemostat.signals.rootcause.series import Recorded

REQUIRED = ("time", "metric", "service", "value")
OPTIONAL = ("peer", "pod")
MAX_LINE = 65_536
MAX_SERIES = 100_000
MAX_SAMPLES = 20_000_000
"""16 bytes each."""
MAX_NAME = 253
_PARQUET = b"PAR1"
_BATCH = 65_536

Row = tuple[float, str, str, str, str, float]
"""(time in seconds since the epoch, metric, service, peer, pod, value)."""
Key = tuple[str, str, str, str]
"""(metric, service, peer, pod)."""


def read(path: Path) -> list[Recorded]:
    """Return the series of a file, each in the order of time; of two samples at one time the later line counts.

    Missing values (empty, NaN, infinite) are skipped. Raises `Refused` with file and line for anything else.
    """
    with readable(path), path.open("rb") as file:
        parquet = file.read(4) == _PARQUET
    series = _series(_parquet_rows(path) if parquet else _csv_rows(path), path)
    if not series:
        raise Refused("Empty", f"{path}: no samples")
    return series


def seconds(text: str) -> float:
    """Parse a time: seconds since the epoch, or RFC 3339. Raises ValueError that says what is wrong."""
    return since_epoch(text, parse_time, "RFC 3339 with a zone")


def _csv_rows(path: Path) -> Iterator[Row]:
    numbers = [0]

    def numbered() -> Iterator[str]:
        for number, line in lines(path, MAX_LINE):
            numbers[0] = number
            yield line

    rows = csv.reader(numbered(), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        columns = _columns(header, path)
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise ValueError(f"{len(row)} fields where the header has {len(header)}")
            time, metric, service, value, peer, pod = (row[i] if i is not None else "" for i in columns)
            sample = _value(value)
            if sample is not None:
                yield seconds(time), metric, service, peer, pod, sample
    except (ValueError, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise Refused("BadTable", f"{path}, line {numbers[0]}: {error}") from error


def _columns(header: Sequence[str], path: Path) -> list[int | None]:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise Refused(
            "BadTable",
            f"{path}: no column {', '.join(missing)}; the first line must name the columns"
            f" {','.join(REQUIRED)} and, if known, {','.join(OPTIONAL)}",
        )
    return [header.index(name) if name in header else None for name in (*REQUIRED, *OPTIONAL)]


def _value(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"not a number in column value: {text[:40]!r}") from None
    return number if math.isfinite(number) else None


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise Refused(
            "NoParquet", f"{path} is Parquet, which needs pyarrow: pip install 'hemostat[parquet]', or give CSV"
        ) from None
    try:
        with readable(path), parquet.ParquetFile(path) as file:
            header = [name.lower() for name in file.schema_arrow.names]
            _columns(header, path)
            names = {name.lower(): name for name in file.schema_arrow.names}
            wanted = [names[n] for n in (*REQUIRED, *OPTIONAL) if n in names]
            for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
                yield from _batch_rows({n: batch.column(names[n]).to_pylist() for n in names if names[n] in wanted})
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise Refused("BadTable", f"{path}: {error}") from error


def _batch_rows(columns: dict[str, list[object]]) -> Iterator[Row]:
    size = len(columns["time"])
    blank: list[object] = [None] * size
    ordered = (columns.get(n, blank) for n in ("time", "metric", "service", "peer", "pod", "value"))
    for time, metric, service, peer, pod, value in zip(*ordered, strict=True):
        sample = _value("" if value is None else str(value))
        if sample is not None:
            texts = ("" if text is None else str(text) for text in (metric, service, peer, pod))
            yield _moment(time), *texts, sample  # type: ignore[misc]


def _moment(time: object) -> float:
    if isinstance(time, datetime):  # Parquet's timestamps without a zone are UTC by its specification
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return seconds(str(time))


def _series(rows: Iterable[Row], path: Path) -> list[Recorded]:
    found: dict[Key, tuple[array[float], array[float]]] = {}
    for samples, (time, metric, service, peer, pod, value) in enumerate(rows, 1):
        key = _name(metric), _name(service), _name(peer), _name(pod)
        if not key[0] or not key[1]:
            raise Refused("BadTable", f"{path}: a sample at {time:.0f} names no {'service' if key[0] else 'metric'}")
        times, values = found.setdefault(key, (array("d"), array("d")))
        times.append(time)
        values.append(value)
        if len(found) > MAX_SERIES or samples > MAX_SAMPLES:
            raise Refused(
                "TooLarge",
                f"{path}: more than {MAX_SERIES:,} series or {MAX_SAMPLES:,} samples:"
                " give an hour around the trouble, and only the metrics that matter",
            )
    return [_recorded(key, *found[key]) for key in sorted(found)]


def _name(text: str) -> str:
    """Names end up in tables and logs: bounded, on one line."""
    cut = text.strip()[:MAX_NAME]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)


def _recorded(key: Key, times: "array[float]", values: "array[float]") -> Recorded:
    at, what = np.frombuffer(times), np.frombuffer(values)
    order = np.argsort(at, kind="stable")
    at, what = at[order], what[order]
    last = np.append(at[1:] != at[:-1], True)
    metric, service, peer, pod = key
    return Recorded(metric, service, peer, pod, at[last], what[last])
