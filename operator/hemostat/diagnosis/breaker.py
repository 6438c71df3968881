"""The breaker of one model: pybreaker's states, with our clock, and a probe at a time (shell: locks and metrics).

A model that fails five times in a row is left alone for half a minute (Nygard, Release It!, 2nd edition, chapter 5).
Of one model and not of its provider: behind a gateway all have the same provider, and the second of the list is there
for when the first fails. Requests that were under way together fail together, and count once: specialists ask at the
same time, and one bad moment is no row of failures.
"""

import logging
from threading import Lock

import pybreaker

from hemostat import metrics
from hemostat.breaking import tell
from hemostat.diagnosis.provider import FAILED, OPEN, ProviderError
from hemostat.guard.clock import Clock

LOG = logging.getLogger(__name__)
FAIL_MAX, REST_SECONDS = 5, 30.0
_NEVER = 10.0**9
"""Seconds after which pybreaker would half-open by itself; here our clock says when."""


class Breaker:
    """Says whether to ask a model, and is told what came of it (thread-safe)."""

    def __init__(self, provider: str, model: str, clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._machine = pybreaker.CircuitBreaker(
            fail_max=FAIL_MAX, reset_timeout=_NEVER, throw_new_error_on_trip=False, name=model
        )
        self._until = 0.0
        self._counted = 0
        self._why = ""
        self._lock = Lock()
        self._open = metrics.MODEL_BREAKER_OPEN.labels(provider, model)
        self._open.set(0)

    def admit(self) -> int:
        """Return what `note` wants to know. After the rest one request is let through, for the others it begins anew.

        Raises `ProviderError` with the last failure, where nobody is to ask now.
        """
        with self._lock:
            if self._machine.current_state == pybreaker.STATE_CLOSED:
                return self._counted
            now = self._clock.monotonic()
            if now < self._until:
                said = f"{self._model} failed repeatedly, and is left alone for a while; last: {self._why}"
                raise ProviderError(OPEN, said, self._until - now)
            self._until = now + REST_SECONDS
            self._machine.half_open()
            return self._counted

    def note(self, admitted: int, error: ProviderError | None) -> None:
        """Take what came of a request. That it was wrong, or refused, speaks for the model: it answers."""
        bad = error if error is not None and (error.transient or error.reason == FAILED) else None
        with self._lock:
            if bad is not None and admitted != self._counted:
                return  # another one that was under way at the same time has told
            if tell(self._machine, bad) and bad is not None:
                self._failed(bad)
            self._open.set(self._machine.current_state != pybreaker.STATE_CLOSED)

    def _failed(self, bad: ProviderError) -> None:
        self._counted += 1
        self._why = str(bad)
        if self._machine.current_state == pybreaker.STATE_OPEN:
            rest = max(REST_SECONDS, bad.after or 0.0)
            self._until = self._clock.monotonic() + rest
            LOG.warning("%s is left alone for %.0f s: %s", self._model, rest, self._why)
