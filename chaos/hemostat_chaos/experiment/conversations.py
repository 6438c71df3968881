"""Conversations of the sample agents that cannot come to an end, as a fault (shell)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from hemostat.api.incident import Incident
from hemostat.errors import Refused
from hemostat_chaos.agents.board import State
from hemostat_chaos.agents.kinds import TROUBLES
from hemostat_chaos.agents.lab import Lab
from hemostat_chaos.experiment.injection import RESTORED
from hemostat_chaos.experiment.verdict import Finding, Mark

STOPPED = frozenset({State.CUT, State.HALTED})
NAME = "Stopped"


def names(incident: Incident) -> frozenset[str]:
    """Return the conversations that the Incident's signals name now (pure)."""
    found = (s.conversation for s in incident.status.signals if s.conversation is not None)
    return frozenset(c.id for told in found for c in told.conversations)


@dataclass(slots=True)
class ConversationsInjection:
    """Something is wrong in conversations from their beginning, until the guard has stopped all of them."""

    lab: Lab
    trouble: str
    conversations: Sequence[str] = ()
    tokens: int | None = None
    """What they had cost when they were stopped."""
    known: set[str] = field(default_factory=set)
    """Incidents that named one of them: they stay about it when it has stopped."""

    @classmethod
    def prepare(cls, lab: Lab | None, trouble: str) -> Self:
        """`Refused` when there is no such fault, or no way to the agents."""
        if lab is None:
            raise Refused("NoAgents", "this runner has no way to the sample agents")
        if trouble not in TROUBLES:
            raise Refused("UnknownFault", f"agents have no fault {trouble}; there are {', '.join(TROUBLES)}")
        return cls(lab, trouble)

    def begin(self) -> None:
        """Begin the conversations."""
        self.conversations = self.lab.inflict(self.trouble)

    @property
    def said(self) -> str:
        """What is wrong where."""
        return f"the agents get into {self.trouble} in {', '.join(self.conversations)}"

    def concerns(self, incident: Incident) -> bool:
        """Tell whether it names, or named, one of the conversations."""
        if names(incident) & set(self.conversations):
            self.known.add(incident.metadata.uid)
        return incident.metadata.uid in self.known

    def follow(self, applied: bool, /) -> Finding | None:
        """The conversations must be stopped; then their owner mends the cause, before they are begun again."""
        if self.tokens is None and applied:
            self._look()
        if self.tokens is None:
            return Finding(NAME, Mark.WAITING, "not every conversation was stopped")
        return Finding(NAME, Mark.MET, f"{', '.join(self.conversations)} stopped after {self.tokens} tokens")

    def _look(self) -> None:
        entries = self.lab.board()["conversations"]
        if all(entries[c]["state"] in STOPPED for c in self.conversations):
            self.tokens = sum(self.lab.spent(c) for c in self.conversations)
            self._mend()

    def _mend(self) -> None:
        for conversation in self.conversations:
            self.lab.clear(conversation)

    def end(self) -> tuple[str, str]:
        """Take the fault back, if that was not done when they stopped."""
        self._mend()
        return RESTORED, f"takes {self.trouble} back"
