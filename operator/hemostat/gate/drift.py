"""What differs between the plan that people looked at and the one that would be made now (pure)."""

import difflib
from collections.abc import Iterable, Iterator

from hemostat.action.undoing import stays
from hemostat.api.remediation import Plan

MAX_TOLD = 1500
"""Characters: a condition's message holds 2048."""


def drifted(old: Plan, new: Plan) -> str:
    """Return the difference as lines that begin with `-` (was approved, or was to be) and `+` (would be done now)."""
    told = "\n".join(_lines(old, new))
    return told if len(told) <= MAX_TOLD else f"{told[: MAX_TOLD - 4]}\n..."


def _lines(old: Plan, new: Plan) -> Iterator[str]:
    before, after = (_words(plan) for plan in (old, new))
    if before == after:
        yield "  the same would be written; but what the plan rests on (revisions, replicas, owners) has changed"
        return
    for line in difflib.ndiff(before, after):
        if line[:2] in ("- ", "+ "):
            yield line.rstrip()


def _words(plan: Plan) -> list[str]:
    reach = f"replaces {plan.replaced_pods} pods, leaves {plan.replicas_after} replicas"
    held = f", for {plan.hold_seconds} s" if plan.hold_seconds is not None else ""
    undo = stays(plan) or "can be undone"
    return [plan.summary, f"{reach}{held}; {undo}", *_written(plan.diff.splitlines()[:200])]


def _written(diff: Iterable[str]) -> Iterator[str]:
    """Yield the lines that a plan takes away and writes, in words: a difference of differences nobody can read."""
    for line in diff:
        if line[:1] in ("-", "+") and not line.startswith(("--- ", "+++ ")):
            yield f"{'takes away' if line[0] == '-' else 'writes'}: {line[1:].strip()}"
