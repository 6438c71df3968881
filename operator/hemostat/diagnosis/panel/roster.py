"""The specialists, and the router that says which of them a case needs (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hemostat.api.incident import Evidence, EvidenceKind
from hemostat.diagnosis.panel.case import Case

K = EvidenceKind


@dataclass(frozen=True, slots=True)
class Specialist:
    """Reads evidence of its own kinds beside the signals, which all of them see, and has tools of its own."""

    name: str
    reads: frozenset[EvidenceKind]
    tools: frozenset[str]
    """What it may use of what there is: `objects` and `changes` are there where a recording is diagnosed."""
    task: str
    """What it is to find out, in a sentence."""

    def sees(self, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """Return what of the evidence it is shown."""
        return tuple(e for e in evidence if e.kind is K.SIGNAL or e.kind in self.reads)


SPECIALISTS = (
    Specialist(
        "metrics",
        frozenset({K.SERIES}),
        frozenset({"series"}),
        "Say which measurements changed, when each began to, by how much, and which of them moved first.",
    ),
    Specialist(
        "traces",
        frozenset({K.EXEMPLAR, K.EDGE}),
        frozenset({"edges"}),
        "Say on which calls time is lost or errors begin, and which service is the first to fail by itself.",
    ),
    Specialist(
        "kubernetes",
        frozenset({K.WORKLOAD, K.EVENT, K.LOG}),
        frozenset({"logs", "events", "objects"}),
        "Say what state the pods are in, why they do not run or are not ready, and what they log about it.",
    ),
    Specialist(
        "changes",
        frozenset({K.CHANGE}),
        frozenset({"changes"}),
        "Say which change came before the trouble and can explain it, and which of them cannot.",
    ),
    Specialist(
        "agents",
        frozenset({K.STEP}),
        frozenset({"steps"}),
        "Say which agents go round or wait, what they repeat, what it costs, and where it would be cut.",
    ),
    Specialist(
        "history",
        frozenset({K.EPISODE, K.OUTCOME}),
        frozenset({"similar"}),
        "Say which past incident is like this one, what helped then, in what this one differs, and what it tells of "
        "the cause that actions were denied or did not help.",
    ),
)


def assign(case: Case) -> tuple[Specialist, ...]:
    """Return the specialists that have something of their own to read."""
    kinds = {e.kind for e in case.evidence}
    return tuple(s for s in SPECIALISTS if s.reads & kinds)
