"""When `act` looks again at what waits, and the reasons by which it says why it waits (pure)."""

from datetime import timedelta

from hemostat.action.moves import IN_FLIGHT
from hemostat.api.remediation import WOULD_HAVE
from hemostat.lifecycle import TAKEN_BACK

SOON, WAIT, LATER = 0.0, 1.0, 10.0
APPROVED = "Approved"
"""Reason of the condition Admitted when people were asked."""
DISRUPTED = "DisruptionBudget"
"""Reason of the condition Applied while one forbids an eviction."""
WAITS = 600
"""Seconds for which it is waited for, where the plan does not say."""
STOPPED = "Stopped"
"""Reason of a condition that waits for the stop switch."""
UNDO_BLOCKED = "UndoBlocked"
"""Reason why a step is not undone: somebody changed its object since, or it cannot go on by itself."""
ASK_AGAIN = frozenset({"NoAdminKey", "NoService", "Unreachable", "CallRefused"})
"""Why a service that was called cannot be looked at: what was done there is taken back once it can."""
LISTEN = 5.0
"""Approvals arrive as events; this only notices drift, expiry and what an event missed."""
RARELY, SELDOM = 60.0, 300.0
"""What has waited for long is looked at so often, for a time to come and for a person: a thousand that wait must not
keep what is new from being done. What people say, and that nothing fires any more, is told as events."""
TURN = 0.3
"""Seconds between two looks at what only waits, however many do."""
MOST_SELDOM = 3600.0
MAX_REVIEWS = 64
"""Approvals of one plan whose rights are asked for at one look."""
STANDS = IN_FLIGHT
"""How long an admission stands before the first effect: after a stop of ours it is decided anew."""
UNSEEN = timedelta(seconds=10)
"""An open Incident is looked at every few seconds: after so long it is worth asking whether it has a Watch still."""
BETWEEN = "Applying"
"""Reason of the condition Applied between two steps, if nothing is waited for."""
NORMAL = ("Healed", "NotNeeded", TAKEN_BACK, WOULD_HAVE)
"""Ends that are nothing to worry about."""
Key = tuple[str, str]
"""(namespace, name)."""


def patience(waited: timedelta, least: float, most: float, crowd: int) -> float:
    """Return in how many seconds to look again at what waits: the longer it has waited and the more do, the later."""
    return max(least, min(waited.total_seconds() / 10, most), min(TURN * crowd, MOST_SELDOM))
