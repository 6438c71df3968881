"""What is wrong in a conversation, who is in it, and where it would be cut (pure value)."""

from dataclasses import dataclass
from enum import StrEnum

from hemostat.api.incident import Advice
from hemostat.api.watch import ConversationTrouble as Kind

__all__ = ["Advice", "Edge", "Kind", "Verdict", "Visibility"]

Edge = tuple[str, str]
"""Who calls, and whom: an agent, a tool or a model."""


class Visibility(StrEnum):
    """How much of what happens can be seen."""

    FULL = "Full"
    """What is asked, what comes of it, and what is still open."""
    PARTIAL = "Partial"
    """Content is not sent, or nothing tells of open spans."""
    NONE = "None"
    """Neither."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One trouble of one conversation, as it is known now. Times are seconds since 1970 by the senders' clocks."""

    kind: Kind
    advice: Advice
    tenant: str
    conversation: str
    """Empty for trouble of a provider: it is nobody's own."""
    agents: tuple[str, ...]
    edge: Edge
    """The smallest cut; two empty names where there is nothing to cut."""
    rounds: int
    began: float
    """When the first of its steps began."""
    confidence: int
    """Percent."""
    visibility: Visibility
    words: str
    """For a person."""
    ended: float = 0.0
    """When the newest of its steps ended, or began if it is still open; 0 for what stands still."""
    tokens: int = 0
    """Burnt since it began."""
    conversations: tuple[str, ...] = ()
    """Those that a provider's trouble hits."""
    services: tuple[str, ...] = ()
    """`service.name` of those who take part; first the one on whose side the edge would be cut."""
    open_tools: tuple[str, ...] = ()
    """Of a deadlock: tools that are open in its conversation."""

    @property
    def key(self) -> tuple[str, str, Kind]:
        """What makes it the same trouble as before."""
        return (self.tenant, self.conversation or self.edge[1], self.kind)
