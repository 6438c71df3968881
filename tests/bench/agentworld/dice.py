"""Chance that depends on where it is asked, not on how often: two members of a pair draw the same until they differ."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_MASK = (1 << 64) - 1
T = TypeVar("T")


def seed_of(*parts: object) -> int:
    """Return 64 bits that depend on every part, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def draw(seed: int, *where: int) -> float:
    """Return a number in [0, 1) that depends on `seed` and the place (splitmix64)."""
    state = seed & _MASK
    for one in where:
        state = _mix((state + 0x9E3779B97F4A7C15 * (one + 1)) & _MASK)
    return _mix((state + 0x9E3779B97F4A7C15) & _MASK) / 2**64


def between(low: float, high: float, seed: int, *where: int) -> float:
    """Return a number in [low, high)."""
    return low + (high - low) * draw(seed, *where)


def pick(options: Sequence[T], seed: int, *where: int) -> T:
    """Return one of the options."""
    return options[int(draw(seed, *where) * len(options))]


def whole(low: int, high: int, seed: int, *where: int) -> int:
    """Return a whole number in [low, high]."""
    return low + int(draw(seed, *where) * (high - low + 1))


def _mix(state: int) -> int:
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)
