"""What a loop between agents cost, and what it would have cost had nobody cut it (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HOW = (
    "the same conversation by the same script, begun a moment later in pods of the same kind that nobody watches "
    "(namespace agents-uncut); the model's provider counts both, at the same moments"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of the two conversations at one moment."""

    seconds: float
    """Since the first of them began."""
    cut: int
    uncut: int


def saved(costs: Sequence[Cost]) -> dict[str, Any] | None:
    """Return the account for report.json; None without the cost at the cut and at the end.

    :param costs: when the conversation was stopped, and when everything was over.
    """
    if len(costs) < 2:
        return None
    stopped, end = costs[0], costs[-1]
    return {
        "tokens_burnt": end.cut,
        "tokens_without_act": end.uncut,
        "tokens_saved": end.uncut - end.cut,
        "saved_percent": round(100 * (1 - end.cut / end.uncut), 1) if end.uncut else 0.0,
        "seconds": round(end.seconds, 1),
        "at_the_cut": {"seconds": round(stopped.seconds, 1), "tokens": stopped.cut, "without_act": stopped.uncut},
        "compared_with": HOW,
    }


def words(account: dict[str, Any]) -> str:
    """Return the account as one sentence."""
    return (
        f"{account['tokens_burnt']:,} tokens burnt until it was cut; without `act` {account['tokens_without_act']:,} "
        f"after {account['seconds']:.0f} s: {account['tokens_saved']:,} saved ({account['saved_percent']:.0f} %)"
    )
