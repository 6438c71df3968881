"""When trouble began, as a stream would have noticed it: nothing after a step takes part in judging it (pure).

At each step every quantity's last value is compared with its own recent past as in `shift`, and also with how far it
strayed upward over the last two hours, so that what is always jumpy must jump further. Trouble is a sign strong enough
in two steps in a row at a quantity that was well before.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hemostat.errors import Refused
from hemostat.signals.rootcause.evidence import Sign
from hemostat.signals.rootcause.meaning import Direction
from hemostat.signals.rootcause.rank import WEIGHT
from hemostat.signals.rootcause.series import Floats, Quantity, Recording, step_of
from hemostat.signals.rootcause.shift import MAD_TO_SIGMA, Window

MAX_CELLS = 40_000_000
"""Steps times quantities; 320 MB."""
MAX_STEPS = 100_000
"""Ten weeks of minutes: about a minute of work."""
_STALE_STEPS = 1.5
_TINY = 1e-9
_SIGN = {Direction.UP: 1.0, Direction.DOWN: -1.0, Direction.BOTH: 0.0}


@dataclass(frozen=True, slots=True)
class Watchfulness:
    """When a sign is trouble."""

    least: float = 0.3
    """Strength times weight of its sign that it needs, in (0, 1)."""
    in_a_row: int = 2
    """Steps for which it must last."""
    past: int = 120
    """Steps of which the usual straying is learned."""
    straying: float = 0.9
    """Quantile of the past straying that counts as that many sigmas of a normal distribution."""
    quiet: int = 5
    """Steps after trouble in which more of it is the same trouble."""
    well: int = 2
    """Steps a quantity must have been well before."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """One beginning of trouble; times in seconds since the epoch."""

    noticed: float
    """When a stream would have said so."""
    began: float
    """Before the first sample that was out of the ordinary."""
    what: tuple[str, ...]
    """What was out of the ordinary, strongest first, at most five."""


def beginnings(
    recording: Recording, window: Window | None = None, watch: Watchfulness | None = None
) -> tuple[Beginning, ...]:
    """Return when trouble began, in order. Raises `Refused` when the recording is too large to go through."""
    window, watch = window or Window(), watch or Watchfulness()
    cadences: dict[int, list[Quantity]] = {}
    for quantity in recording.quantities:
        if len(quantity.times):
            cadences.setdefault(round(math.log2(step_of(quantity.times))), []).append(quantity)
    found = [b for alike in cadences.values() for b in _beginnings(alike, window, watch)]
    merged: list[Beginning] = []
    for beginning in sorted(found, key=lambda b: (b.noticed, b.what)):
        if not merged or beginning.began > merged[-1].noticed:
            merged.append(beginning)
    return tuple(merged)


def _beginnings(quantities: Sequence[Quantity], window: Window, watch: Watchfulness) -> Iterator[Beginning]:
    """Yield the beginnings among quantities that have about the same step."""
    step = float(np.median([step_of(q.times) for q in quantities]))
    start, end = min(q.times[0] for q in quantities), max(q.times[-1] for q in quantities)
    count = int((end - start) / step) + 2
    if count > MAX_STEPS or count * len(quantities) > MAX_CELLS:
        raise Refused(
            "TooLong",
            f"{count:,} steps of {step:g} s for {len(quantities):,} quantities are too much to search for the time"
            " of the trouble: give it (--at), or a shorter recording",
        )
    grid = start + step * np.arange(1, count)
    strong = np.zeros((watch.in_a_row + watch.well, len(quantities)), dtype=bool)
    last = -np.inf
    for i, strength in enumerate(_strengths(quantities, grid, step, window, watch)):
        strong = np.roll(strong, -1, axis=0)
        strong[-1] = strength >= watch.least
        new = strong[watch.well :].all(axis=0) & ~strong[: watch.well].any(axis=0)
        if new.any() and grid[i] - last > watch.quiet * step:
            last = float(grid[i])
            loud = [j for j in np.argsort(-strength, kind="stable")[:5] if strength[j] >= watch.least]
            yield Beginning(last, last - watch.in_a_row * step, tuple(quantities[j].label for j in loud))


def _strengths(
    quantities: Sequence[Quantity], grid: Floats, step: float, window: Window, watch: Watchfulness
) -> Iterator[Floats]:
    """Yield for each step the strength of each quantity's sign, weighed as in the ranking; shape (quantities,)."""
    values = np.stack([_on_grid(q, grid, step) for q in quantities], axis=1)
    sign = np.array([_SIGN[q.direction] for q in quantities])
    weight = np.array([WEIGHT[q.sign] for q in quantities])
    kinds = _kinds(quantities)
    recent = max(window.least_before, round(window.before / step))
    tail = NormalDist().inv_cdf(watch.straying)
    for i, row in enumerate(values):
        past = values[max(0, i - watch.in_a_row - watch.past + 1) : max(0, i - watch.in_a_row + 1)]
        if len(past) < window.least_before + 1:
            yield np.zeros(len(quantities))
            continue
        usual, spread = _usual(past[-recent:])
        level = np.abs(np.nan_to_num(usual))
        sigma = np.maximum.reduce(
            [
                spread,
                _straying(past, sign, watch.straying) / tail,
                window.notable * level,
                window.notable * _highest(level, kinds),
                np.full(len(sign), _TINY),
            ]
        )
        moved = (row - usual) / sigma
        sigmas = np.nan_to_num(np.clip(np.where(sign == 0.0, np.abs(moved), moved * sign), 0.0, None))
        yield weight * sigmas / (sigmas + window.half_sure)


def _usual(recent: Floats) -> tuple[Floats, Floats]:
    """Return median and spread of each column; NaN and 0 where there is no sample."""
    usual = _nanquantile(recent, 0.5)
    return usual, np.nan_to_num(MAD_TO_SIGMA * _nanquantile(np.abs(recent - usual), 0.5))


def _straying(past: Floats, sign: Floats, quantile: float) -> Floats:
    away = past - _nanquantile(past, 0.5)
    return np.nan_to_num(np.clip(_nanquantile(np.where(sign == 0.0, np.abs(away), away * sign), quantile), 0.0, None))


def _nanquantile(columns: Floats, quantile: float) -> Floats:
    """Return each column's quantile of the finite values (the lower of two), NaN without any.

    One sort; numpy's own goes column by column where there is a NaN, which is fifty times as slow.
    """
    ordered = np.sort(columns, axis=0)  # NaN last
    finite = np.count_nonzero(np.isfinite(columns), axis=0)
    index = np.maximum(0, np.ceil(quantile * finite).astype(np.intp) - 1)
    return np.where(finite > 0, np.take_along_axis(ordered, index[None, :], axis=0)[0], np.nan)


def _kinds(quantities: Sequence[Quantity]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return per kind of quantity whose levels count and whom they are held against."""
    members: dict[str, list[int]] = {}
    for j, quantity in enumerate(quantities):
        if quantity.kind:
            members.setdefault(quantity.kind, []).append(j)
    found = []
    for all_ in members.values():
        counted = [j for j in all_ if quantities[j].sign is not Sign.NETWORK]
        if counted:
            found.append((np.array(counted, dtype=np.intp), np.array(all_, dtype=np.intp)))
    return found


def _highest(level: Floats, kinds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> Floats:
    highest = np.zeros(len(level))
    for counted, all_ in kinds:
        highest[all_] = level[counted].max()
    return highest


def _on_grid(quantity: Quantity, grid: Floats, step: float) -> Floats:
    """Return the last value at each step, NaN where it is too old."""
    last = np.searchsorted(quantity.times, grid, side="right") - 1
    at = np.maximum(last, 0)
    fresh = (last >= 0) & (grid - quantity.times[at] < _STALE_STEPS * step)
    return np.where(fresh, quantity.values[at], np.nan)
