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


def wilson(hits: int, n: int) -> dict[str, float]:
    """Share with Wilson's 95 % interval (Wilson 1927)."""
    z, p = 1.959964, hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + s * half) / (1 + z * z / n) for s in (-1, 1))
    return {"share": round(p, 4), "low": round(max(0.0, low), 4), "high": round(min(1.0, high), 4)}
