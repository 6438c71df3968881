"""Rounds of diagnosis: what each is asked, when one is due, and when there were enough (pure)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hemostat.api.incident import CONSULTED, Evidence, Incident, IncidentStatus
from hemostat.api.meta import find, set_condition
from hemostat.diagnosis.matcher import Conclusion
from hemostat.diagnosis.outcomes import Tried
from hemostat.diagnosis.panel.case import question
from hemostat.diagnosis.redact import redact
from hemostat.observe.telling import consulted_entry
from hemostat.signals.correlate import openings

ROUNDS_USED_UP = "RoundsUsedUp"
NOT_PERMITTED = "NotPermitted"
ASKED_FOR = timedelta(minutes=10)
"""How long a question that may not leave is asked again, at each look; what a namespace permits is read seldom."""
OUTAGES = frozenset({"NoProvider", "Deadline", "NotCounted", "BadKey", "NoSuchModel", "Busy", "DayBudgetSpent"})
"""Why a model that was asked did not answer, or could not be asked, through no fault of the question. What is set wrong
somebody sets right, and starts this process anew."""
FIRST_WAIT, MOST_WAIT = timedelta(seconds=30), timedelta(minutes=10)
"""After an outage: as long again as it has lasted, which doubles the wait each time; the least is a breaker's rest."""


def asked(conclusion: Conclusion, evidence: Sequence[Evidence], known: Tried) -> Conclusion:
    """Return the matcher's conclusion with what there was to decide, and how many outcomes it knows."""
    diagnosis = conclusion.diagnosis.model_copy(update={"outcomes": len(known.over)})
    text = question(evidence, diagnosis, known.rounds)
    return replace(conclusion, diagnosis=diagnosis.model_copy(update={"question": text}))


def asked_again(status: IncidentStatus, now: datetime) -> bool:
    """Tell whether the same question is to be asked again now: what was in the way may have passed."""
    said = find(status.conditions, CONSULTED)
    if said is not None and said.reason == NOT_PERMITTED:
        return now - said.last_transition_time < ASKED_FOR
    when = next_asking(status)
    return when is not None and now >= when


def next_asking(status: IncidentStatus) -> datetime | None:
    """Return when a model is asked again after an outage; None where none is why it did not answer.

    Nothing is kept for it: since when it has lasted stands in the timeline, and when was asked last in the condition.
    """
    said = find(status.conditions, CONSULTED)
    if said is None or said.reason not in OUTAGES:
        return None
    entry = consulted_entry(status, said.reason)
    since = next((t.time for t in status.timeline if t.id == entry), None)
    lasted = said.last_transition_time - since if since is not None else MOST_WAIT
    return said.last_transition_time + min(max(lasted, FIRST_WAIT), MOST_WAIT)


def with_next(status: IncidentStatus, now: datetime) -> IncidentStatus:
    """Have the condition say when a model is asked again, if it is: from this asking on, whatever it came to before."""
    said = find(status.conditions, CONSULTED)
    if said is None or said.reason not in OUTAGES:
        return status
    conditions = set_condition(status.conditions, CONSULTED, "Unknown", said.reason, said.message, now)
    conditions = set_condition(conditions, CONSULTED, False, said.reason, said.message, now)
    status = status.model_copy(update={"conditions": conditions})
    when = next_asking(status)
    assert when is not None  # as for every outage
    more = f"; it is asked again from {when:%H:%M:%S} UTC on, while nothing is at work and the budget lasts"
    message = said.message[: 1024 - len(more)] + more
    conditions = set_condition(status.conditions, CONSULTED, False, said.reason, message, now)
    return status.model_copy(update={"conditions": conditions})


def another_round(incident: Incident, known: Tried, most: int, now: datetime) -> tuple[str, datetime, str]:
    """Return what the timeline says of a round that an outcome began: what, when, and why."""
    what = f"round/{openings(incident)}/{len(known.over)}"
    last = redact(known.items()[-1].summary)
    return what, now, f"diagnosed anew (round {known.rounds + 1} of {most}): {last}"


def used_up(known: Tried, most: int) -> str:
    """Say that there were enough rounds."""
    why = "; ".join(redact(item.summary) for item in known.items())
    return f"{most} rounds of diagnosis (HEMOSTAT_DIAGNOSIS_ROUNDS) are used up, a person decides: {why}"[:2048]
