"""Did the action help? (pure)"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hemostat.api.incident import SignalState, SignalStatus
from hemostat.api.runbook import Verify
from hemostat.signals.over import clear_since, holding
from hemostat.signals.sentence import named, sentence
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
    UNDECIDED = "Undecided"
    """There are data, and they do not say whether it helped: a person decides what comes next."""
    UNKNOWN = "NoData"
    """Without data nobody knows: nothing is undone, and a person decides what comes next."""


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


def concerning(signals: Sequence[SignalStatus], conversations: Collection[str]) -> tuple[SignalStatus, ...]:
    """Return the signals as far as they concern these conversations: what goes on in others only is clear for them.

    :param conversations: those that the action was about; none: all.
    """
    return tuple(_calmed(s) if conversations and not _concerns(s, conversations) else s for s in signals)


def _concerns(signal: SignalStatus, conversations: Collection[str]) -> bool:
    told = signal.conversation
    if told is None or signal.state is not SignalState.FIRING or told.affected > len(told.conversations):
        return True
    return not told.conversations or any(c.id in conversations for c in told.conversations)


def _calmed(signal: SignalStatus) -> SignalStatus:
    return signal.model_copy(update={"state": SignalState.CLEAR})


def verdict(facts: VerifyInput) -> tuple[Verdict, str]:
    """Return the verdict and its reason.

    Healed needs every signal Clear on samples taken after the action, every pod of the newest template ready, and
    both for `stableSeconds`. Worse needs a signal that began after the action had settled, and keeps firing.
    """
    if worse := [s for s in facts.signals if _new_and_firing(s, facts)]:
        return Verdict.WORSE, _worse(worse[0], facts)
    open_ = _not_yet(facts)
    if open_ is None:
        return Verdict.HEALED, "all signals are clear on fresh samples and every pod is ready"
    seconds = facts.wanted.timeout_seconds
    if facts.now - facts.applied < timedelta(seconds=seconds):
        return Verdict.WAIT, open_
    own = [s for s in facts.signals if s.watch_ref is None]
    stale = [s for s in own if s.state is SignalState.NO_DATA or not _fresh(s, facts)]
    if stale or not own or facts.workload is None:
        lacking = _unseen(stale) if stale else open_
        return Verdict.UNKNOWN, f"{seconds} s after the action nobody can tell whether it helped: {lacking}; {_LOOK}"
    if not holding(own, facts.now) and facts.workload.complete:
        well = f"the target is well ({_measured(facts)})"
        return Verdict.UNDECIDED, f"{seconds} s after the action {well}, {_left(facts)}"
    return Verdict.INEFFECTIVE, f"it did not help within {seconds} s: {open_}{_numbers(facts)}"


_LOOK = "see why in the condition DataFresh of its Watch, and look at the target: nothing is taken back for it"
_NAMED = 3
"""Signals that are named; the others are counted."""


def _worse(signal: SignalStatus, facts: VerifyInput) -> str:
    after = (signal.first_fired_time - facts.applied).total_seconds()
    return f"{named(signal)}{_where(signal)} began {after:.0f} s after the action and keeps firing: {sentence(signal)}"


def _unseen(stale: Sequence[SignalStatus]) -> str:
    return f"no fresh data of {_listed([named(s) for s in stale])}"


def _measured(facts: VerifyInput) -> str:
    own = [s for s in facts.signals if s.watch_ref is None]
    ready = facts.workload.readiness("pods") if facts.workload is not None else ""
    return f"{_listed([named(s) for s in own])}: clear; {ready}"


def _left(facts: VerifyInput) -> str:
    """Say what keeps it from being healed although the target is well, and what a person should do."""
    others = [s for s in holding(facts.signals, facts.now) if s.watch_ref is not None]
    if not others:
        return (
            f"but not yet for {facts.wanted.stable_seconds} s: it comes and goes. Nothing is taken back for it; "
            "watch it, and if it comes back look for another cause"
        )
    fire = _listed([f"{named(s)}{_where(s)}" for s in others])
    still = "still fires" if len(others) == 1 else "still fire"
    return f"but {fire} {still}. Nothing is taken back for it; look there for another cause"


def _listed(names: Sequence[str]) -> str:
    """Name the first of them and count the others."""
    names = list(dict.fromkeys(names))
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _not_yet(facts: VerifyInput) -> str | None:
    if facts.workload is None:
        return "the target cannot be read"
    if not facts.workload.complete:
        return f"{facts.workload.readiness('pods')}, the rollout is not complete"
    own = [s for s in facts.signals if s.watch_ref is None]
    if not own:
        return "the Incident shows no signals"
    for signal in own:
        if not _fresh(signal, facts):
            return f"{named(signal)} has not been observed since the action"
    for signal in holding(facts.signals, facts.now):
        return _holds(signal)
    since = max(facts.applied, clear_since(facts.signals, facts.now) or facts.now)
    if facts.now - since < timedelta(seconds=facts.wanted.stable_seconds):
        return f"all signals are clear, but not yet for {facts.wanted.stable_seconds} s"
    return None


def _holds(signal: SignalStatus) -> str:
    if signal.state is SignalState.NO_DATA:
        return f"there are no data of {named(signal)}{_where(signal)}"
    return f"{named(signal)}{_where(signal)} still fires"


def _numbers(facts: VerifyInput) -> str:
    """Only at the end: what is said while it waits is written whenever it changes."""
    firing = [s for s in holding(facts.signals, facts.now) if s.state is SignalState.FIRING]
    return f" ({sentence(firing[0])})" if firing else ""


def _where(signal: SignalStatus) -> str:
    return f" at {signal.target_ref.kind} {signal.target_ref.name}" if signal.target_ref is not None else ""


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
