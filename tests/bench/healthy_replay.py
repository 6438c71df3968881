"""False alarms of the default detector on recorded healthy data: the series of NAB outside their labelled windows.

Run as `.venv/bin/python tests/bench/healthy_replay.py`; writes build/bench/healthy_replay.json. Data:
HEMOSTAT_BENCH_DATA (../shared/bench). Goes through the code of `hemostat replay metrics` with its defaults; an alarm is
the beginning of an episode. What nobody labelled is taken as healthy, which it is not always: the rate is an upper one.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bounds import poisson_upper

from hemostat.api.watch import Sensitivity
from hemostat.replay.metrics import default_probation, judge, read

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HEMOSTAT_BENCH_DATA", ROOT.parent / "shared/bench")) / "nab"
OUT = ROOT / "build/bench/healthy_replay.json"
DAY = 86400.0
Windows = list[tuple[float, float]]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _there(path: Path) -> Path:
    return path if path.exists() else path.with_name(path.name + ".gz")


def replay(path: Path, windows: Windows, sensitivity: Sensitivity) -> tuple[int, float]:
    """Return how many alarms a file's healthy part raised, and how many days that is."""
    probation = default_probation(path)
    alarms, days, before = 0, 0.0, None
    for position, one in enumerate(judge(read(path), probation, sensitivity)):
        now = one.row.time
        healthy = position >= probation and not any(start <= now <= end for start, end in windows)
        if healthy and before is not None:
            days += min(max(0.0, now - before), 3600.0) / DAY  # a gap in the recording is no healthy time
        alarms += healthy and one.alarm
        before = now
    return alarms, days


def main() -> None:
    """Measure and write."""
    if not DATA.is_dir():
        sys.stdout.write(f"healthy replay: skipped, no data in {DATA} (HEMOSTAT_BENCH_DATA)\n")
        return
    labels = json.loads((DATA / "labels/combined_windows.json").read_text())
    files = [
        DATA / "data" / name if (DATA / "data" / name).exists() else DATA / "data" / f"{name}.gz" for name in labels
    ]
    windows = [[(_moment(start), _moment(end)) for start, end in found] for found in labels.values()]
    result: dict[str, object] = {}
    for sensitivity in Sensitivity:
        with ProcessPoolExecutor(2) as pool:
            found = list(pool.map(replay, files, windows, [sensitivity] * len(files), chunksize=4))
        alarms, days = sum(a for a, _ in found), sum(d for _, d in found)
        result[sensitivity] = {
            "series": len(files),
            "series_days": round(days, 1),
            "alarms": alarms,
            "alarms_per_1000_series_days": round(1000 * alarms / days, 1),
            "upper_95": round(1000 * poisson_upper(alarms, days), 1),
            "series_without_alarm": sum(a == 0 for a, _ in found),
        }
        sys.stdout.write(f"{sensitivity}: {result[sensitivity]}\n")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"healthy_replay": result}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
