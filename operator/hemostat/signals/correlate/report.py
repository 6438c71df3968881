"""What a Watch says after a look, and what it is told to do (pure values)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hemostat.api.incident import Cause, SignalState, SignalStatus, Storm
from hemostat.api.meta import BoundTargetRef, LocalRef
from hemostat.signals.correlate.blame import Suspect
from hemostat.signals.correlate.quota import UNTOLD, Quota

MAX_REPORTED = 16
"""Signals of one Watch that are remembered."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one Watch saw at its last look."""

    watch: LocalRef
    target: BoundTargetRef
    service: str
    signals: tuple[SignalStatus, ...]
    """Those that fire or have fired, as `reported` picks them."""
    fresh: bool
    """Whether anything it saw rests on data: then silence is health."""
    interval: timedelta
    changed: datetime | None = None
    """When the target's present revision began or its configuration was changed, if that was seen."""
    change: str = ""
    """What was changed then, in words, where it was not the revision."""
    ties: frozenset[str] = frozenset()
    """What the target shares with others, as `hints.ties` finds it."""
    quota: Quota = UNTOLD
    """What a full quota of the namespace has to do with it."""
    shares: frozenset[str] = frozenset()
    """What may be behind a storm, in words, as `hints.shares` finds it: changes shortly before, nodes."""

    @property
    def firing(self) -> tuple[SignalStatus, ...]:
        """The signals that fire."""
        return tuple(s for s in self.signals if s.state is SignalState.FIRING)


def reported(signals: Iterable[SignalStatus]) -> tuple[SignalStatus, ...]:
    """Return the signals worth reporting: those that fire, then those that did, the latest first; bounded."""
    fired = [s for s in signals if s.state is SignalState.FIRING or s.first_fired_time < s.observed_time]
    fired.sort(key=lambda s: (s.state is not SignalState.FIRING, -s.state_time.timestamp(), s.key))
    return tuple(fired[:MAX_REPORTED])


@dataclass(frozen=True, slots=True)
class Word:
    """What a Watch is to do."""

    opens: bool = False
    """Open an Incident (or reopen the last one), if there is none of its own."""
    part_of: str = ""
    """The Incident that its own is part of."""
    causes: tuple[Cause, ...] = ()
    symptoms: tuple[Suspect, ...] = ()
    """Whose signals its Incident shows besides its own."""
    storm: Storm | None = None
    callees: tuple[str, ...] = ()
    """Services that the target calls."""
    callers: tuple[str, ...] | None = None
    """Services that call it, directly or through others, the nearest first; None where no trace tells."""
    again: float | None = None
    """In how many seconds to look again, if that is sooner than usual."""
