"""Rounds of diagnosis: what each is asked, when one is due, and when there were enough (pure)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hemostat.api.incident import CONSULTED, Evidence, Incident, IncidentStatus
from hemostat.api.meta import find
from hemostat.diagnosis.matcher import Conclusion
from hemostat.diagnosis.outcomes import Tried
from hemostat.diagnosis.panel.case import question
from hemostat.diagnosis.redact import redact
from hemostat.signals.correlate import openings

ROUNDS_USED_UP = "RoundsUsedUp"
LATER = frozenset({"NotPermitted", "Busy"})
"""Why a model was not asked that may be otherwise in a while."""
ASKED_FOR = timedelta(minutes=10)
"""How long an open question of that sort is asked again, at each look; what a namespace permits is read seldom."""


def asked(conclusion: Conclusion, evidence: Sequence[Evidence], known: Tried) -> Conclusion:
    """Return the matcher's conclusion with what there was to decide, and how many outcomes it knows."""
    diagnosis = conclusion.diagnosis.model_copy(update={"outcomes": len(known.over)})
    return with_question(replace(conclusion, diagnosis=diagnosis), question(evidence, diagnosis, known.rounds))


def with_question(conclusion: Conclusion, text: str) -> Conclusion:
    """Return it with this question; an empty one is asked again."""
    return replace(conclusion, diagnosis=conclusion.diagnosis.model_copy(update={"question": text}))


def may_be_asked_later(status: IncidentStatus, now: datetime) -> bool:
    """Tell whether a model was not asked for a reason that may pass, and not for long yet."""
    said = find(status.conditions, CONSULTED)
    return said is not None and said.reason in LATER and now - said.last_transition_time < ASKED_FOR


def another_round(incident: Incident, known: Tried, most: int, now: datetime) -> tuple[str, datetime, str]:
    """Return what the timeline says of a round that an outcome began: what, when, and why."""
    what = f"round/{openings(incident)}/{len(known.over)}"
    last = redact(known.items()[-1].summary)
    return what, now, f"diagnosed anew (round {known.rounds + 1} of {most}): {last}"


def used_up(known: Tried, most: int) -> str:
    """Say that there were enough rounds."""
    why = "; ".join(redact(item.summary) for item in known.items())
    return f"{most} rounds of diagnosis (HEMOSTAT_DIAGNOSIS_ROUNDS) are used up, a person decides: {why}"[:2048]
