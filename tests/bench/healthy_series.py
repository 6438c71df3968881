"""False alarms of the default detector on healthy series of many kinds, and what it finds in them, seeded.

Run as `.venv/bin/python tests/bench/healthy_series.py [DAYS]`; writes build/bench/healthy_series.json: alarms per
1,000 series-days by kind and sensitivity, of single looks and of looks debounced as a Watch does (two in a row); and
the share of series in which a fault that begins at the end of the healthy days is told within 15 minutes, debounced.
"""

import copy
import json
import sys
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


FAULTS: dict[str, Callable[[Floats], Floats]] = {
    "three_times": lambda values: 3 * values,
    "half_more": lambda values: 1.5 * values,
    "zero": lambda values: 0 * values,
}
FAULT_POLLS = int(900 / POLL_SECONDS)


def alarms(bank: Unusual, t: Floats, values: Floats, quiet: float = 1800.0) -> Floats:
    """Return how many episodes began, by single looks and by two wrong looks in a row: shape (2, series)."""
    series = values.shape[1]
    rows = np.arange(series)
    counts = np.zeros((2, series))
    last = np.full((2, series), -np.inf)
    before = np.zeros(series, bool)
    for now, vector in zip(t, values, strict=True):
        wrong = bank.step(rows, vector, now).wrong == WRONG
        for which, seen in enumerate((wrong, wrong & before)):
            counts[which] += seen & (now - last[which] > quiet)
            last[which][seen] = now
        before = wrong
    return counts


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    """Measure and write."""
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 7.0
    kinds, t, values = make(days + FAULT_POLLS * POLL_SECONDS / DAY)
    healthy = len(t) - FAULT_POLLS
    names = np.array(kinds)
    result: dict[str, object] = {"days": days, "series": len(kinds), "poll_seconds": POLL_SECONDS}
    for sensitivity in Sensitivity:
        bank = Unusual(len(kinds), sensitivity=sensitivity)
        false = 1000 * alarms(bank, t[:healthy], values[:healthy]) / days
        found = {
            name: alarms(copy.deepcopy(bank), t[healthy:], change(values[healthy:]))[1] > 0
            for name, change in FAULTS.items()
        }
        by_kind = {kind: _row(false, found, names == kind) for kind in KINDS}
        every = _row(false, found, names != "")
        result[sensitivity] = {"all": every, "by_kind": by_kind}
        _say(f"{sensitivity}: {every}")
        for kind, row in by_kind.items():
            _say(f"    {kind:14} {row}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")


def _row(false: Floats, found: dict[str, NDArray[np.bool_]], chosen: NDArray[np.bool_]) -> dict[str, float]:
    rates = {
        "alarms_per_1000_series_days": round(float(false[0, chosen].mean()), 1),
        "debounced": round(float(false[1, chosen].mean()), 1),
    }
    return rates | {f"found_{name}": round(float(told[chosen].mean()), 2) for name, told in found.items()}


if __name__ == "__main__":
    main()
