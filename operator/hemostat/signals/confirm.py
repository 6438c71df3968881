"""What a fixed bound says of a vector, without any detector: what `act` asks before it acts unattended (pure)."""

from collections.abc import Sequence

from hemostat.signals.rules import Rule, subject_of
from hemostat.signals.words import amount
from hemostat.telemetry.sample import Series


def confirms(rule: Rule, series: Sequence[Series]) -> str | None:
    """Return in words which series is the furthest beyond the bound; None if there is none. Rules that learn confirm
    nothing: what is usual is known to the process that reads, and it cannot be asked.
    """
    if rule.above is not None and series:
        worst = max(series, key=lambda s: s.value)
        return compared(rule, worst) if worst.value > rule.above else None
    if rule.below is not None and series:
        worst = min(series, key=lambda s: s.value)
        return compared(rule, worst) if worst.value < rule.below else None
    return None


def compared(rule: Rule, series: Series) -> str:
    """Say how a series stands to its limit."""
    value, limit = amount(series.value, rule.unit), amount(rule.bound or 0.0, rule.unit)
    return f"{subject_of(rule, dict(series.labels))} is {value}, limit {limit}"
