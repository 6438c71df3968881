"""Firing signals -> one Incident per cause (pure).

`draft` names the trouble of one target, `blame` says who of many is the cause, `shown` what an Incident shows.
"""

from hemostat.signals.correlate.blame import Case, Suspect, cases
from hemostat.signals.correlate.draft import (
    MAX_RETURNS,
    Draft,
    draft,
    fingerprint,
    is_over,
    open_incident,
    openings,
    returned,
    title,
)
from hemostat.signals.correlate.shown import MAX_OWN, MAX_TRACED, merge, own, symptom

__all__ = [
    "MAX_OWN",
    "MAX_RETURNS",
    "MAX_TRACED",
    "Case",
    "Draft",
    "Suspect",
    "cases",
    "draft",
    "fingerprint",
    "is_over",
    "merge",
    "open_incident",
    "openings",
    "own",
    "returned",
    "symptom",
    "title",
]
