"""Families of conversations: each builds a plan from a seed, with its one causal fact healthy or flipped."""

from . import alone, growth, locking, talking
from .family import Family

FAMILIES: dict[str, Family] = {
    family.name: family for group in (alone, talking, locking, growth) for family in group.FAMILIES
}
