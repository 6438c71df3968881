"""What a look says of signals, without secrets and personal data: it goes into Incidents, Events and logs (pure)."""

from dataclasses import replace

from hemostat.api.incident import SignalState, SignalStatus
from hemostat.diagnosis.redact import told
from hemostat.signals.base import MAX_MESSAGE
from hemostat.signals.evaluate import Look

MAX_SUBJECT = 256


def discreet(seen: Look) -> Look:
    """Return the look with what it says of signals that fire redacted. Their keys stay: they are names of series."""
    return replace(seen, signals=tuple(_discreet(s) if s.state is SignalState.FIRING else s for s in seen.signals))


def _discreet(signal: SignalStatus) -> SignalStatus:
    said = {"message": told(signal.message)[:MAX_MESSAGE], "subject": told(signal.subject)[:MAX_SUBJECT]}
    return signal.model_copy(update=said)
