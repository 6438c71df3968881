"""How much of agents' work is seen, for a person, and what it means for verdicts about them (pure)."""

from collections.abc import Iterator

from hemostat.signals.loops.coverage import Coverage
from hemostat.signals.loops.verdict import Visibility
from hemostat.signals.rules import exactly, quoted

METERED_SECONDS = 600
ASKED_SECONDS = 60.0
LEAST_METERED, LEAST_SHARE = 20, 0.7
"""Metrics come later than spans, and are estimates between scrapes: only a clear difference counts."""
_NAMES = ("gen_ai_client_operation_duration_seconds_count", "gen_ai_client_operation_duration_count")
_OPERATIONS = 'gen_ai_operation_name=~"chat|generate_content|text_completion"'


def query(service: str) -> str:
    """Return PromQL for the inferences of a service within ten minutes, by the metrics of its own instrumentation.

    The service is in the label `service_name`, or is the `job` (with its namespace in front), or what `job` was before
    the scrape (`exported_job`).
    """
    job = quoted(f"(.+/)?{exactly(service)}")
    labels = (f"service_name={quoted(service)}", f"exported_job=~{job}", f"job=~{job}")
    return " or ".join(
        f"sum(increase({name}{{{label},{_OPERATIONS}}}[{METERED_SECONDS}s]))" for name in _NAMES for label in labels
    )


def lacking(seen: Coverage) -> bool:
    """Tell whether spans are missing: what was counted is less than what was done."""
    return seen.share is not None or seen.missing > 0 or _disagrees(seen)


def visibility(seen: Coverage) -> Visibility:
    """Return how much can be seen of a service's conversations."""
    if not seen.opened and not seen.content:
        return Visibility.NONE
    whole = seen.opened and seen.content and not seen.displaced and not lacking(seen)
    return Visibility.FULL if whole else Visibility.PARTIAL


def words(seen: Coverage) -> str:
    """Return a line for a person: what is missing, and what that means."""
    reasons = "; ".join(_reasons(seen))
    return f"visibility: {visibility(seen).value.lower()}{': ' if reasons else ''}{reasons}"


def _reasons(seen: Coverage) -> Iterator[str]:
    missing = []
    if seen.share is not None:
        missing.append(
            f"about {_of(seen.share)} traces arrives" if seen.share <= 0.5 else f"about {_of(seen.share)} traces arrive"
        )
    if seen.missing:
        missing.append(f"{100 * seen.missing:.0f}% of spans lack their parent")
    if seen.metered is not None and _disagrees(seen):
        missing.append(f"spans tell of {seen.inferences} of {seen.metered:.0f} inferences that metrics count")
    if missing:
        yield f"{' and '.join(missing)}, so counts and budgets are lower bounds"
    if not seen.opened:
        yield "nothing tells of open spans (hemostat.guard), so deadlocks are not seen"
    if seen.displaced:
        yield "more spans are open than can be kept, so deadlocks may not be seen"
    if not seen.content:
        yield "content is not sent, so fewer loops are sure"


def _of(share: float) -> str:
    return f"1 of {round(1 / share)}" if share <= 0.5 else f"{round(10 * share)} of 10"


def _disagrees(seen: Coverage) -> bool:
    return seen.metered is not None and seen.metered >= LEAST_METERED and seen.inferences < LEAST_SHARE * seen.metered
