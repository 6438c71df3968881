"""False alarms of the default detector on healthy series of many kinds, seeded.

Run as `.venv/bin/python tests/bench/healthy_series.py [DAYS]`; writes build/bench/healthy_series.json: alarms per
1,000 series-days by kind and sensitivity, of single looks and of looks debounced as a Watch does (two in a row).
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemostat.api.watch import Sensitivity
from hemostat.signals.detectors import WRONG, Unusual

Floats = NDArray[np.float64]
Maker = Callable[[np.random.Generator, Floats], Floats]
POLL_SECONDS = 30.0
DAY = 86400.0
SERIES_OF_A_KIND = 20
OUT = Path(__file__).parents[2] / "build/bench/healthy_series.json"


def _day(rng: np.random.Generator, t: Floats) -> Floats:
    """A daily shape between 0 and 1: two harmonics, another for every series."""
    phase = 2 * np.pi * t / DAY
    shape = np.sin(phase + rng.uniform(0, 6.28)) + 0.4 * np.sin(2 * phase + rng.uniform(0, 6.28))
    return (shape - shape.min()) / np.ptp(shape)


def _walk(rng: np.random.Generator, t: Floats, memory: float) -> Floats:
    """Noise that remembers: AR(1) with unit deviation."""
    noise = rng.normal(0, np.sqrt(1 - memory**2), len(t))
    out = np.empty(len(t))
    last = 0.0
    for nth, step in enumerate(noise):
        last = memory * last + step
        out[nth] = last
    return out


def _steps(rng: np.random.Generator, t: Floats, every: float, size: float) -> Floats:
    """A level that moves a little at deploys."""
    level = 1 + rng.normal(0, size, len(t)) * (rng.random(len(t)) < POLL_SECONDS / every)
    return np.clip(np.cumprod(level), 0.2, 5.0)


def _sawtooth(rng: np.random.Generator, t: Floats) -> Floats:
    """Memory of a garbage-collected process: it fills at a varying rate and falls back."""
    out = np.empty(len(t))
    used, top = 200.0, 400.0
    rate = rng.uniform(0.2, 3.0)
    for nth in range(len(t)):
        used += rate * rng.uniform(0.5, 1.5)
        if used > top:
            used, top = 200 + rng.normal(0, 10), 400 + rng.normal(0, 15)
        out[nth] = used
    return out


def _cron(rng: np.random.Generator, t: Floats) -> Floats:
    """A job every hour that works for two to four minutes."""
    busy = (t - rng.uniform(0, 3600)) % 3600 < rng.uniform(120, 240)
    return 5 + rng.normal(0, 0.5, len(t)) + busy * rng.normal(60, 6, len(t))


def _bursts(rng: np.random.Generator, t: Floats) -> Floats:
    """Bursts at random times, some ten a day, of random height and length."""
    out = rng.normal(20, 2, len(t))
    for start in np.flatnonzero(rng.random(len(t)) < 10 * POLL_SECONDS / DAY):
        out[start : start + rng.integers(2, 20)] += rng.lognormal(4, 0.5)
    return out


KINDS: dict[str, Maker] = {
    "constant": lambda rng, t: np.full(len(t), float(rng.integers(0, 100))),
    "gauss": lambda rng, t: rng.normal(100, 5, len(t)),
    "ar1": lambda rng, t: 100 + 5 * _walk(rng, t, 0.98),
    "poisson_few": lambda rng, t: rng.poisson(3, len(t)) / POLL_SECONDS,
    "poisson_many": lambda rng, t: rng.poisson(900, len(t)) / POLL_SECONDS,
    "rare_errors": lambda rng, t: rng.poisson(0.02, len(t)) / POLL_SECONDS,
    "latency": lambda rng, t: 0.05 * rng.lognormal(0, 0.3, len(t)),
    "heavy": lambda rng, t: rng.pareto(2.5, len(t)),
    "daily": lambda rng, t: 50 + 100 * _day(rng, t) + rng.normal(0, 4, len(t)),
    "daily_poisson": lambda rng, t: rng.poisson(30 + 600 * _day(rng, t)) / POLL_SECONDS,
    "daily_varying": lambda rng, t: (50 + 100 * _day(rng, t)) * (1 + 0.08 * _walk(rng, t, 0.995)),
    "sawtooth": _sawtooth,
    "cron": _cron,
    "bursts": _bursts,
    "deploys": lambda rng, t: 100 * _steps(rng, t, 6 * 3600, 0.05) + rng.normal(0, 3, len(t)),
}


def make(days: float, seed: int = 20261121) -> tuple[list[str], Floats, Floats]:
    """Return the kind of every series, the times, and values of shape (times, series)."""
    t = np.arange(0.0, days * DAY, POLL_SECONDS)
    rng = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS for _ in range(SERIES_OF_A_KIND)]
    return kinds, t, np.column_stack([KINDS[kind](rng, t) for kind in kinds])


def alarms(t: Floats, values: Floats, sensitivity: Sensitivity, quiet: float = 1800.0) -> tuple[Floats, Floats]:
    """Return per series how many episodes began, by single looks and by two wrong looks in a row."""
    series = values.shape[1]
    bank, rows = Unusual(series, sensitivity=sensitivity), np.arange(series)
    counts = np.zeros((2, series))
    last = np.full((2, series), -np.inf)
    before = np.zeros(series, bool)
    for now, vector in zip(t, values, strict=True):
        wrong = bank.step(rows, vector, now).wrong == WRONG
        for which, seen in enumerate((wrong, wrong & before)):
            counts[which] += seen & (now - last[which] > quiet)
            last[which][seen] = now
        before = wrong
    return counts[0], counts[1]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    """Measure and write."""
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 7.0
    kinds, t, values = make(days)
    judged_days = days * SERIES_OF_A_KIND
    names = np.array(kinds)
    result: dict[str, object] = {"days": days, "series": len(kinds), "poll_seconds": POLL_SECONDS}
    for sensitivity in Sensitivity:
        began = time.process_time()
        single, debounced = alarms(t, values, sensitivity)
        by_kind = {
            kind: {
                "single": round(float(1000 * single[names == kind].sum() / judged_days), 1),
                "debounced": round(float(1000 * debounced[names == kind].sum() / judged_days), 1),
            }
            for kind in KINDS
        }
        every = {
            "single": round(float(1000 * single.sum() / (days * len(kinds))), 1),
            "debounced": round(float(1000 * debounced.sum() / (days * len(kinds))), 1),
        }
        result[sensitivity] = {"alarms_per_1000_series_days": every, "by_kind": by_kind}
        _say(f"{sensitivity}: {every}  ({time.process_time() - began:.1f} CPU-s)")
        for kind, rates in by_kind.items():
            _say(f"    {kind:14} single {rates['single']:8.1f}   debounced {rates['debounced']:8.1f}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
