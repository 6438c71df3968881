"""What every memory of incidents can do (pure)."""

from collections import Counter
from enum import Enum
from typing import NamedTuple, Protocol

from hemostat.memory.episode import Episode, Outcome

MAX_EPISODES = 100_000
"""Episodes that are kept unless set otherwise: in SQLite's case some 40 MB in memory and 300 MB on disk."""
MAX_TRIED = 1_000
"""Episodes from whose outcomes something may be learnt at once: what is older says less of today."""
MAX_FOUND = 50
"""Episodes that one search returns at most."""


class Everywhere(Enum):
    """Asks for every namespace. A name could be empty by mistake; this cannot."""

    EVERYWHERE = "everywhere"


EVERYWHERE = Everywhere.EVERYWHERE
Scope = str | Everywhere
"""A namespace, or `EVERYWHERE`: nobody sees the episodes of another namespace without asking for all of them."""


def namespace_of(scope: Scope) -> str | None:
    """Return the one namespace that is asked for; None for every one."""
    return None if scope is EVERYWHERE else scope


def tries_of(episode: Episode) -> list[tuple[str, int, str, str, str, str]]:
    """Return what was tried as rows of a table: uid, place, namespace, runbook, action, outcome."""
    return [
        (episode.uid, place, episode.namespace, t.runbook, t.action, t.outcome.value)
        for place, t in enumerate(episode.tries)
    ]


class Match(NamedTuple):
    """An episode that was found."""

    episode: Episode
    score: float
    """Cosine of its text's embedding to that which was asked for: above 0, at most 1."""


class Memory(Protocol):
    """Episodes, found by what they looked like. Safe to use from several threads.

    Every method raises `Retry` when the store is busy, full or cannot be reached, `Refused` when a person has to do
    something about it (a damaged file, a missing right): who asks goes on without memory and says so. What is wrong is
    looked at anew at the next use. None waits for longer than some seconds.
    """

    def remember(self, episode: Episode) -> None:
        """Keep an episode, in place of what was known of the same Incident. Beyond the maximum some are forgotten: the
        oldest of the namespace that has the most, so that no namespace can make another's be forgotten.
        """
        ...

    def recall(self, uid: str, scope: Scope) -> Episode | None:
        """Return the episode of this Incident, or None."""
        ...

    def similar(self, text: str, scope: Scope, most: int) -> list[Match]:
        """Return the episodes that look most like this text (`text_of` an Incident), the best first; 50 at most."""
        ...

    def outcomes(self, runbook: str, action: str, scope: Scope) -> Counter[Outcome]:
        """Return how often Remediations of this Runbook with this action ended how."""
        ...

    def tried(self, scope: Scope, most: int) -> list[Episode]:
        """Return the episodes in which something was tried, those resolved last first; 1,000 at most."""
        ...

    def renew(self, most: int) -> int:
        """Embed up to so many episodes again whose vectors are of another version; until then they are not found.

        Return how many are left: call it again later. It takes a millisecond per episode.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
