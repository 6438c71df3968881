"""Did the action help? (pure)"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hemostat.api.incident import SignalState, SignalStatus
from hemostat.api.runbook import Verify
from hemostat.signals.over import clear_since, holding
from hemostat.signals.sentence import named
from hemostat.signals.workload import WorkloadState

FRESH = timedelta(seconds=20)
"""An observation older than this says nothing about now; nor does one from the future: the clocks disagree."""
WORSE_AFTER = timedelta(seconds=15)
"""A new signal must fire this long before it counts against the action: a rollout itself may flicker."""


class Verdict(StrEnum):
    """What became of the action."""

    WAIT = "Wait"
    HEALED = "Healed"
    WORSE = "Worse"
    INEFFECTIVE = "Ineffective"
    UNKNOWN = "NoData"


@dataclass(frozen=True, slots=True)
class VerifyInput:
    """What is known some time after the action."""

    applied: datetime
    """When the forward effect took place."""
    wanted: Verify
    signals: tuple[SignalStatus, ...]
    """The Incident's signals as last observed."""
    workload: WorkloadState | None
    """The target now; None when it could not be read."""
    now: datetime


def verdict(facts: VerifyInput) -> tuple[Verdict, str]:
    """Return the verdict and its reason.

    Healed needs every signal Clear on samples taken after the action, every pod of the newest template ready, and
    both for `stableSeconds`. Worse needs a signal that began after the action had settled, and keeps firing.
    """
    if worse := [s for s in facts.signals if _new_and_firing(s, facts)]:
        return Verdict.WORSE, f"{named(worse[0])} began after the action"
    open_ = _not_yet(facts)
    if open_ is None:
        return Verdict.HEALED, "all signals are clear on fresh samples and every pod is ready"
    if facts.now - facts.applied < timedelta(seconds=facts.wanted.timeout_seconds):
        return Verdict.WAIT, open_
    own = [s for s in facts.signals if s.watch_ref is None]
    stale = [s for s in own if s.state is SignalState.NO_DATA or not _fresh(s, facts)]
    if stale or not own or facts.workload is None:
        return Verdict.UNKNOWN, f"no fresh data within {facts.wanted.timeout_seconds} s: {open_}"
    if not holding(own, facts.now) and facts.workload.complete:
        return Verdict.UNKNOWN, f"the target is well after {facts.wanted.timeout_seconds} s, others are not: {open_}"
    return Verdict.INEFFECTIVE, f"after {facts.wanted.timeout_seconds} s: {open_}"


def _not_yet(facts: VerifyInput) -> str | None:
    if facts.workload is None:
        return "the target cannot be read"
    if not facts.workload.complete:
        return f"{facts.workload.ready} of {facts.workload.desired} pods ready, rollout not complete"
    own = [s for s in facts.signals if s.watch_ref is None]
    if not own:
        return "the Incident shows no signals"
    for signal in own:
        if not _fresh(signal, facts):
            return f"{named(signal)} has not been observed since the action"
    for signal in holding(facts.signals, facts.now):
        return f"{named(signal)} is {signal.state}{_where(signal)}"
    since = max(facts.applied, clear_since(facts.signals, facts.now) or facts.now)
    if facts.now - since < timedelta(seconds=facts.wanted.stable_seconds):
        return f"clear, but not yet for {facts.wanted.stable_seconds} s"
    return None


def _where(signal: SignalStatus) -> str:
    return f" at {signal.target_ref.name}" if signal.target_ref is not None else ""


def _fresh(signal: SignalStatus, facts: VerifyInput) -> bool:
    return signal.observed_time > facts.applied and abs(facts.now - signal.observed_time) < FRESH


def _new_and_firing(signal: SignalStatus, facts: VerifyInput) -> bool:
    """Detectors look back over a window, and some lag: what fires soon after the action began before it.

    Symptoms count too: an action may help its target and hurt who depends on it.
    """
    settled = facts.applied + timedelta(seconds=facts.wanted.settle_seconds)
    return (
        signal.state is SignalState.FIRING
        and signal.first_fired_time > settled
        and facts.now - signal.state_time >= WORSE_AFTER
        and _fresh(signal, facts)
    )
