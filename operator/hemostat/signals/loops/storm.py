"""Who tries again at once at a model provider that is overloaded, and makes it worse (pure; not for several threads).

One verdict for the provider's model, not one per agent: what they share is the cause. Pauses that grow are back-off,
which is what one should do.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf

from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.telemetry.steps import Failure, Operation, Step

IN_A_ROW = 6
"""Failures of one conversation, with no success between, from which on it takes part in a storm."""
WITHIN_SECONDS = 120.0
EARLY = 3
BACK_OFF = 1.5
DOZEN, BRISK_SECONDS = 12, 5.0
"""After so many failures the last `IN_A_ROW` within so long are no back-off, however short the first pauses were.

Pauses that double from 0.1 s on have taken 3 minutes by then; of runs with full jitter up to 8 s one in a thousand is
so short.
"""
HAMMER_SECONDS = 30.0
"""Within so long the failures in a row of who may be cut: waiting for ten seconds each time harms nobody."""
AGAIN_SECONDS = 1.0
"""By the steps' own time."""
MOST_TRYING, MOST_TOLD = 50_000, 64
TRANSIENT = frozenset({Failure.RATE_LIMITED, Failure.UNAVAILABLE, Failure.TIMEOUT})
Provider = tuple[str, str]


@dataclass(slots=True)
class Trying:
    """Failures in a row of one conversation at one provider."""

    provider: Provider
    agent: str
    times: list[float] = field(default_factory=list)
    early: float = 0.0
    """Seconds that the first three took: pauses that have grown stay long when they reach their limit."""
    failures: int = 0
    joined: bool = False
    """Whether it takes part in a storm that was looked at."""


class Storms:
    """Failures at providers, by conversation."""

    def __init__(self, most: int = MOST_TRYING) -> None:
        self._most = most
        self._trying: OrderedDict[tuple[str, str, Provider], Trying] = OrderedDict()
        self._told: OrderedDict[Provider, float] = OrderedDict()
        """When it was last looked who else takes part: all who try are gone through."""

    def take(self, step: Step) -> Verdict | None:
        """Take an ended inference in; return the storm that it makes, or takes part in."""
        if step.operation is not Operation.CHAT or step.ended is None:
            return None
        key = (step.tenant, step.conversation, (step.provider, step.peer))
        if step.failed not in TRANSIENT:
            self._trying.pop(key, None)
            return None
        trying = self._trying.setdefault(key, Trying(key[2], step.agent or step.service))
        self._trying.move_to_end(key)
        if len(self._trying) > self._most:
            self._trying.popitem(last=False)
        trying.times = [*trying.times[-IN_A_ROW + 1 :], step.ended]
        trying.failures += 1
        if len(trying.times) == EARLY:
            trying.early = trying.times[-1] - trying.times[0]
        if not _storms(trying):
            trying.joined = False
            return None
        if trying.joined and abs(step.ended - self._told.get(key[2], -inf)) < AGAIN_SECONDS:
            return None
        trying.joined = True
        self._told[key[2]] = step.ended
        if len(self._told) > self._most:
            self._told.popitem(last=False)
        return self._storm(key[2], step)

    def _storm(self, provider: Provider, step: Step) -> Verdict:
        since = (step.ended or 0.0) - WITHIN_SECONDS
        here = [
            (key[1], one)
            for key, one in self._trying.items()
            if one.provider == provider and one.times[-1] >= since and _storms(one)
        ]
        hammering = sum(one.times[-1] - one.times[0] <= HAMMER_SECONDS for _, one in here)
        agents = tuple(sorted({one.agent for _, one in here}))[:MOST_TOLD]
        name = " ".join(part for part in provider if part)
        return Verdict(
            kind=Kind.RETRY_STORM,
            advice=Advice.CUT if hammering > 2 else Advice.NOTIFY,
            tenant="",
            conversation="",
            agents=agents,
            edge=("*", provider[1]),
            rounds=IN_A_ROW,
            began=min(one.times[0] for _, one in here),
            ended=step.ended or 0.0,
            confidence=min(98, 80 + 4 * len(here)),
            visibility=Visibility.FULL,
            words=f"{name} refuses and {len(here)} conversations try again without waiting longer: limit their rate",
            conversations=tuple(conversation for conversation, _ in here)[:MOST_TOLD],
        )


def _storms(trying: Trying) -> bool:
    times = trying.times
    if len(times) < IN_A_ROW or times[-1] - times[0] > WITHIN_SECONDS:
        return False
    if trying.failures >= DOZEN and times[-1] - times[0] <= BRISK_SECONDS:
        return True
    return times[-1] - times[-EARLY] <= BACK_OFF * trying.early
