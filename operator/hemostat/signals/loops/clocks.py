"""Clocks of senders that are far off: their steps are told as if they had ended when they came (pure).

Who takes part in a conversation is put in order by time, so one clock that is hours off would be held for ever, or
would end rounds before they began. What is late for a minute is just late.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from hemostat.telemetry.steps import Step

FAR = 60.0
"""Seconds between the end of a step and its arrival from which on the clock is wrong."""
NEAR = 10.0
"""Seconds by which a sender's error may seem to change: exporters wait up to 5 s."""
MOST_SENDERS = 10_000


class Clocks:
    """Errors of senders' clocks, as far as they are far off."""

    def __init__(self) -> None:
        self._errors: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Seconds to add to what a sender says."""

    def corrected(self, steps: Iterable[Step], now: float) -> Sequence[Step]:
        """Return steps that arrived together at `now`, with times by the receiver's clock where they are far off."""
        steps = list(steps)
        early, late = now - FAR, now + FAR
        for step in steps:
            if not (step.started <= late if step.ended is None else early <= step.ended <= late):
                break
        else:
            return steps
        senders: dict[tuple[str, str], list[float]] = {}
        for step in steps:
            if step.ended is not None or _is_far(step, now):  # what is open may have begun long ago
                senders.setdefault((step.service, step.instance), []).append(_told(step))
        errors = {sender: self._error(sender, times, now) for sender, times in senders.items()}
        return [_moved(step, errors.get((step.service, step.instance), 0.0), now) for step in steps]

    def _error(self, sender: tuple[str, str], times: Sequence[float], now: float) -> float:
        """Return what to add; 0 where some of its steps are near: then single ones are wrong, or late."""
        if any(abs(now - time) <= FAR for time in times):
            return 0.0
        error = now - max(times)
        known = self._errors.get(sender, error)
        if abs(known - error) <= NEAR:
            error = min(known, error)
        self._errors[sender] = error
        self._errors.move_to_end(sender)
        if len(self._errors) > MOST_SENDERS:
            self._errors.popitem(last=False)
        return error


def _told(step: Step) -> float:
    return step.started if step.ended is None else step.ended


def _is_far(step: Step, now: float) -> bool:
    if step.ended is None:
        return step.started - now > FAR
    return abs(now - step.ended) > FAR


def _moved(step: Step, error: float, now: float) -> Step:
    if not error and _told(step) - now > FAR:
        error = now - _told(step)
    if not error:
        return step
    return step.but(started=step.started + error, ended=None if step.ended is None else step.ended + error)
