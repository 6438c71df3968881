"""Which signals keep an Incident from being over (pure)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hemostat.api.incident import SignalSource, SignalState, SignalStatus
from hemostat.signals.base import STALE_SECONDS

GONE_AFTER = timedelta(seconds=60)
"""A caller that was not heard of for so long, while others are heard and well, is gone."""
_COUNTED = (SignalSource.TRACES, SignalSource.PROMETHEUS)


_LACKING = {SignalSource.TRACES: "no calls", SignalSource.PROMETHEUS: "no samples"}


def holding(signals: Sequence[SignalStatus], now: datetime) -> tuple[SignalStatus, ...]:
    """Return the signals without which the Incident would be over.

    Silence is no health: an own signal without data holds. Two exceptions, both for silence that says nothing about the
    target: a symptom elsewhere (it holds only while it fires), and the calls of one caller that stopped calling, while
    fresh samples of other calls or of a metric say that the target is well and nothing of its own fires.
    """
    own = [s for s in signals if s.watch_ref is None]
    elsewhere = [s for s in signals if s.watch_ref is not None and s.state is SignalState.FIRING]
    open_ = [s for s in own if s.state is not SignalState.CLEAR]
    if all(_gone(s, now) for s in open_) and any(_well(s, now) for s in own):
        open_ = []
    return (*open_, *elsewhere)


def silent(signals: Sequence[SignalStatus], now: datetime) -> str:
    """Say what an Incident waits for, when all that holds it is signals without data; else return nothing."""
    mute = holding(signals, now)
    if not mute or any(s.state is not SignalState.NO_DATA for s in mute):
        return ""
    since = min(s.state_time for s in mute) - timedelta(seconds=STALE_SECONDS)
    what = _LACKING.get(mute[0].source, "no word")
    others = {s.subject for s in mute} - {mute[0].subject}
    more = f" and {len(others)} more" if others else ""
    rest = "it is resolved once fresh data say that it is well; if none can come, delete the Incident"
    return f"{what} of {mute[0].subject}{more} since {since:%H:%M:%SZ}; {rest}"


def clear_since(signals: Sequence[SignalStatus], now: datetime) -> datetime | None:
    """Return since when nothing holds, or None while something does. No signals of its own: nobody knows, None."""
    own = [s for s in signals if s.watch_ref is None]
    if not own or holding(signals, now):
        return None
    clear = [s.state_time for s in signals if s.state is SignalState.CLEAR]
    gone = [s.state_time + GONE_AFTER for s in own if s.state is SignalState.NO_DATA]
    return max((*clear, *gone))


def _gone(signal: SignalStatus, now: datetime) -> bool:
    silent = signal.state is SignalState.NO_DATA and signal.source is SignalSource.TRACES
    return silent and now - signal.state_time >= GONE_AFTER


def _well(signal: SignalStatus, now: datetime) -> bool:
    fresh = abs(now - signal.observed_time) < timedelta(seconds=STALE_SECONDS)
    counted = signal.source in _COUNTED and signal.samples > 0
    return signal.state is SignalState.CLEAR and fresh and counted
