"""What the ranking reads: one `Trouble` per sign that a service or an edge is out of the ordinary (pure)."""

from dataclasses import dataclass
from enum import StrEnum

Edge = tuple[str, str]
"""(caller, callee)."""


class Sign(StrEnum):
    """In what way something is out of the ordinary; it decides which way the sign travels over the call graph."""

    WORKLOAD = "Workload"
    """Its pods crash, are killed, cannot start. It does not travel."""
    RESOURCE = "Resource"
    """It uses more CPU, memory or another resource of its own, or has none left. It does not travel."""
    NETWORK = "Network"
    """An edge takes longer than its callee reports. One end of the edge is the cause, not known which."""
    LATENCY = "Latency"
    """It answers slower. Its callers get slower too."""
    ERRORS = "Errors"
    """It fails. Its callers fail too."""
    COURSE = "Course"
    """Its calls unfold differently: it gives up half-way, retries, takes another branch. That is its own doing, or its
    callees fail, or its callers ask for something else."""
    TRAFFIC = "Traffic"
    """It is called more or less often. Its callees are too."""
    CHANGE = "Change"
    """It was changed just before. No trouble in itself, but a likely cause of trouble seen elsewhere."""
    OTHER = "Other"
    """Anything else that fires. It does not travel."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One sign of trouble."""

    sign: Sign
    service: str
    """Whom it is about; of an edge, the callee."""
    strength: float
    """How far out of the ordinary, in (0, 1]: 0.5 is worth a look, 1 leaves no doubt (a crash, a firing signal)."""
    reason: str
    """For people: `CPU of payment rose from 0.1 to 0.9 (31 sigma)`."""
    caller: str = ""
    """The other end of an edge; empty for a service's own sign."""
    since: float | None = None
    """When it began, in seconds of any one clock; None where not known."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one sign says about one service, once others have had their part."""

    trouble: Trouble
    value: float
    """In [0, 1]."""
    note: str = ""
    """More for a person, after the reason."""
