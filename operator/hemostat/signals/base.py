"""What detectors say: an `Observation` per look, debounced into a `SignalStatus`."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hemostat.api.incident import ConversationStatus, Severity, SignalSource, SignalState, SignalStatus
from hemostat.api.watch import SignalKind
from hemostat.signals.rules import cut, one_line


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at one subject said."""

    key: str
    """Stable identity: `<signal>/<aspect>/<subject>`."""
    name: str
    """Name of the signal in the Watch."""
    kind: SignalKind
    source: SignalSource
    subject: str
    wrong: bool | None
    """None: nothing fresh to judge by."""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    usual: tuple[float | None, float | None] = (None, None)
    """Between which values it is right, where that is a band; None: no end, or none that is known."""
    samples: int = 0
    """How many calls or series the value rests on."""
    note: str = ""
    """For a person: what is wrong, in a sentence."""
    traces: tuple[str, ...] = ()
    """Ids of traces that show it."""
    left_seconds: float | None = None
    """Time until it is exhausted, where that is known."""
    stated: Severity | None = None
    """How bad it is, where the source itself says so."""
    sure: bool = True
    """Whether chance is ruled out, and it goes on. What may be chance, or over, has to last longer."""
    conversation: ConversationStatus | None = None
    """Of agents: who, between whom, how sure."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a signal must be wrong to fire and right to clear, in seconds."""

    for_seconds: float
    clear_seconds: float


@dataclass(frozen=True, slots=True)
class Debounced:
    """State of one signal between looks."""

    state: SignalState = SignalState.CLEAR
    state_time: datetime | None = None
    wrong_since: datetime | None = None
    right_since: datetime | None = None
    silent_since: datetime | None = None
    first_fired: datetime | None = None
    begun: bool = False
    """Whether it fired and has not been Clear since: silence in between does not end it."""
    trouble: Observation | None = None
    """The last look that was wrong, of a signal that is or may soon be Firing."""

    def shown(self, seen: Observation) -> Observation:
        """Return what to say of it after a look: while it fires what was wrong last, not how it looks meanwhile."""
        return self.trouble if self.state is SignalState.FIRING and self.trouble is not None else seen


MAX_MESSAGE = 512
STALE_SECONDS = 20.0
"""A signal without fresh samples for this long says NoData instead of its last word."""


def step(timing: Timing, old: Debounced, seen: Observation, now: datetime) -> Debounced:
    """Take one look into account. Pure.

    Firing needs `for_seconds` of wrong looks, Clear needs `clear_seconds` of right ones, and neither is kept alive
    by silence: after `STALE_SECONDS` without data the state is NoData.
    """
    if seen.wrong is None:
        silent = _since(old.silent_since, now)
        stale = now - silent >= timedelta(seconds=STALE_SECONDS)
        state = SignalState.NO_DATA if stale else old.state
        kept = replace(old, right_since=None, silent_since=silent)  # health needs an unbroken row of looks
        if stale:
            kept = replace(kept, wrong_since=None)  # trouble survives a short gap
        return _moved(kept, state, now)
    if seen.wrong:
        since = _since(old.wrong_since, now)
        due = now - since >= timedelta(seconds=timing.for_seconds)
        state = SignalState.FIRING if due else old.state
        fires = state is SignalState.FIRING
        first = now if fires and not old.begun else old.first_fired
        new = replace(old, wrong_since=since, right_since=None, silent_since=None, first_fired=first, trouble=seen)
        return _moved(replace(new, begun=old.begun or fires), state, now)
    since = _since(old.right_since, now)
    due = now - since >= timedelta(seconds=timing.clear_seconds)
    trouble = old.trouble if not due else None
    new = replace(
        old, wrong_since=None, right_since=since, silent_since=None, begun=old.begun and not due, trouble=trouble
    )
    return _moved(new, SignalState.CLEAR if due else old.state, now)


def _since(time: datetime | None, now: datetime) -> datetime:
    """Return since when something holds; from now on if the clock was set back meanwhile."""
    return now if time is None else min(time, now)


def resumed(status: SignalStatus) -> tuple[Debounced, Observation]:
    """Take up a signal of an open incident again after a restart, as it was last published."""
    observation = Observation(
        key=status.key,
        name=status.name,
        kind=status.kind,
        source=status.source,
        subject=status.subject,
        wrong=None,
        threshold=float(status.threshold) if status.threshold is not None else None,
        unit=status.unit,
        conversation=status.conversation,
    )
    fires = status.state is SignalState.FIRING
    value = float(status.value) if status.value is not None else None
    trouble = replace(observation, value=value, samples=status.samples, note=status.message, stated=status.severity)
    debounced = Debounced(
        state=status.state,
        state_time=status.state_time,
        first_fired=status.first_fired_time,
        begun=status.state is not SignalState.CLEAR,
        trouble=trouble if fires else None,
    )
    return debounced, observation


def publish(seen: Observation, state: Debounced, now: datetime, severity: Severity = Severity.MINOR) -> SignalStatus:
    """Return the signal in the form that an Incident shows.

    :param seen: what to say of it, see `Debounced.shown`.
    """
    return SignalStatus(
        key=seen.key[:512],
        name=seen.name,
        kind=seen.kind,
        source=seen.source,
        subject=cut(seen.subject, 256),
        state=state.state,
        value=decimal(seen.value),
        threshold=decimal(seen.threshold),
        unit=seen.unit,
        message=one_line(seen.note, MAX_MESSAGE),
        severity=severity,
        samples=seen.samples,
        first_fired_time=state.first_fired or now,
        state_time=state.state_time or now,
        observed_time=now,
        conversation=seen.conversation,
    )


def decimal(value: float | None) -> str | None:
    """Format a number for the API: five significant digits, no exponent, bounded to what the schema takes."""
    if value is None:
        return None
    bounded = max(-1e14, min(1e14, value))
    rounded = Decimal(f"{bounded:.5g}") if abs(bounded) >= 1e-8 else Decimal(0)
    text = f"{rounded:.9f}"
    return text.rstrip("0").rstrip(".") or "0"


def _moved(new: Debounced, state: SignalState, now: datetime) -> Debounced:
    if new.state is state and new.state_time is not None:
        return new
    return replace(new, state=state, state_time=now)
