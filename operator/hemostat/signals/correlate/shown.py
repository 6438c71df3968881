"""What an Incident shows of its own signals and of those that it explains (pure)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hemostat.api.incident import MAX_SIGNALS, Incident, SignalSource, SignalState, SignalStatus
from hemostat.signals.base import STALE_SECONDS
from hemostat.signals.correlate.blame import Suspect

MAX_OWN = 24
"""Of the signals an Incident shows, as many may be those of its own Watch; the others are symptoms elsewhere."""
MAX_TRACED = 16
"""Of its own, as many may come from traces: the others are harder to make up."""
_WITNESSES = 2
"""Signals that are well, shown while another is silent: they tell silence of one caller from silence of all."""


def own(signals: Sequence[SignalStatus]) -> tuple[SignalStatus, ...]:
    """Return those that the Incident's own Watch saw."""
    return tuple(s for s in signals if s.watch_ref is None)


def symptom(signal: SignalStatus, suspect: Suspect) -> SignalStatus:
    """Return another Watch's signal as an Incident shows it: whose it is, under a key of its own."""
    return signal.model_copy(
        update={
            "key": f"{suspect.name}:{signal.key}"[:512],
            "watch_ref": suspect.watch,
            "target_ref": suspect.target,
        }
    )


def shown_of(incident: Incident, watch: str) -> tuple[SignalStatus, ...]:
    """Return the signals of one Watch that the Incident shows, as that Watch knows them."""
    if incident.spec.watch_ref.name == watch:
        return own(incident.status.signals)
    return tuple(
        s.model_copy(update={"key": s.key.removeprefix(f"{watch}:"), "watch_ref": None, "target_ref": None})
        for s in incident.status.signals
        if s.watch_ref is not None and s.watch_ref.name == watch
    )


def merge(
    shown: Sequence[SignalStatus],
    seen: Sequence[SignalStatus],
    symptoms: Sequence[Suspect] = (),
    now: datetime | None = None,
) -> tuple[SignalStatus, ...]:
    """Return what the Incident should show: signals it already shows, as last seen, and others that fire.

    :param seen: everything that the Incident's own Watch sees.
    :param symptoms: the suspects that the Incident explains, with all their signals that it shows or shall show.
    """
    mine = _mine(own(shown), seen)
    return (*mine, *_others([s for s in shown if s.watch_ref is not None], symptoms, now))


def _mine(shown: Sequence[SignalStatus], seen: Sequence[SignalStatus]) -> tuple[SignalStatus, ...]:
    latest = {s.key: s for s in seen}
    kept = [_since_first(s, latest.get(s.key, s)) for s in shown]
    known = {s.key for s in shown}
    new = [s for s in seen if s.key not in known and s.state is SignalState.FIRING]
    traced = [s for s in new if s.source is SignalSource.TRACES]
    room = max(0, MAX_TRACED - sum(s.source is SignalSource.TRACES for s in kept))
    others = [s for s in new if s.source is not SignalSource.TRACES]
    return tuple((*kept, *others, *traced[:room], *_witnesses(kept, seen))[:MAX_OWN])


def _witnesses(kept: Sequence[SignalStatus], seen: Sequence[SignalStatus]) -> list[SignalStatus]:
    """Return signals with samples that are well, if one of the calls shown is silent and none is shown yet."""
    clear = [s for s in seen if s.state is SignalState.CLEAR and s.samples > 0 and s.source in COUNTED]
    known = {s.key for s in kept}
    silent = any(s.source is SignalSource.TRACES and s.state is SignalState.NO_DATA for s in kept)
    if not silent or any(s.key in known for s in clear):
        return []
    return sorted(clear, key=lambda s: (-s.samples, s.key))[:_WITNESSES]


COUNTED = (SignalSource.TRACES, SignalSource.PROMETHEUS)
"""Sources whose samples are traffic or measurements; pods that run say nothing of calls that do not come."""


def _others(shown: Sequence[SignalStatus], symptoms: Sequence[Suspect], now: datetime | None) -> list[SignalStatus]:
    latest = {s.key: s for suspect in symptoms for s in (symptom(g, suspect) for g in suspect.signals)}
    belongs = {s.name for s in symptoms}
    kept = [
        _since_first(s, latest.get(s.key) or _aged(s, now))
        for s in shown
        if s.watch_ref is not None and (s.watch_ref.name in belongs or s.state is not SignalState.FIRING)
    ]
    known = {s.key for s in kept}
    firing = [s for s in latest.values() if s.key not in known and s.state is SignalState.FIRING]
    new = sorted(firing, key=lambda s: (s.first_fired_time, s.key))
    return [*kept, *new][: MAX_SIGNALS - MAX_OWN]


def _aged(signal: SignalStatus, now: datetime | None) -> SignalStatus:
    """Nobody reports it any more: its Watch is gone, or has not looked for long."""
    old = now is not None and now - signal.observed_time >= timedelta(seconds=STALE_SECONDS)
    if not old or now is None or signal.state is SignalState.NO_DATA:
        return signal
    return signal.model_copy(update={"state": SignalState.NO_DATA, "state_time": now})


def _since_first(shown: SignalStatus, now: SignalStatus) -> SignalStatus:
    """Trouble that comes back in the same Incident is not new: it began when it first fired."""
    return now.model_copy(update={"first_fired_time": min(shown.first_fired_time, now.first_fired_time)})
