"""A signal as people say it: by name, and in the sentence that matters (pure)."""

from hemostat.api.incident import SignalSource, SignalStatus
from hemostat.api.watch import SignalKind
from hemostat.signals.rules import one_line
from hemostat.signals.words import amount

MAX_TITLE = 120
"""Longer than that and a table of Incidents breaks its lines."""
MAX_CELL = 80
"""As much of a name a table of Watches has room for, which has more columns."""


def named(signal: SignalStatus) -> str:
    """Return what fires, without numbers: `ErrorRate of checkout -> payment`, `CrashLoopBackOff of payment`."""
    if signal.kind is SignalKind.OTHER or signal.source is SignalSource.WORKLOAD:
        return signal.subject
    return f"alert {signal.subject}" if signal.kind is SignalKind.ALERT else f"{signal.kind} of {signal.subject}"


def brief(signal: SignalStatus) -> str:
    """Return what fires as a column of a table has room for: of many labels the first, and no label in part."""
    text = one_line(named(signal), MAX_CELL - 1)
    kept, comma, _ = text.rpartition(", ")
    return f"{kept}, …}}" if text.endswith("…") and comma and "{" in kept else text


def sentence(signal: SignalStatus) -> str:
    """Return what is wrong: what the detector said of it, or the value and the limit it is compared with."""
    if signal.message:
        told = signal.source is SignalSource.WORKLOAD or signal.subject in signal.message
        return signal.message if told else f"{signal.subject}: {signal.message}"
    if signal.kind is SignalKind.ALERT or signal.value is None:
        return named(signal)
    limit = f", limit {amount(float(signal.threshold), signal.unit)}" if signal.threshold is not None else ""
    return f"{signal.subject} is {amount(float(signal.value), signal.unit)}{limit}"


def title(signal: SignalStatus, others: int = 0) -> str:
    """Return the sentence on one short line.

    :param others: how many more signals fire.
    """
    more = f" (+{others} signal{'s' if others > 1 else ''})" if others else ""
    return one_line(sentence(signal), MAX_TITLE - len(more)) + more
