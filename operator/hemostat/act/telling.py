"""How far a Remediation has come: written into its status, and told as log line and Event (shell)."""

import logging
from typing import Literal

from hemostat.act.pace import NORMAL
from hemostat.act.store import Store
from hemostat.api.meta import find, set_condition
from hemostat.api.remediation import ADMITTED, FINISHED, GateOutcome, Remediation, RemediationStatus
from hemostat.clock import Clock
from hemostat.events import Events
from hemostat.gate.asking import asking
from hemostat.metrics import FINISHED as FINISHED_METRIC

LOG = logging.getLogger(__name__)


class Teller:
    """Writes what is known of a Remediation, and tells it: status, log and Event."""

    def __init__(
        self,
        store: Store,
        events: Events,
        clock: Clock,
    ) -> None:
        self._store = store
        self._events = events
        self._clock = clock

    def write(self, remediation: Remediation, status: RemediationStatus, kind: str, reason: str, message: str) -> None:
        """Write a condition as True, beside the rest of the status, and tell it."""
        if kind == ADMITTED:
            status = asking(status, self._clock.now(), asks=False)
        conditions = set_condition(status.conditions, kind, True, reason, message, self._clock.now())
        self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
        LOG.info("%s/%s %s: %s: %s", remediation.metadata.namespace, remediation.metadata.name, kind, reason, message)
        self._events.emit("Remediation", remediation.metadata, reason, message)

    def note(
        self, remediation: Remediation, status: RemediationStatus, reason: str, message: str, kind: str = ADMITTED
    ) -> bool:
        """Say why something waits; writes only what is new. Returns whether it was."""
        if kind == ADMITTED:
            status = asking(status, self._clock.now(), asks=reason == GateOutcome.NEEDS_APPROVAL)
        old = find(status.conditions, kind)
        fresh = old is None or (old.reason, old.message) != (reason, message[:2048])
        if fresh or status is not remediation.status:
            conditions = set_condition(status.conditions, kind, "Unknown", reason, message, self._clock.now())
            self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
        if fresh:
            LOG.info("%s/%s waits: %s: %s", remediation.metadata.namespace, remediation.metadata.name, reason, message)
        return fresh

    def end(self, remediation: Remediation, status: RemediationStatus, reason: str, message: str) -> None:
        """Finish it, unless another process wrote since it was read: that one may know better (compare and set)."""
        level: Literal["Normal", "Warning"] = "Normal" if reason in NORMAL else "Warning"
        conditions = set_condition(status.conditions, FINISHED, True, reason, message, self._clock.now())
        self._store.write(remediation, status.model_copy(update={"conditions": conditions}))
        LOG.info("%s/%s ended: %s: %s", remediation.metadata.namespace, remediation.metadata.name, reason, message)
        FINISHED_METRIC.labels(remediation.spec.action, reason).inc()
        self._events.emit("Remediation", remediation.metadata, reason, message, level)
