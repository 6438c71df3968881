"""Firing signals -> one Incident per cause (pure).

`draft` names the trouble of one target, `blame` says who of many is the cause, `shown` what an Incident shows; `board`
puts them together for a namespace and says who opens an Incident.
"""

from hemostat.signals.correlate.blame import Case, Suspect, cases
from hemostat.signals.correlate.board import Board
from hemostat.signals.correlate.draft import (
    MAX_RETURNS,
    Draft,
    began,
    draft,
    fingerprint,
    is_over,
    open_incident,
    openings,
    returned,
    summary,
)
from hemostat.signals.correlate.hints import shares, ties
from hemostat.signals.correlate.quota import Quota, quota_of
from hemostat.signals.correlate.report import Report, Word, reported
from hemostat.signals.correlate.shown import MAX_OWN, MAX_TRACED, merge, own, shown_of, symptom

__all__ = [
    "MAX_OWN",
    "MAX_RETURNS",
    "MAX_TRACED",
    "Board",
    "Case",
    "Draft",
    "Quota",
    "Report",
    "Suspect",
    "Word",
    "began",
    "cases",
    "draft",
    "fingerprint",
    "is_over",
    "merge",
    "open_incident",
    "openings",
    "own",
    "quota_of",
    "reported",
    "returned",
    "shares",
    "shown_of",
    "summary",
    "symptom",
    "ties",
]
