"""How far quantities left their usual range after a moment: `Recording` -> signs of trouble (pure, no training).

A robust z-score as in BARO (Pham et al., FSE 2024): the median after the moment against median and MAD before it.
The MAD of ten samples may be almost nothing, so a move also has to be large beside the quantity's own level and beside
the highest level of its kind: a cache that goes from 1 to 4 ms does not matter where requests take 500 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hemostat.signals.rootcause.evidence import Sign, Trouble
from hemostat.signals.rootcause.meaning import Direction
from hemostat.signals.rootcause.series import Quantity, Recording

MAD_TO_SIGMA = 1.4826
SMALLEST = 0.5
"""Fewer sigmas are no sign."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Window:
    """What is compared, so many seconds before the moment with so many after it, and what counts as a move."""

    before: float = 600.0
    after: float = 240.0
    least_before: int = 2
    """Fewer samples before say nothing about what is usual."""
    notable: float = 0.1
    """A move smaller than this share of the level is never more than one sigma."""
    half_sure: float = 10.0
    """Sigmas at which the strength of a sign is 0.5. Large, so that the far larger of two clear signs still wins."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How one quantity moved."""

    usual: float
    now: float
    sigmas: float
    """Positive where it moved the way that means trouble."""


def troubles(recording: Recording, at: float, window: Window | None = None) -> tuple[Trouble, ...]:
    """Return the signs of trouble after the moment `at` (seconds since the epoch).

    Nothing later than `at + window.after` is looked at.
    """
    window = window or Window()
    highest = _highest(recording.quantities, at, window)
    found = []
    for quantity in recording.quantities:
        moved = shift(quantity, at, window, highest.get(quantity.kind, 0.0))
        if moved is not None and moved.sigmas >= SMALLEST:
            found.append(_trouble(quantity, moved, moved.sigmas / (moved.sigmas + window.half_sure)))
    return tuple(found)


def shift(quantity: Quantity, at: float, window: Window, highest: float) -> Shift | None:
    """Return how a quantity moved at a moment; None with too few samples on either side."""
    start, middle, end = np.searchsorted(quantity.times, (at - window.before, at, at + window.after))
    before, after = quantity.values[start:middle], quantity.values[middle:end]
    if len(before) < window.least_before or not len(after):
        return None
    usual, now = float(np.median(before)), float(np.median(after))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(before - usual)))
    sigma = max(spread, window.notable * abs(usual), window.notable * highest, _TINY)
    return Shift(usual, now, _signed((now - usual) / sigma, quantity.direction))


def _signed(sigmas: float, direction: Direction) -> float:
    return {Direction.UP: sigmas, Direction.DOWN: -sigmas, Direction.BOTH: abs(sigmas)}[direction]


def _highest(quantities: Sequence[Quantity], at: float, window: Window) -> dict[str, float]:
    """Return the highest usual level of each kind."""
    found: dict[str, float] = {}
    for quantity in quantities:
        start, middle = np.searchsorted(quantity.times, (at - window.before, at))
        if quantity.kind and quantity.sign is not Sign.NETWORK and middle - start >= window.least_before:
            level = abs(float(np.median(quantity.values[start:middle])))
            found[quantity.kind] = max(found.get(quantity.kind, 0.0), level)
    return found


def _trouble(quantity: Quantity, moved: Shift, strength: float) -> Trouble:
    way = "rose" if moved.now > moved.usual else "fell"
    usual, now = (_number(v, quantity.seconds_per_unit) for v in (moved.usual, moved.now))
    reason = f"{quantity.label} {way} from {usual} to {now} ({moved.sigmas:.1f} sigma)"
    return Trouble(quantity.sign, quantity.service, strength, reason, quantity.caller)


def _number(value: float, seconds_per_unit: float | None) -> str:
    if seconds_per_unit is None:
        return f"{value:.3g}"
    seconds = value * seconds_per_unit
    return f"{seconds:.3g} s" if abs(seconds) >= 1 else f"{seconds * 1e3:.3g} ms"
