"""Multi-window multi-burn-rate of an error budget (Google SRE workbook, chapter 5, table 5-8).

A burn rate of 1 empties the budget exactly in its period. Each pair of windows stands for a share of the budget that
may be spent before somebody is told; the short window makes the signal end soon after the errors do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows that must agree."""

    long_seconds: int
    short_seconds: int
    budget_share: float
    """Share of the period's budget that burns within the long window at the limit."""

    def limit(self, period_days: int) -> float:
        """Return the burn rate that is wrong: 14.4, 6 and 1 for 30 days. Never under 1, which spends no more than
        the budget."""
        return max(1.0, self.budget_share * period_days * DAY / self.long_seconds)


PAIRS = (
    Pair(HOUR, 300, 0.02),
    Pair(6 * HOUR, 1800, 0.05),
    Pair(3 * DAY, 6 * HOUR, 0.1),
)
WINDOWS = tuple(sorted({seconds for pair in PAIRS for seconds in (pair.long_seconds, pair.short_seconds)}))
"""Ranges in seconds for which error shares are needed."""


@dataclass(frozen=True, slots=True)
class Burn:
    """What the pair that is nearest to wrong, or the most wrong, says."""

    wrong: bool | None
    """None: no pair had both of its windows."""
    rate: float | None = None
    """Burn rate that both windows of the pair reach."""
    limit: float | None = None
    pair: Pair | None = None
    seconds_left: float | None = None
    """How long a whole budget lasts at this rate."""


def judge(objective_percent: float, shares: Mapping[int, float | None], period_days: int = 30) -> Burn:
    """Judge an objective by the shares of bad events over `WINDOWS`.

    :param objective_percent: share of good events that is promised, less than 100.
    :param shares: share of bad events (0 to 1) by window in seconds; one that is missing, None or NaN is no evidence.
    """
    budget = 1.0 - objective_percent / 100.0
    if not 0.0 < budget <= 1.0:
        raise ValueError(f"objective_percent must be from 0 to less than 100, not {objective_percent}")
    found = []
    for pair in PAIRS:
        both = [shares.get(pair.long_seconds), shares.get(pair.short_seconds)]
        known = [min(max(share, 0.0), 1.0) for share in both if share is not None and share == share]
        if len(known) == len(both):
            found.append((min(known) / budget, pair.limit(period_days), pair))
    if not found:
        return Burn(None)
    rate, limit, pair = max(found, key=lambda one: one[0] / one[1])
    left = period_days * DAY / rate if rate > 0.0 else None
    return Burn(rate > limit, rate, limit, pair, left)
