"""Confidence bounds that the benchmarks state."""

import math


def poisson_upper(events: int, exposure: float) -> float:
    """Return the 95 % upper bound of a rate (exact, one-sided, by bisection); 3.0 per unit when nothing happened."""
    low, high = 0.0, 20.0 + 4.0 * events
    for _ in range(100):
        mean = (low + high) / 2
        terms = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(events + 1)) if mean else iter((0.0,))
        at_most = sum(math.exp(term) for term in terms)
        low, high = (mean, high) if at_most > 0.05 else (low, mean)
    return high / exposure
